"""What fires now, in words: which units, how many, with what value, and where more is to be seen."""

import pytest
from msgspec.structs import replace

from receiver.messages.now_firing import NowFiring
from tests.core.alerts import alert
from tests.messages.samples import INCIDENT


def firing(*labels, values=(), of=0, **notes):
    """An incident's alerts with these labels and values; `of` them fire in all."""
    alerts = [
        replace(
            alert(str(number), 4),
            labels={"alertname": "Down", "job": "db", **each},
            annotations={**notes, **({"value": values[number]} if values else {})},
        )
        for number, each in enumerate(labels)
    ]
    return NowFiring(replace(INCIDENT, firing=(0, 0, 0, of or len(alerts))), alerts)


UNITS = {
    "one label differs": ([{"shard": "a"}, {"shard": "b"}], "2 firing: a, b"),
    "a unit's label tells them apart": (
        [{"instance": "db1", "ip": "1"}, {"instance": "db2", "ip": "2"}],
        "2 firing: db1, db2",
    ),
    "it does not": (
        [{"pod": "a", "container": "x"}, {"pod": "a", "container": "y"}, {"pod": "b", "container": "x"}],
        "3 firing: container=x pod=a, container=y pod=a, container=x pod=b",
    ),
    "nothing differs": ([{}, {}], "2 firing"),
    "alone": ([{"instance": "db1"}], "1 firing: db1"),
    "alone, without a unit": ([{}], "1 firing"),
}


@pytest.mark.parametrize(("labels", "said"), UNITS.values(), ids=UNITS)
def test_units_are_named_by_what_tells_them_apart(labels, said):
    """By one label where that is enough, by all that differ where it is not."""
    assert firing(*labels).counted == said


IDENTIFIED = {
    "alone": ([{"instance": "10.0.0.7:9100", "line": "L3"}], "1 firing: L3"),
    "alone, by two labels": ([{"instance": "10.0.0.7:9100", "line": "L3", "belt": "2"}], "1 firing: line=L3 belt=2"),
    "alone, of a system that is one unit": ([{"instance": "10.0.0.7:9100"}], "1 firing"),
    "several": ([{"instance": "a", "line": "L3"}, {"instance": "b", "line": "L4"}], "2 firing: L3, L4"),
}


@pytest.mark.parametrize(("labels", "said"), IDENTIFIED.values(), ids=IDENTIFIED)
def test_a_signal_with_an_identity_is_named_by_it(labels, said):
    """The policy states which labels tell its units apart: Prometheus' `instance` is where they are measured."""
    now = firing(*({"signal": "belt_speed", **each} for each in labels))
    assert under(now, {"belt_speed": ("line", "belt")}).counted == said


def under(now, identities):
    """The same, under a policy that states these identities."""
    return NowFiring(now.incident, now.alerts, identities=identities)


def test_more_than_were_read_are_counted():
    """Five are named with their values; the others are a number."""
    units = [{"pod": f"web-{number}"} for number in range(10)]
    said = firing(*units, values=["1"] * 10, of=200).counted
    assert said == "200 firing: web-0 (1), web-1 (1), web-2 (1), web-3 (1), web-4 (1) and 195 more"


def test_nothing_fires():
    """Then there is no unit, no value, no link, and the title is the incident's."""
    now = NowFiring(replace(INCIDENT, firing=(0, 0, 0, 0)), [])
    assert (now.counted, now.value, now.links, now.since, now.title) == ("", "", (), None, INCIDENT.title)
    assert (now.units, now.description, now.document["alerts"], now.addresses) == ((), "", [], ())


def test_title_and_value_are_of_one_alert():
    """The alert that gave the incident's title is the one whose value stands beside it."""
    now = firing({"pod": "a"}, {"pod": "b"}, values=["1", "2"])
    alerts = [
        replace(each, annotations={**each.annotations, "summary": f"pod {n}"}) for n, each in enumerate(now.alerts)
    ]
    shown = NowFiring(replace(now.incident, title="pod 1 on b"), alerts)
    assert (shown.title, shown.value) == ("pod 1 on b", "2")
    assert NowFiring(replace(now.incident, title="pod 7"), alerts).title == "pod 0 on a"


def test_the_description_leaves_the_value_out():
    """What stands beside it is not told twice; a description that says no more than the title is none."""
    ours = {"tocsin": "1", "summary": "x is below 3: 1", "description": "The gear is weak. x is 1."}
    assert firing({}, values=["1"], **ours).description == "The gear is weak."
    assert firing({}, values=["1"], **{**ours, "description": "x is 1."}).description == ""
    assert firing({}, summary="Disk full", description="Disk full.").description == ""


def test_links_are_of_the_first_alert_that_has_them():
    """Ours and others' names for runbook, dashboard and panel; nothing that a browser should not open."""
    now = firing({}, runbook="https://r.example/1", dashboardURL="https://g.example/d", panel_url="ftp://g.example/p")
    assert now.runbook == "https://r.example/1"
    assert now.links == (("Dashboard", "https://g.example/d"),)
