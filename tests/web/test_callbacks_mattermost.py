"""Mattermost's button: proved by its token, in the name of who pressed, once, and answered with what is true."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.core.model import Instant
from receiver.web.auth.message_tokens import ANSWERS, BOUNCES, MessageTokens
from receiver.web.auth.signing import Signing
from rules.load import load_text
from rules.policy import HOUR
from tests.channels.providers.mattermost import CHANNEL, DANA, TOKEN
from tests.web.conftest import Running, begin_with
from tests.web.test_fuzz import ANY_JSON, TEXT, dump
from tests.web.test_fuzz_callbacks import SOME, lives

PATH = "/callbacks/mattermost"
POLICY = f"""\
incident_response:
  alert_channels: [{{name: chat, type: mattermost, channel: {CHANNEL}}}]
  detection:
    rules: [{{name: margin, condition: "margin < 0.95", severity: 4, channels: [chat]}}]
people: [{{name: dana, contacts: {{mattermost: {DANA}}}}}]
"""


@pytest.fixture
async def receiver() -> AsyncIterator[Running]:
    """A receiver with one open incident, which Mattermost can reach."""
    environ = {"TOCSIN_MATTERMOST_TOKEN": TOKEN, "TOCSIN_MATTERMOST_API_URL": "http://127.0.0.1:1"}
    async with begin_with(load_text(POLICY).policy, **environ, TOCSIN_EXTERNAL_URL="http://127.0.0.1:1") as receiver:
        assert (await receiver.post("/api/v1/incidents", {"type": "margin", "level": 4}, headers=LOCAL))[0] == 201
        yield receiver


LOCAL = {"Host": "127.0.0.1:1"}


def token(receiver: Running, purpose: str = ANSWERS) -> str:
    """The token of the incident's first message."""
    incident = receiver.store.reads().by_number(1)
    assert incident is not None
    tokens = MessageTokens(Signing(receiver.store.key, receiver.clock), receiver.store.installation, purpose)
    return tokens.make(incident, f"{incident.id}-1")


def press(given: str, user: str = DANA, name: str = "dana.k", trigger: str = "t1") -> dict[str, Any]:
    """What Mattermost's server posts."""
    return {"user_id": user, "user_name": name, "trigger_id": trigger, "post_id": "p", "context": {"token": given}}


async def state(receiver: Running) -> tuple[str, str | None]:
    _, found = await receiver.get("/api/v1/incidents/1", headers=LOCAL)
    return found["state"], found["acknowledged_by"]


async def test_a_press_acknowledges_once(receiver: Running) -> None:
    """A press acts in the name of the policy's person with that id, who alone is told; the same press acts once."""
    for _ in range(2):
        status, answer = await receiver.post(PATH, press(token(receiver)))
        assert status == 200
        assert answer["ephemeral_text"].startswith("#1 is acknowledged by dana.")
        assert await state(receiver) == ("acknowledged", "dana")
    assert len(receiver.store.newest_audits(10)) == 2, "declared, acknowledged"
    ((_, audit),) = receiver.store.newest_audits(1)
    assert (audit.via, audit.address) == ("mattermost", DANA)


async def test_a_late_press_is_told_what_is_true(receiver: Running) -> None:
    """Who presses after another person, or after a day, changes nothing; a chosen name stands with its id."""
    await receiver.post(PATH, press(token(receiver), "u1", "dana"))
    assert await state(receiver) == ("acknowledged", "dana (Mattermost u1)")
    _, answer = await receiver.post(PATH, press(token(receiver), trigger="t2"))
    assert "Nothing was done" in answer["ephemeral_text"]
    receiver.clock.now = Instant(receiver.clock.now + 25 * HOUR)
    _, answer = await receiver.post(PATH, press(token(receiver), trigger="t3"))
    assert answer["ephemeral_text"].startswith("Nothing was done, because this message is older than a day.")


@pytest.mark.parametrize("forged", ["", "1-1-aaaaaaaaaaaaaaaaa", "another purpose"])
async def test_a_token_that_tocsin_did_not_make_is_refused(receiver: Running, forged: str) -> None:
    """Mattermost signs nothing, so a press without a valid token is refused, and does nothing."""
    given = token(receiver, BOUNCES) if forged == "another purpose" else forged
    assert (await receiver.post(PATH, press(given)))[0] == 401
    assert await state(receiver) == ("open", None)


PRESS = st.fixed_dictionaries(
    {"context": ANY_JSON | st.fixed_dictionaries({"token": ANY_JSON | st.just("TOKEN")})},
    optional={"user_id": ANY_JSON, "user_name": ANY_JSON | TEXT, "trigger_id": ANY_JSON},
)


@SOME
@given(body=st.binary(max_size=60) | (PRESS | ANY_JSON).map(dump))
async def test_any_press(receiver: Running, body: bytes) -> None:
    """Nonsense and near misses make no 500, and the receiver lives on."""
    sent = body.replace(b"TOKEN", token(receiver).encode())
    assert (await receiver.post(PATH, sent))[0] in {200, 400, 401}
    await lives(receiver)
