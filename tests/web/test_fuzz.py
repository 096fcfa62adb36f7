"""Any request is answered 2xx or 4xx; the receiver lives on, and can show what it took in."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.web.conftest import Running, payload
from tests.web.test_webhook import alert, body

FEW = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
TEXT = st.text(max_size=40)
TEXTS = st.dictionaries(
    TEXT | st.sampled_from(["alertname", "severity", "severity_level", "signal", "section"]), TEXT, max_size=5
)
MOMENTS = st.datetimes().map(lambda moment: moment.isoformat() + "Z") | st.sampled_from(
    ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999+23:59", "2026-11-23T02:28:11.821123456+05:30", "1e12", ""]
)
ALERTS = st.builds(
    alert,
    status=st.sampled_from(["firing", "firing", "resolved"]),
    labels=TEXTS,
    annotations=TEXTS,
    startsAt=MOMENTS,
    endsAt=MOMENTS,
    fingerprint=st.sampled_from(["a", "b", ""]) | TEXT,
    generatorURL=TEXT,
)
BODIES = st.builds(lambda alerts, labels, truncated: body(*alerts, groupLabels=labels, truncatedAlerts=truncated),
                   st.lists(ALERTS, max_size=4), TEXTS, st.integers(0, 3))  # fmt: skip
ACTIONS = st.sampled_from(["acknowledge", "resolve", "escalate", "notes", "updates", "replan", "nonsense"])
SAID = st.fixed_dictionaries(
    {},
    optional={
        "by": TEXT,
        "note": TEXT,
        "state": st.sampled_from(["open", "acknowledged", "resolved", "closed", "?"]),
        "force": st.booleans(),
        "hold": st.sampled_from(["2h", "10y", "0s", "soon"]),
    },
)


def dump(document: Any) -> bytes:
    """JSON as any sender may write it: NaN and lone surrogates included."""
    return json.dumps(document).encode()


def damaged(data: st.DataObject) -> bytes:
    """A real body, with some bytes replaced."""
    content = bytearray(payload("mixed_firing_resolved"))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    return bytes(content)


@FEW
@given(content=st.binary(max_size=200) | ANY_JSON.map(dump) | BODIES.map(dump))
async def test_any_body(receiver: Running, content: bytes) -> None:
    """No body, nonsense or almost right, makes a 500; what was taken in can be listed, shown and scraped."""
    status, answer = await receiver.post("/webhook/alertmanager", content)
    assert status in {200, 400}
    for number in answer["incidents"] if status == 200 else ():
        for path in ("", "/timeline", "/alerts", "/notifications"):
            assert (await receiver.get(f"/api/v1/incidents/{number}{path}"))[0] == 200
    assert (await receiver.get("/"))[0] == 200


@FEW
@given(data=st.data())
async def test_damaged_body(receiver: Running, data: st.DataObject) -> None:
    """A real body that was damaged on the way is taken or refused, never a 500."""
    status, _ = await receiver.post("/webhook/alertmanager", damaged(data))
    assert status in {200, 400}


@FEW
@given(
    query=TEXT, path=st.text(st.characters(codec="utf-8"), max_size=20), header=st.text("abc:,=\"' \t\xe9", max_size=20)
)
async def test_any_address(receiver: Running, query: str, path: str, header: str) -> None:
    """No source, path, query or header makes a 500 or a redirect."""
    quoted = quote(path, safe="")
    headers = {"Authorization": header.strip(), "Idempotency-Key": header.strip()}
    status, _ = await receiver.post(
        f"/webhook/alertmanager?source={quote(query)}", payload("repeat_1"), headers=headers
    )
    assert status == 200
    for address in (f"/api/v1/incidents/{quoted}", f"/api/v1/incidents?search={quoted}&type={quoted}", f"/{quoted}"):
        status, _ = await receiver.get(address, headers=headers)
        assert status < 300 or 400 <= status < 500


@FEW
@given(steps=st.lists(st.tuples(ACTIONS, SAID | ANY_JSON), max_size=6))
async def test_any_actions(receiver: Running, steps: list[tuple[str, Any]]) -> None:
    """No sequence of actions, right or wrong, makes a 500, and the incident stays readable."""
    _, declared = await receiver.post("/api/v1/incidents", {"type": "engine_failure"})
    one = f"/api/v1/incidents/{declared['number']}"
    for action, said in steps:
        assert (await receiver.post(f"{one}/{action}", dump(said)))[0] in {200, 400, 404, 409}
        assert (await receiver.ask("PATCH", one, dump(said)))[0] in {200, 400, 409}
    assert (await receiver.get(one))[0] == 200
    assert (await receiver.get(f"{one}/timeline"))[0] == 200


@pytest.mark.parametrize("query", ["%ff", "%ed%a0%80", "%00", "a" * 5000, "%F0%9F%92%A5"])
async def test_odd_sources(receiver: Running, query: str) -> None:
    """A source that is no text, or endless, still gets its alerts in."""
    assert (await receiver.post(f"/webhook/alertmanager?source={query}", payload("repeat_1")))[0] == 200
    assert (await receiver.get("/api/v1/incidents"))[0] == 200
