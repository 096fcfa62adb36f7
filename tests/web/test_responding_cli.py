"""Working on an incident from a shell: each command does what the API does, and says what came of it."""

import asyncio
import sys

from rules.channel_types import ends_of
from tests.web.conftest import Running


async def tocsin(receiver: Running, *words: str, answer: str = "") -> tuple[int, str]:
    """Run the command against the receiver; exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "receiver.cli", *words, "--url", receiver.url),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate(answer.encode())
    return process.returncode or 0, " ".join(out.decode().split())


async def test_checklists_and_handover(receiver: Running) -> None:
    """Steps are shown and ticked with evidence; the owner changes."""
    await receiver.post("/api/v1/incidents", {"type": "engine_failure"})
    assert "immediate_actions.1 Activate engine failure procedures" in (await tocsin(receiver, "steps", "1"))[1]
    code, said = await tocsin(receiver, "tick", "#1", "immediate_actions.1", "--by", "ada", "--note", "both")
    assert (code, "x immediate_actions.1 Activate engine failure procedures ada both" in said) == (0, True)
    code, said = await tocsin(receiver, "handover", "1", "ben")
    assert (code, "acknowledge it instead" in said) == (1, True)
    await receiver.post("/api/v1/incidents/1/acknowledge", {})
    assert "owner: ben" in (await tocsin(receiver, "handover", "1", "ben"))[1]


async def test_an_update_is_written(receiver: Running) -> None:
    """It goes to everybody who was told, and the timeline has it."""
    await receiver.post("/api/v1/incidents", {"type": "engine_failure"})
    await receiver.post("/api/v1/incidents/1/acknowledge", {"by": "ada"})
    assert (await tocsin(receiver, "update", "1", "the backup engine runs", "--by", "ada"))[0] == 0
    _, messages = await receiver.get("/api/v1/incidents/1/notifications")
    told = {each["recipient"] for each in messages["notifications"] if each["kind"] == "update"}
    assert {
        "incident-response@company.com",
        "management@company.com",
        "#incident-response",
        ends_of("+1234567890"),
    } <= told


async def test_help_and_giving_back(receiver: Running) -> None:
    """Who has it asks for help and keeps it, asks no more, and gives it back; what cannot be is refused in words."""
    await receiver.post("/api/v1/incidents", {"type": "engine_failure"})
    assert "nobody has the incident" in (await tocsin(receiver, "give-back", "1"))[1]
    await receiver.post("/api/v1/incidents/1/acknowledge", {"by": "amir"})
    code, said = await tocsin(receiver, "escalate", "1", "--by", "amir")
    assert (code, "owner: amir" in said) == (0, True)
    assert "asked for help, and nobody else has answered yet: amir" in said
    assert "asked for help" not in (await tocsin(receiver, "withdraw", "1", "--by", "amir"))[1]
    code, said = await tocsin(receiver, "give-back", "1", "--by", "amir", "--note", "my shift ends")
    assert (code, "owner" in said) == (0, False)


async def test_several_are_acknowledged(receiver: Running) -> None:
    """Numbers or a level; the answer lists what was taken, and the exit code says whether that was all."""
    for level in (3, 3, 3, 4):
        await receiver.post("/api/v1/incidents", {"type": "engine_failure", "level": level})
    assert await tocsin(receiver, "acknowledge", "1", "#2") == (0, "acknowledged: #1, #2")
    code, said = await tocsin(receiver, "acknowledge", "1", "9")
    assert (code, said) == (1, "acknowledged: #1 not taken: #9: there is none")
    assert await tocsin(receiver, "acknowledge", "--all", "--level", "3") == (0, "acknowledged: #3")
    for words in (
        ["acknowledge"],
        ["acknowledge", "--all"],
        ["acknowledge", "4", "--level", "4"],
        ["acknowledge", "4", "x"],
    ):
        assert (await tocsin(receiver, *words))[0] == 2, words
    assert (await receiver.get("/api/v1/incidents/4"))[1]["state"] == "open"


async def test_an_unknown_type_is_asked_back(receiver: Running) -> None:
    """A slip of the pen opens nothing and names what may be meant; a new type is said to be one."""
    code, said = await tocsin(receiver, "declare", "engin_failure")
    assert (code, "did you mean engine_failure?" in said, "--type-is-new" in said) == (1, True, True)
    assert (await tocsin(receiver, "declare", "coffee", "--type-is-new"))[0] == 0


async def test_notices_are_read_before_they_are_approved(receiver: Running) -> None:
    """Without a hash the text is shown and asked about; no is no, yes sends exactly it."""
    await receiver.post("/api/v1/incidents", {"type": "engine_failure"})
    await receiver.post("/api/v1/incidents/1/acknowledge", {})
    code, said = await tocsin(receiver, "approve", "1", "n1", answer="n\n")
    assert (code, "INCIDENT ALERT: emergency - engine_failure" in said) == (1, True)
    assert "it cannot be approved: its contact is not yet known" in said
    assert (await tocsin(receiver, "approve", "1", "n1", answer="y\n"))[0] == 1
    code, said = await tocsin(receiver, "edit-notice", "1", "n1", "--text", "Contact: status@company.com")
    assert (code, "Contact: status@company.com" in said) == (0, True), said
    assert (await tocsin(receiver, "edit-notice", "1", "n7", "--text", "x"))[0] == 1
    code, said = await tocsin(receiver, "approve", "1", "n1", answer="y\n")
    assert (code, "n1 sent: external_notification" in said) == (0, True)
    assert (await tocsin(receiver, "reject", "1", "n1"))[0] == 1


async def test_follow_ups(receiver: Running) -> None:
    """An action is written down and done."""
    await receiver.post("/api/v1/incidents", {"type": "engine_failure"})
    due = "2026-12-24T12:00:00Z"
    code, said = await tocsin(receiver, "follow-up", "1", "Inspect it", "--owner", "ben", "--due", due)
    assert (code, "f1 Inspect it ben 2026-12-24 12:00:00 UTC" in said) == (0, True), said
    assert "x f1 Inspect it" in (await tocsin(receiver, "follow-up-done", "1", "f1"))[1]
