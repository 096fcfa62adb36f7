"""Evidence files and legal holds: records cannot be removed; content goes only by a redaction."""

import pytest

from receiver.core.events import AttachFile, Close, PlaceHold, RedactFile, ReleaseHold
from receiver.core.evidence_files import LONGEST_NAME, MOST_FILES, safe_name
from receiver.core.model import Fact, State
from tests.core.world import World

A, B = "a" * 64, "b" * 64


def attach(world: World, sha256: str = A, name: str = "recorder.bin", note: str = "from the ground station") -> str:
    """Ada attaches a file of that content; returns why not."""
    refusal = world.act(AttachFile("ada", name, sha256, 1234, f"upload-{sha256[:4]}", note))
    return refusal.reason if refusal else ""


def closed() -> World:
    """An incident that is over and closed."""
    world = World()
    world.fire("a")
    world.acknowledge()
    world.clear("a")
    world.resolve()
    world.act(Close("ben", "read it all"))
    assert world.incident.state is State.CLOSED
    return world


@pytest.mark.parametrize("is_closed", [False, True])
def test_a_file_is_kept_with_hash_size_person_time_and_note(is_closed: bool) -> None:
    """Of an incident that is open or closed: the record and the timeline have all of it."""
    world = closed() if is_closed else World()
    if not is_closed:
        world.fire("a")
    assert not attach(world)
    [kept] = world.incident.response.files
    assert (kept.id, kept.name, kept.sha256, kept.size) == ("e1", "recorder.bin", A, 1234)
    assert (kept.by, kept.at, kept.note) == ("ada", world.now, "from the ground station")
    [line] = world.entries(Fact.FILE_ATTACHED)
    assert line.by == "ada"
    assert line.data | {"note": ""} == {
        "file": "e1", "name": "recorder.bin", "size": "1234", "sha256": A, "note": "",
    }  # fmt: skip


def test_the_same_content_again_is_a_record_of_its_own() -> None:
    """Two persons may attach the same file: who did so, and when, is kept of both."""
    world = World()
    world.fire("a")
    attach(world)
    attach(world, name="copy.bin")
    assert [(each.id, each.sha256) for each in world.incident.response.files] == [("e1", A), ("e2", A)]


def test_a_redaction_removes_content_and_keeps_the_record() -> None:
    """Hash, size, who and when stay; who removed it and why is added; the other records of the content say so too."""
    world = World()
    world.fire("a")
    attach(world)
    attach(world, B)
    attach(world, name="copy.bin")
    assert world.act(RedactFile("root", "e1", "")) is not None  # no reason
    effects = world.decide(RedactFile("root", "e1", "names a patient"), world.incident.id)
    assert [(each.sha256, each.upload) for each in effects.files] == [(A, "")]
    first, second, third = world.incident.response.files
    assert (first.sha256, first.size, first.by) == (A, 1234, "ada")
    assert (first.redacted_by, first.redacted_at, first.redacted_why) == ("root", world.now, "names a patient")
    assert (second.redacted_at, third.redacted_at) == (None, world.now)
    assert [each.data["file"] for each in world.entries(Fact.FILE_REDACTED)] == ["e1", "e3"]
    again = world.act(RedactFile("root", "e3", "again"))
    assert again is not None
    assert again.reason == "root removed the content of e3 already"


def test_what_was_redacted_does_not_come_back() -> None:
    """The very file is refused, with who removed it and why."""
    world = World()
    world.fire("a")
    attach(world)
    world.act(RedactFile("root", "e1", "names a patient"))
    assert attach(world) == ("this very file was attached as e1 before, and root removed it, because: names a patient")


def test_an_incident_has_so_many_files_at_most() -> None:
    """The one after that is refused, and told why."""
    world = World()
    world.fire("a")
    for number in range(MOST_FILES):
        assert not attach(world, f"{number:064}")
    assert attach(world, B) == "the incident has 100 files already, and can have no more; put several into one"
    assert len(world.incident.response.files) == MOST_FILES


def test_under_legal_hold_nothing_is_redacted_until_all_are_released() -> None:
    """Two matters are two holds: one that is released leaves the other in force."""
    world = World()
    world.fire("a")
    attach(world)
    assert world.act(PlaceHold("cleo", "")) is not None
    world.act(PlaceHold("cleo", "claim 17 of the airline"))
    world.act(PlaceHold("cleo", "inquiry of the authority"))
    refused = world.act(RedactFile("root", "e1", "names a patient"))
    assert refused is not None
    assert refused.reason == "the incident is under legal hold (h1, h2): nothing of it goes"
    assert world.act(ReleaseHold("cleo", "h1", "settled")) is None
    assert world.incident.is_on_hold
    assert world.act(RedactFile("root", "e1", "names a patient")) is not None
    assert world.act(ReleaseHold("cleo", "h2", "inquiry ended")) is None
    assert not world.incident.is_on_hold
    assert world.act(RedactFile("root", "e1", "names a patient")) is None
    first, _ = world.incident.response.holds
    assert (first.by, first.reason, first.released_by, first.released_why) == (
        "cleo", "claim 17 of the airline", "cleo", "settled",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("action", "why"),
    [
        (ReleaseHold("cleo", "h7", "settled"), "the incident has no legal hold h7; it has h1"),
        (ReleaseHold("cleo", "h1", ""), "releasing a legal hold needs a reason"),
        (RedactFile("root", "e9", "x"), "the incident has no evidence file e9; it has none"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(action: ReleaseHold | RedactFile, why: str) -> None:
    """With what there is instead."""
    world = World()
    world.fire("a")
    world.act(PlaceHold("cleo", "claim 17"))
    refused = world.act(action)
    assert refused is not None
    assert refused.reason == why


def test_a_hold_is_released_once() -> None:
    """The second release says who did it before."""
    world = closed()
    world.act(PlaceHold("cleo", "claim 17"))
    world.act(ReleaseHold("cleo", "h1", "settled"))
    refused = world.act(ReleaseHold("ben", "h1", "settled"))
    assert refused is not None
    assert refused.reason == "cleo released h1 already"


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("recorder.bin", "recorder.bin"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ada\\log 1.txt", "log 1.txt"),
        ("..", "unnamed"),
        ("", "unnamed"),
        (".htaccess", "htaccess"),
        ("a\r\nSet-Cookie: x=1\0.txt", "aSet-Cookie x=1.txt"),
        ("gnp.\u202etxt.exe", "gnp.txt.exe"),
        ('"><script>.html', "script.html"),
        ("übung ✈.pdf", "übung ✈.pdf"),
        (f"{'x' * 300}.json", f"{'x' * (LONGEST_NAME - 5)}.json"),
        ("x" * 300, "x" * LONGEST_NAME),
    ],
)
def test_a_name_leads_nowhere_and_shows_what_it_is(name: str, safe: str) -> None:
    """No folders, no control characters, nothing that turns the direction of writing, not too long."""
    assert safe_name(name) == safe
