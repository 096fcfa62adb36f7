"""Every captured payload, in the order Alertmanager sent them, and the incidents that must come of it."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from receiver.clients.alert_payload import LARGE, parse
from rules.policy import MINUTE, SECOND
from tests.web.conftest import START, Running, payload

Shape = dict[str, Any]


def incident(state: str, level: int, firing: int, **more: Any) -> Shape:
    """What is expected of one incident."""
    return {"state": state, "level": level, "firing": firing, **more}


STORIES: dict[str, tuple[tuple[str, ...], list[Shape]]] = {
    "one alert fires": (
        ("single_firing",),
        [incident("open", 3, 1, title="Error rate above 5% on api, 10.0.0.1:9090")],
    ),
    "it clears: verified first": (
        ("single_firing", "single_resolved"),
        [incident("open", 3, 0, recovery="verifying")],
    ),
    "it fires again while that is verified": (
        ("single_firing", "single_resolved", "single_refire"),
        [incident("open", 3, 1, recovery="", recurrences=0)],
    ),
    "its resolve got lost: the refire says so by its start": (
        ("single_firing", "single_refire"),
        [incident("open", 3, 1)],
    ),
    "a resolve of what we never knew opens nothing": (("single_resolved",), []),
    "six alerts of one group are one incident of the highest level": (
        ("group_firing",),
        [incident("open", 3, 6, firing_by_level={"1": 0, "2": 3, "3": 3, "4": 0})],
    ),
    "all six clear": (("group_firing", "group_resolved"), [incident("open", 3, 0, recovery="verifying")]),
    "a mixed group is taken alert by alert": (("mixed_firing_resolved",), [incident("open", 2, 2, recovery="")]),
    "a repeat changes nothing": (("repeat_1", "repeat_2"), [incident("open", 2, 1, version=1)]),
    "a truncated group is what it lists": (("truncated_firing",), [incident("open", 2, 2)]),
    "a truncated group that says resolved is not believed": (
        ("truncated_firing", "truncated_status_lies"),
        [incident("open", 2, 0, recovery="verifying")],
    ),
    "unknown severity is the policy's default": (
        ("unicode_emoji",),
        [incident("open", 3, 1, type="Диск переполнен 💥")],
    ),
    "silenced from the start": (("silenced_then_expired_firing",), [incident("open", 3, 1)]),
    "its resolve after the silence": (
        ("silenced_then_expired_firing", "silenced_then_expired_resolved"),
        [incident("open", 3, 0, recovery="verifying")],
    ),
    "no resolve is ever sent": (("send_resolved_false",), [incident("open", 3, 1)]),
    "a child route": (("nested_route",), [incident("open", 3, 1)]),
    "Grafana fires: two instances of a rule are one incident": (
        ("senders/grafana_firing",),
        [incident("open", 3, 2, title="Queue of m1 is too long")],
    ),
    "Grafana resolves": (
        ("senders/grafana_firing", "senders/grafana_resolved"),
        [incident("open", 3, 0, recovery="verifying")],
    ),
    "Grafana's missing data is an alert of its own": (
        ("senders/grafana_no_data",),
        [incident("open", 3, 1, type="DatasourceNoData")],
    ),
    "vmalert by way of Alertmanager": (("senders/vmalert_firing",), [incident("open", 2, 1)]),
    "vmalert resolves": (
        ("senders/vmalert_firing", "senders/vmalert_resolved"),
        [incident("open", 2, 0, recovery="verifying")],
    ),
    "Mimir's Alertmanager": (("senders/mimir_firing",), [incident("open", 1, 1)]),
    "Mimir resolves": (
        ("senders/mimir_firing", "senders/mimir_resolved"),
        [incident("open", 1, 0, recovery="verifying")],
    ),
    "without group_by, alert names are incidents": (
        ("group_by_empty",),
        [incident("open", 3, 1, type="X2"), incident("open", 3, 1, type="X1")],
    ),
    "same name, other group: another incident": (
        ("single_firing", "nested_route", "send_resolved_false"),
        [incident("open", 3, 1), incident("open", 3, 1), incident("open", 3, 1)],
    ),
}


@pytest.mark.parametrize(("names", "expected"), STORIES.values(), ids=STORIES.keys())
async def test_story(receiver: Running, names: tuple[str, ...], expected: list[Shape]) -> None:
    """The payloads, sent in order, make exactly these incidents (the newest first)."""
    await receiver.send(*names)
    _, answer = await receiver.get("/api/v1/incidents")
    assert len(answer["incidents"]) == len(expected)
    for found, wanted in zip(answer["incidents"], expected, strict=True):
        assert {name: found[name] for name in wanted} == wanted


async def test_every_payload_twice(receiver: Running) -> None:
    """Retries, and a second Alertmanager's copies, change nothing: no incident, no version, no notification."""
    names = ["group_firing", "mixed_firing_resolved", "unicode_emoji", "group_by_empty", "truncated_firing"]
    before = await receiver.send(*names)
    _, first = await receiver.get("/api/v1/incidents")
    for name in names:
        copy = payload(name).replace(b"http://am.example.test/alertmanager", b"http://am-2.example.test")
        status, _ = await receiver.post("/webhook/alertmanager", copy)
        assert status == 200
    assert await receiver.send(*names) == before
    assert (await receiver.get("/api/v1/incidents"))[1] == first


async def test_truncated_group_is_not_resolved_by_itself(receiver: Running) -> None:
    """Of a truncated group unlisted alerts may still fire: no all-clear without a person."""
    await receiver.send("truncated_firing", "truncated_status_lies")
    await receiver.pass_time(6 * MINUTE)
    _, found = await receiver.get("/api/v1/incidents/1")
    assert (found["state"], found["recovery"]) == ("open", "unverified")


async def test_whole_group_resolves_by_itself(receiver: Running) -> None:
    """A group that was told whole resolves after `resolve_after`, and not a second before."""
    await receiver.send("group_firing", "group_resolved")
    await receiver.pass_time(5 * MINUTE - SECOND)
    assert (await receiver.get("/api/v1/incidents/1"))[1]["state"] == "open"
    await receiver.pass_time(SECOND)
    assert (await receiver.get("/api/v1/incidents/1"))[1]["state"] == "resolved"


async def test_refire_after_resolution_reopens(receiver: Running) -> None:
    """Firing again while it is watched reopens the same incident and counts it."""
    await receiver.send("single_firing", "single_resolved")
    await receiver.pass_time(6 * MINUTE)
    assert await receiver.send("single_refire") == [[1]]
    _, found = await receiver.get("/api/v1/incidents/1")
    assert (found["state"], found["recurrences"], found["firing"]) == ("open", 1, 1)


async def test_receiver_and_group_key_are_no_identity(receiver: Running) -> None:
    """One alert that reaches us through two receivers, or after a route was edited, is one incident."""
    await receiver.send("single_firing")
    moved = (
        payload("single_firing")
        .replace(b'"receiver":"single"', b'"receiver":"we\\\\.ird"')
        .replace(b"{}/{t=", b"{}/{u=")
    )
    assert await receiver.post("/webhook/alertmanager", moved) == (200, {"incidents": [1]})


async def test_source_is_identity(receiver: Running) -> None:
    """The same alert from two sources is two incidents."""
    assert await receiver.send("single_firing", source="eu") == [[1]]
    assert await receiver.send("single_firing", source="us") == [[2]]
    assert (await receiver.get("/api/v1/incidents/2"))[1]["source"] == "us"


async def test_text_survives(receiver: Running) -> None:
    """What the alert said comes out as it went in: emoji, RTL marks, control characters, markup."""
    await receiver.send("unicode_emoji")
    _, found = await receiver.get("/api/v1/incidents/1")
    annotations = found["alerts"][0]["annotations"]
    assert "👩‍👩‍👧‍👦" in annotations["description"]
    assert "\u0001ctl \u2028 <script>" in annotations["description"]
    assert "\u202ertl\u202c" in annotations["summary"]
    assert found["title"].startswith("データベース接続不可 🚨")
    assert found["alerts"][0]["level_note"] == "severity 'критично' is unknown; taken as level 3"


async def test_page_is_escaped(receiver: Running) -> None:
    """The console shows markup in a title as text."""
    body = payload("single_firing").replace(b"Error rate above 5% on api", b"<script>alert(1)</script>")
    await receiver.post("/webhook/alertmanager", body)
    _, page = await receiver.get("/")
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>" not in page


def test_a_large_body_is_read_as_a_small_one_is() -> None:
    """Read slice by slice, each alert is what it is alone; one that does not fit is named by its place in the whole body."""
    one = json.loads(payload("single_firing"))
    (alert,) = one["alerts"]
    alerts = [{**alert, "fingerprint": f"{number:016x}"} for number in range(1500)]
    body = json.dumps({**one, "alerts": alerts}).encode()
    assert len(body) > LARGE
    (alone,) = parse(json.dumps(one).encode(), START).alerts
    assert parse(body, START).alerts == tuple(replace(alone, fingerprint=each["fingerprint"]) for each in alerts)
    damaged = parse(json.dumps({**one, "alerts": [*alerts[:1200], 7, *alerts[1200:]]}).encode(), START)
    assert [each.index for each in damaged.unreadable] == [1200]
    assert len(damaged.alerts) == 1500
