"""What follows from a message's outcome: it is done, retried, or given up, and then its fallback is notified."""

from msgspec.structs import replace

from receiver.core import personal_reach, rooms
from receiver.core.backoff import retry_delay, schedule_of
from receiver.core.draft import Draft
from receiver.core.events import Arrived, Bounced, Delivered, Overtaken, Rejected, Reported, Retry
from receiver.core.model import Fact, Instant, Kind, Notification, Status, Window
from receiver.core.paging import await_receipt, note_left, page_as_wanted, rescue
from receiver.core.reached import awaits_receipt, reaches
from rules.channel_types import as_shown


def settle(draft: Draft, event: Reported) -> Notification:
    """Decide on a sender's report; returns the notification in its new form."""
    if _may_have_left(event):
        note_left(draft, event.notification)
    tried = replace(event.notification, attempts=event.notification.attempts + 1, leased_by="")
    match event.outcome:
        case Delivered() as done:
            return _accept(draft, tried, done)
        case Overtaken():
            return _withhold(draft, event.notification)
        case Rejected(reason):
            return _give_up(draft, tried, reason)
        case Retry(reason, after):
            return _try_again(draft, tried, reason, after)


def _may_have_left(event: Reported) -> bool:
    """False: it was certainly never sent."""
    return not isinstance(event.outcome, Overtaken | Rejected) or event.notification.attempts > 0


def learn(draft: Draft, news: Bounced | Arrived) -> Notification | None:
    """Apply a provider's later report on a message; returns its new form, None: nothing new."""
    match news:
        case Bounced(notification, reason):
            return _bounce(draft, notification, reason)
        case Arrived(notification, reference, receipt):
            return _arrive(draft, notification, reference, receipt)


def _bounce(draft: Draft, notification: Notification, reason: str) -> Notification | None:
    """Give up an accepted notification. None: a receipt or another outcome came first."""
    if notification.status is not Status.ACCEPTED:
        return None
    page = draft.incident.page
    if notification.reached_at is not None and _is_of_this_alarm(draft, notification):
        draft.set(reached=max(0, draft.incident.reached - 1))
    if notification.reached_at is not None and notification.page == page.serial:
        # If another message reached a person too, the rescue runs once more than needed.
        draft.set(page=replace(page, delivered=False))
    return replace(_give_up(draft, notification, reason), reached_at=None)


def _arrive(draft: Draft, notification: Notification, reference: str, receipt: str) -> Notification | None:
    """The provider has it, or it arrived. None: that was known, or its sender has yet to report."""
    if notification.leased_by:
        return None
    note_left(draft, notification)
    if receipt and notification.status in {Status.WAITING, Status.ACCEPTED, Status.GAVE_UP}:
        return _deliver(draft, notification, reference, receipt)
    return _accept(draft, notification, Delivered(reference)) if notification.status is Status.WAITING else None


def _accept(draft: Draft, notification: Notification, done: Delivered) -> Notification:
    draft.enter(Fact.ACCEPTED, **_names(draft, notification), attempts=notification.attempts)
    if notification.kind is Kind.ROOM:
        rooms.note_done(draft, notification, done)
    accepted = _final(draft, notification, Status.ACCEPTED, reference=done.reference)
    return _note_reach(draft, notification, accepted)


def _deliver(draft: Draft, notification: Notification, reference: str, receipt: str) -> Notification:
    named = _names(draft, notification)
    if notification.status is Status.GAVE_UP:
        draft.enter(Fact.DELIVERED_LATE, **named, attempts=notification.attempts, receipt=receipt)
    else:
        draft.enter(Fact.DELIVERED, **named, attempts=notification.attempts, receipt=receipt)
    delivered = _final(draft, notification, Status.DELIVERED, reference=reference)
    return _note_reach(draft, notification, replace(delivered, done_at=notification.done_at or draft.now))


def _note_reach(draft: Draft, before: Notification, after: Notification) -> Notification:
    """Record whether it has reached a person, or wait for a receipt that may prove it."""
    if before.reached_at is None and reaches(draft, after):
        after = replace(after, reached_at=draft.now)
        if _is_of_this_alarm(draft, after):
            draft.set(reached=draft.incident.reached + 1)
    if after.page == draft.incident.page.serial:
        if after.reached_at is not None:
            _end_rescue(draft)
        elif awaits_receipt(draft, after):
            await_receipt(draft)
    return after


def _end_rescue(draft: Draft) -> None:
    if not draft.incident.page.delivered:
        draft.set(page=replace(draft.incident.page, delivered=True))
    draft.disarm(Window.RESCUE)


def _is_of_this_alarm(draft: Draft, notification: Notification) -> bool:
    return notification.kind is Kind.PAGE and notification.page >= draft.incident.alarm


def _try_again(draft: Draft, notification: Notification, reason: str, after: int | None) -> Notification:
    if notification.superseded:
        return _overtake(draft, notification)
    # A bundle is retried as one, to avoid a storm of messages.
    together = notification.bundle_at
    whose = notification.id if together is None else f"{notification.channel}/{notification.recipient}/{together}"
    due_at = Instant(
        draft.now
        + retry_delay(schedule_of(draft.context.facts(notification.channel)), whose, notification.attempts, after)
    )
    if due_at >= notification.give_up_at:
        return _give_up(draft, notification, reason)
    if not notification.detail:
        draft.enter(Fact.SEND_FAILED, **_names(draft, notification), reason=reason)
    return replace(notification, due_at=due_at, bundle_at=together and due_at, detail=reason)


def _give_up(draft: Draft, notification: Notification, reason: str) -> Notification:
    """Give up a notification; for a page that is still wanted, page the next untried fallback channel."""
    draft.enter(Fact.GAVE_UP, **_names(draft, notification), reason=reason, attempts=notification.attempts)
    if notification.kind is Kind.ROOM:
        rooms.note_failed(draft, notification)
    current = notification.kind is Kind.PAGE and notification.page == draft.incident.page.serial
    wanted = draft.incident.wants_answer and not draft.incident.is_paused
    if current and not notification.superseded and wanted:
        if notification.person and personal_reach.hasten(draft, notification.person):
            page_as_wanted(draft)
        rescue(draft, failed=notification.channel)
    return _final(draft, notification, Status.GAVE_UP, detail=reason)


def _withhold(draft: Draft, notification: Notification) -> Notification:
    """Put back a notification whose sender's lease expired, unless it was superseded."""
    if notification.superseded:
        return _overtake(draft, notification)
    return replace(notification, leased_by="", due_at=draft.now)


def _overtake(draft: Draft, notification: Notification) -> Notification:
    draft.enter(Fact.SUPERSEDED, **_names(draft, notification))
    return _final(draft, notification, Status.SUPERSEDED)


def _final(
    draft: Draft, notification: Notification, status: Status, reference: str = "", detail: str = ""
) -> Notification:
    return replace(
        notification,
        status=status,
        due_at=None,
        leased_by="",
        done_at=draft.now,
        reference=reference or notification.reference,
        detail=detail,
    )


def _names(draft: Draft, notification: Notification) -> dict[str, str]:
    """For the timeline, which all users read: the person if known, instead of their address."""
    recipient = notification.person or as_shown(notification.recipient, draft.context.facts(notification.channel))
    return {"kind": notification.kind, "channel": notification.channel, "recipient": recipient}
