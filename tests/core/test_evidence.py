"""Verified recovery and evidence, decided in the core: what an answer, a doubt or a silence of Prometheus means."""

import pytest

from receiver.core.evidence import CHECK_WITHIN, EVIDENCE_WITHIN
from receiver.core.inquiry import Answered, Exhibit, Inquiry
from receiver.core.model import Fact, Kind, Recovery, State
from rules.policy import MINUTE, SECOND
from tests.core.world import World


def checking(level: int = 3) -> World:
    """An incident whose recovery has been waited for: now Prometheus is asked."""
    world = World()
    world.verifies = True
    world.fire("a", level=level)
    world.decide(Answered(Inquiry.OPENED, exhibits=(Exhibit("safety_margin", "[]", "0.95"),)))
    world.acknowledge()
    world.advance(1)
    world.clear("a")
    world.advance(5)
    assert (world.incident.recovery, world.incident.inquiries) == (Recovery.CHECKING, (Inquiry.CHECK,))
    return world


def test_no_all_clear_before_the_answer() -> None:
    """After `resolve_after`, nothing is resolved and no all-clear is sent until Prometheus answered."""
    world = checking()
    assert world.incident.state is State.ACKNOWLEDGED
    assert not world.planned(Kind.RESOLVED)


def test_all_is_well_resolves() -> None:
    """The signal is well: it resolves by itself, and the answer stands in the timeline."""
    world = checking()
    world.decide(Answered(Inquiry.CHECK, ok=True, detail="safety_margin is 0.99"))
    assert world.incident.state is State.RESOLVED
    assert world.entries(Fact.CHECKED)[0].data == {"ok": "yes", "detail": "safety_margin is 0.99"}


def test_all_is_well_at_level_4_still_waits_for_a_person() -> None:
    """At level 4 a good answer asks for the confirmation; it does not replace it."""
    world = checking(level=4)
    world.decide(Answered(Inquiry.CHECK, ok=True))
    assert (world.incident.state, world.incident.recovery) == (State.ACKNOWLEDGED, Recovery.CONFIRM)


@pytest.mark.parametrize("ok", [False, None])
def test_still_bad_or_no_data_gives_no_all_clear(*, ok: bool | None) -> None:
    """The condition still holds, or there is no data: recovery unverified, with the answer, until a person resolves."""
    world = checking()
    world.decide(Answered(Inquiry.CHECK, ok=ok, detail="safety_margin < 0.95 still holds: 0.9"))
    assert (world.incident.state, world.incident.recovery) == (State.ACKNOWLEDGED, Recovery.UNVERIFIED)
    assert "still holds" in world.entries(Fact.RECOVERY_UNVERIFIED)[0].data["why"]
    world.advance(600)
    assert not world.planned(Kind.RESOLVED)
    world.resolve()
    assert world.planned(Kind.RESOLVED)


def test_silence_gives_no_all_clear() -> None:
    """No answer in time is no proof: recovery unverified; an answer that comes later changes nothing."""
    world = checking()
    world.advance(seconds=CHECK_WITHIN / SECOND)
    assert world.incident.recovery is Recovery.UNVERIFIED
    assert "no answer" in world.entries(Fact.CHECKED)[0].data["detail"]
    world.decide(Answered(Inquiry.CHECK, ok=True))
    assert world.incident.recovery is Recovery.UNVERIFIED


def test_firing_again_ends_the_check() -> None:
    """It fires while Prometheus is asked: the question is dropped, and a late good answer resolves nothing."""
    world = checking()
    world.fire("b")
    assert world.incident.recovery is Recovery.NONE
    assert Inquiry.CHECK not in world.incident.inquiries
    world.decide(Answered(Inquiry.CHECK, ok=True))
    world.advance(1)
    assert world.incident.state is not State.RESOLVED


def test_a_person_may_resolve_meanwhile() -> None:
    """Who resolves while Prometheus is asked is believed."""
    world = checking()
    world.resolve()
    assert world.incident.state is State.RESOLVED
    assert Inquiry.CHECK not in world.incident.inquiries


def test_evidence_is_asked_for_when_it_opens_and_resolves() -> None:
    """Opening and resolving ask for the signal's course; what comes is kept in the timeline, each once."""
    world = checking()
    world.decide(Answered(Inquiry.CHECK, ok=True))
    assert world.incident.inquiries == (Inquiry.RESOLVED,)
    answer = Answered(Inquiry.RESOLVED, exhibits=(Exhibit("safety_margin", "[]", "0.95"),))
    world.decide(answer)
    world.decide(answer)
    assert [entry.data["inquiry"] for entry in world.entries(Fact.EVIDENCE)] == ["opened", "resolved"]
    assert world.incident.inquiries == ()


def test_evidence_that_does_not_come_is_said() -> None:
    """Evidence that could not be had in time is recorded as missing, and not asked for any more."""
    world = World()
    world.verifies = True
    world.fire("a")
    world.advance(EVIDENCE_WITHIN / MINUTE)
    assert [entry.data["inquiry"] for entry in world.entries(Fact.EVIDENCE_MISSING)] == ["opened"]
    assert world.incident.inquiries == ()


def test_without_prometheus_nothing_is_asked() -> None:
    """Without PROMETHEUS_URL it concludes as ever, and no inquiry is ever open."""
    world = World()
    world.fire("a")
    world.acknowledge()
    world.clear("a")
    world.advance(5)
    assert world.incident.state is State.RESOLVED
    assert world.incident.inquiries == ()
