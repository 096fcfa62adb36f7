"""Alerts that share a fingerprint: which of them are one alert, and under which name each is known."""

import pytest
from msgspec.structs import replace

from receiver.core.model import Alert
from receiver.core.shared_fingerprints import SHARED, fingerprint, tell_apart
from tests.core.alerts import alert

DISK = {"alertname": "DiskFull", "host": "a", "severity": "warning"}


def told(*, firing: bool = True, **labels: str | None) -> Alert:
    """An alert of a bridge that calls all of them by one name, with these labels changed or left out."""
    changed = {name: value for name, value in {**DISK, **labels}.items() if value is not None}
    return replace(alert("constant", firing=firing), labels=changed)


ANOTHER = {
    "another host": {"host": "b"},
    "another name": {"alertname": "MemoryFull"},
    "another host, and worse": {"host": "b", "severity": "critical"},
    "of a pod instead of a host": {"host": None, "pod": "b"},
}

THE_SAME = {
    "as it was": {},
    "worse": {"severity": "critical"},
    "with another value": {"value": "97"},
    "with one label more": {"team": "storage"},
    "with one label less": {"host": None},
    "with a label that is empty": {"pod": ""},
}


@pytest.mark.parametrize("labels", ANOTHER.values(), ids=ANOTHER.keys())
@pytest.mark.parametrize("firing", [True, False], ids=["fires", "is over"])
def test_what_names_another_thing_is_another_alert(labels, firing):
    """It is known by its labels, which is noted, whether it fires or ends; the one that came first keeps its name."""
    (found,) = tell_apart([told(firing=firing, **labels)], {"constant": told()}.get)
    assert found.fingerprint == fingerprint(found.labels) != "constant"
    assert found.repairs == (SHARED,)


@pytest.mark.parametrize("labels", THE_SAME.values(), ids=THE_SAME.keys())
@pytest.mark.parametrize("firing", [True, False], ids=["fires", "is over"])
def test_labels_that_name_nothing_may_change(labels, firing):
    """A sender whose fingerprints are its own may change how bad it is, and what else it tells: it is the same alert."""
    same = told(firing=firing, **labels)
    assert tell_apart([same], {"constant": told(value="12")}.get) == (same,)


def test_two_that_fire_in_one_body_are_two():
    """However little their labels differ; a third with the labels of one of them is that one."""
    first, second = told(), told(severity="critical")
    found = tell_apart([first, second, second], {}.get)
    assert [each.fingerprint for each in found] == ["constant", *[fingerprint(second.labels)] * 2]


def test_each_is_found_again():
    """By its own labels first, also with shared ones, and when the one that had the fingerprint is forgotten."""
    first, second = told(), told(severity="critical")
    computed = fingerprint(second.labels)
    for known in ({"constant": first, computed: second}, {computed: second}):
        found = tell_apart([first, replace(second, firing=False)], known.get)
        assert [each.fingerprint for each in found] == ["constant", computed]
