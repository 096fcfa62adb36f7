"""Paging: escalation steps, fallbacks, and the recipients of each kind of news.

In doubt a page is sent: an unnecessary page is better than a lost one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec.structs import replace

from receiver.core import personal_reach
from receiver.core.draft import NO_WORDS, Draft
from receiver.core.model import Fact, Instant, Kind, Notification, Page, Reason, State, Status, Target, Window
from receiver.core.rooms import room_of
from rules.channel_types import ChannelFacts
from rules.policy import SECOND

RESCUE_AFTER = 60 * SECOND
"""Microseconds until an unreached page takes the next fallback; a fifth of the escalation time if shorter."""

RECEIPT_AFTER = 90 * SECOND
"""The same for an accepted page whose receipt may still come; three tenths of the escalation time if shorter."""

LAST_PLANNED_STEP = 2
"""Step 2 is the breach: every channel of the level and above. Later steps repeat it."""

FROM_THE_START = frozenset({Reason.OPENED, Reason.RECURRED, Reason.STILL_FIRING})
"""Reasons for which an occurrence of an incident begins: it had no owner before."""

EVERYTHING_WAITING = frozenset(Kind) - {Kind.RESOLVED, Kind.EXTERNAL, Kind.ROOM}


def start_paging(draft: Draft, reason: Reason, words: Mapping[str, str] = NO_WORDS, step: int = 0) -> None:
    """Page from `step` with fresh windows: the response time and the escalation time start now."""
    plan = draft.plan
    if draft.incident.is_paused:
        lift_silence(draft)
    draft.set(
        step=step,
        breached_at=None,
        response_due_at=draft.now + plan.response_time,
        alarm=draft.incident.page.serial + 1,
        alarmed_at=draft.now,
        reached=0,
    )
    personal_reach.forget(draft)
    draft.arm(Window.BREACH, draft.now + plan.response_time)
    if plan.escalation_time < plan.response_time:
        draft.arm(Window.ESCALATE, draft.now + plan.escalation_time)
    else:
        draft.disarm(Window.ESCALATE)
    if plan.acknowledge_within is not None and reason in FROM_THE_START:
        draft.arm(Window.ACKNOWLEDGE_LIMIT, draft.now + plan.acknowledge_within)
    page_step(draft, reason, words)


def lift_silence(draft: Draft) -> None:
    """End the silenced state: the silence is over, or new alerts page in spite of it."""
    if draft.incident.silenced_until is not None:
        draft.set(silenced_until=None, inhibited=False)
        draft.disarm(Window.SILENCE)
        draft.enter(Fact.SILENCE_ENDED)


def worsen(draft: Draft, words: Mapping[str, str]) -> None:
    """The level of an open incident rose: page from step 0, without postponing a running deadline."""
    running, due_at = draft.incident.windows, draft.incident.response_due_at
    start_paging(draft, Reason.NEW_DANGER, words)
    draft.set(response_due_at=min(due_at, draft.incident.response_due_at))
    for window in (Window.ESCALATE, Window.BREACH):
        if window in running:
            draft.arm(window, min(running[window], draft.incident.windows.get(window, running[window])))


def page_step(
    draft: Draft,
    reason: Reason,
    words: Mapping[str, str] = NO_WORDS,
    besides: Sequence[str] = (),
    vacant: Sequence[str] = (),
) -> None:
    """Page the channels of the incident's step, and `besides`.

    A step without recipients is recorded and the next one taken at once. Where no person is on call, the fallback and
    the next step are paged at once. `vacant`: references already recorded as vacant.
    """
    names = dict.fromkeys((*step_channels(draft), *besides))
    page(draft, reason, names, words)
    if vacancies := draft.context.vacant(names):
        draft.set(page=replace(draft.incident.page, vacant=vacancies))
    fresh = [each for each in draft.incident.page.vacant if each not in vacant]
    if fresh:
        say_nobody_on_call(draft, fresh)
    told = draft.incident.page.told
    if not told:
        draft.enter(Fact.STEP_EMPTY, step=draft.incident.step)
    if (fresh or not told) and draft.incident.step < LAST_PLANNED_STEP:
        draft.set(step=draft.incident.step + 1)
        further = reason if reason is Reason.HELP else Reason.ESCALATED
        if reason not in {Reason.HELP, Reason.ESCALATED}:  # the person who declared it has not asked for help
            words = {name: value for name, value in words.items() if name not in {"by", "note"}}
        page_step(draft, further, words, besides, (*vacant, *fresh))
    elif fresh or vacant or not told:
        rescue(draft)


def page_nobody(draft: Draft, vacant: Sequence[str]) -> None:
    """These references became vacant, which is recorded already: page the fallback and the next step."""
    if draft.incident.step < LAST_PLANNED_STEP:
        draft.set(step=draft.incident.step + 1)
        page_step(draft, Reason.HELP if draft.incident.response.asked_by else Reason.ESCALATED, vacant=vacant)
    else:
        rescue(draft)


def say_nobody_on_call(draft: Draft, references: Sequence[str]) -> None:
    """Record references without a reachable person, and people on call without a contact there."""
    people = (person.name for each in references for person in draft.context.people(each) or ())
    draft.enter(Fact.NOBODY_ON_CALL, whom=", ".join(references), unreachable=", ".join(dict.fromkeys(people)))


def step_channels(draft: Draft) -> tuple[str, ...]:
    """The channels of the incident's current step."""
    plan = draft.plan
    return (plan.channels, plan.escalation, plan.breach)[min(draft.incident.step, LAST_PLANNED_STEP)]


def page(draft: Draft, reason: Reason, channels: Iterable[str], words: Mapping[str, str] = NO_WORDS) -> None:
    """Send one page on these channels; it supersedes older ones there and starts the rescue window."""
    draft.set(page=Page(draft.incident.page.serial + 1))
    usable = _usable(draft, reason, channels)
    _await_handoff(draft)
    if not usable:
        return
    targets = personal_reach.targets_of(draft, usable)
    names = _channels(targets)
    draft.set(page=Page(draft.incident.page.serial, tuple(usable)))
    draft.supersede([Kind.PAGE], (*usable, *names))
    if targets:
        page_targets(draft, reason, targets, words)
        draft.enter(Fact.PAGED, reason=reason, channels=", ".join(names), step=draft.incident.step)
        draft.arm(Window.RESCUE, draft.now + rescue_delay(draft))


def page_more(draft: Draft, reason: Reason, channels: Iterable[str], words: Mapping[str, str] = NO_WORDS) -> None:
    """Send the current page to further channels too (a fallback, a joined rule's)."""
    under_way = draft.incident.page
    fresh = _usable(draft, reason, [name for name in channels if name not in under_way.told])
    if not fresh:
        return
    draft.set(page=replace(under_way, told=(*under_way.told, *fresh)))
    targets = _untold(draft, fresh)
    if not targets:
        return  # all have the page, by their own ways or another channel
    page_targets(draft, reason, targets, words)
    draft.enter(Fact.PAGED, reason=reason, channels=", ".join(fresh), step=draft.incident.step)
    if not under_way.delivered and Window.RESCUE not in draft.incident.windows:
        draft.arm(Window.RESCUE, draft.now + rescue_delay(draft))


def _untold(draft: Draft, channels: Iterable[str]) -> tuple[Target, ...]:
    """Targets of these channels without the current page; no person twice in the same way."""
    under_way = draft.incident.page.targets
    told = {personal_reach.way(draft, each) for each in under_way}
    found: dict[Target, None] = {}
    for each in (target for name in channels for target in draft.context.targets(name)):
        way = personal_reach.way(draft, each)
        if each not in under_way and not (draft.context.person(each) and way in told):
            found[each] = None
            told.add(way)
    return tuple(found)


def _usable(draft: Draft, reason: Reason, channels: Iterable[str]) -> list[str]:
    """The channels that can carry a page; the others are recorded as undeliverable."""
    usable = []
    for name in channels:
        if draft.context.usable(name):
            usable.append(name)
        else:
            say_undeliverable(draft, reason, name)
    return usable


def page_as_wanted(draft: Draft) -> None:
    """Send the current page to people whose own steps are due, while it needs an answer."""
    targets = personal_reach.take_due(draft)
    if not targets or not draft.incident.wants_answer or draft.incident.is_paused:
        return
    page_targets(draft, Reason.REACH, targets)
    draft.enter(Fact.PAGED, reason=Reason.REACH, channels=", ".join(_channels(targets)), step=draft.incident.step)


def _channels(targets: Iterable[Target]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(target.channel for target in targets))


def page_targets(draft: Draft, reason: Reason, targets: Iterable[Target], words: Mapping[str, str] = NO_WORDS) -> None:
    """Send the current page to these targets and set the handoff window."""
    targets, under_way = tuple(targets), draft.incident.page
    _expect(draft, targets)
    draft.notify(Kind.PAGE, reason, targets, words)
    under_way = replace(under_way, targets=tuple(dict.fromkeys((*under_way.targets, *targets))))
    draft.set(page=under_way, paged=tuple(dict.fromkeys((*draft.incident.paged, *targets))))
    _await_handoff(draft)


def _await_handoff(draft: Draft) -> None:
    """Set the window to the next change of who is on call by these channels, also the end of a gap."""
    handoff = draft.context.handoff_at((*draft.incident.page.told, *step_channels(draft)))
    if handoff is None:
        draft.disarm(Window.HANDOFF)
    else:
        draft.arm(Window.HANDOFF, handoff)


def say_undeliverable(draft: Draft, reason: Reason, name: str) -> None:
    """Record what a disabled or unconfigured channel cannot carry."""
    why = draft.context.why_unusable(name)
    recipients = draft.context.recipients(name) or ("",)
    targets = draft.context.targets(name) or [Target(name, each) for each in recipients]
    draft.notify(Kind.PAGE, reason, targets, {"why": why}, Status.UNDELIVERABLE)
    draft.enter(Fact.UNDELIVERABLE, channel=name, why=why)


def rescue_delay(draft: Draft) -> int:
    """Microseconds that a page may take to reach a person before the fallback is paged."""
    return min(RESCUE_AFTER, draft.plan.escalation_time // 5)


def await_receipt(draft: Draft) -> None:
    """Give a just accepted message time for its receipt before the next fallback."""
    running = draft.incident.windows.get(Window.RESCUE)
    if running is not None:
        wait = min(RECEIPT_AFTER, draft.plan.escalation_time * 3 // 10)
        draft.arm(Window.RESCUE, max(running, draft.now + wait))


def rescue(draft: Draft, failed: str = "") -> None:
    """Page the first fallback channel not used for this page; record when none is left."""
    page = draft.incident.page
    untold = (name for name in draft.context.fallbacks(draft.incident.level) if name not in page.told)
    name = next((name for name in untold if _untold(draft, [name])), None)
    draft.disarm(Window.RESCUE)
    if name is None:
        draft.enter(Fact.FALLBACK_EXHAUSTED, failed=failed)
        return
    draft.enter(Fact.FALLBACK, channel=name, failed=failed)
    page_more(draft, Reason.FALLBACK, [name], {"failed": failed})


def tell_threads(draft: Draft, kind: Kind, reason: Reason, words: Mapping[str, str] = NO_WORDS) -> None:
    """Send news to the paged recipients whose channels carry news."""
    draft.notify(kind, reason, thread_targets(draft), words)


def thread_targets(draft: Draft) -> list[Target]:
    """Paged targets on channels that carry news; the owner reads them there."""
    return _paged_on(draft, lambda facts: facts.carries_news)


def tell_everybody(
    draft: Draft, kind: Kind, reason: Reason, words: Mapping[str, str] = NO_WORDS, until: Instant | None = None
) -> None:
    """Notify each target told of the incident who is still known, on channels that carry updates, valid `until`."""
    context = draft.context
    told = dict.fromkeys((*draft.incident.paged, *draft.incident.told))
    known = (*(each for each in told if not context.has_left(each)), *room_of(draft.incident))
    targets = [each for each in known if context.carries_updates(each.channel)]
    draft.notify(kind, reason, targets, words, until=until)


def tell_acknowledged(draft: Draft, words: Mapping[str, str] = NO_WORDS) -> None:
    """Notify threads, channels that keep a state per page, and internal stakeholders, each once."""
    targets = dict.fromkeys((*_paged_for_news(draft), *_stakeholders(draft)))
    _acknowledge_pages(draft, Reason.ACTION, targets, words)


def tell_undone(draft: Draft, words: Mapping[str, str] = NO_WORDS) -> None:
    """Tell the recipients of an answer that it was undone; drop its unsent messages."""
    draft.supersede([Kind.ACKNOWLEDGED])
    told = dict.fromkeys((*thread_targets(draft), *_stakeholders(draft)))
    draft.notify(Kind.NOTICE, Reason.UNDONE, told, words)


def keeping_state(draft: Draft) -> list[Target]:
    """Paged targets on channels that keep a state per page."""
    return _paged_on(draft, lambda facts: facts.keeps_state)


def tell_responders(draft: Draft, reason: Reason, words: Mapping[str, str] = NO_WORDS) -> None:
    """Notify threads and channels that keep a state per page of a new owner, or of withdrawn help."""
    _acknowledge_pages(draft, reason, _paged_for_news(draft), words)


def _acknowledge_pages(draft: Draft, reason: Reason, targets: Iterable[Target], words: Mapping[str, str]) -> None:
    first = max(draft.incident.pages_acknowledged, draft.incident.pages_closed) + 1
    draft.notify(Kind.ACKNOWLEDGED, reason, targets, {**words, **_pages_since(draft, first)})
    draft.set(pages_acknowledged=draft.incident.page.serial)


def _paged_for_news(draft: Draft) -> list[Target]:
    return _paged_on(draft, lambda facts: facts.carries_news or facts.keeps_state)


def tell_resolved(draft: Draft, reason: Reason, words: Mapping[str, str] = NO_WORDS) -> None:
    """Send the all-clear to each target that was told of the incident, once."""
    unheard = draft.incident.response.unheard
    everybody = dict.fromkeys((*draft.incident.paged, *draft.incident.told, *room_of(draft.incident)))
    targets = [each for each in everybody if (each.channel, each.recipient) not in unheard]
    draft.notify(Kind.RESOLVED, reason, targets, {**words, **_pages_since(draft, draft.incident.pages_closed + 1)})
    draft.set(pages_closed=draft.incident.page.serial)


def note_left(draft: Draft, notification: Notification) -> None:
    """Send the all-clear if this message was (or may have been) its recipient's first of a resolved incident."""
    target, unheard = (notification.channel, notification.recipient), draft.incident.response.unheard
    if target not in unheard or notification.kind not in EVERYTHING_WAITING - {Kind.REPORT}:
        return
    draft.respond(unheard=tuple(each for each in unheard if each != target))
    if draft.incident.state is State.RESOLVED:
        by, page = draft.incident.resolved_by, notification.page
        words = {"by": by, "pages": f"{page}-{page}" if page else ""}
        words["resolved_at"] = str(draft.incident.resolved_at or draft.now)
        draft.notify(Kind.RESOLVED, Reason.ACTION if by else Reason.RECOVERED, [Target(*target)], words)


def _expect(draft: Draft, targets: Iterable[Target]) -> None:
    """Record first-time targets: until a message to them was sent, they get no all-clear."""
    known = {*draft.incident.paged, *draft.incident.told}
    fresh = ((each.channel, each.recipient) for each in targets if each not in known)
    draft.respond(unheard=tuple(dict.fromkeys((*draft.incident.response.unheard, *fresh))))


def _pages_since(draft: Draft, first: int) -> Mapping[str, str]:
    """The pages to close on channels that keep a state per page: each is acknowledged and resolved once."""
    return {"pages": f"{first}-{draft.incident.page.serial}"}


def tell_internal(draft: Draft, kind: Kind, reason: Reason, words: Mapping[str, str] = NO_WORDS) -> None:
    """Notify the internal stakeholders only."""
    draft.notify(kind, reason, _stakeholders(draft), words)


def tell_breach(draft: Draft, words: Mapping[str, str]) -> None:
    """Notify the internal stakeholders who are not paged themselves."""
    draft.notify(Kind.BREACH, Reason.BREACHED, _unpaged_stakeholders(draft), words)


def tell_raised(draft: Draft, words: Mapping[str, str]) -> None:
    """The level rose: notify the internal stakeholders of the new level who are not paged themselves."""
    draft.notify(Kind.NOTICE, Reason.NEW_DANGER, _unpaged_stakeholders(draft), words)


def _unpaged_stakeholders(draft: Draft) -> list[Target]:
    paged = set(draft.incident.paged)
    return [target for target in _stakeholders(draft) if target not in paged]


def _stakeholders(draft: Draft) -> tuple[Target, ...]:
    """The internal stakeholders of this level; from now on they get the all-clear."""
    targets = draft.context.internal_stakeholders(draft.incident.level, draft.incident)
    if draft.incident.is_live:
        _expect(draft, targets)
        draft.set(told=tuple(dict.fromkeys((*draft.incident.told, *targets))))
    return targets


def _paged_on(draft: Draft, holds: Callable[[ChannelFacts], bool]) -> list[Target]:
    """Paged targets, and the incident's own channel, on channels whose type fulfils `holds`, without people who have
    left the policy.
    """
    context = draft.context
    paged = (target for target in draft.incident.paged if not context.has_left(target))
    found = ((target, context.facts(target.channel)) for target in (*paged, *room_of(draft.incident)))
    return [target for target, facts in found if facts is not None and holds(facts)]
