"""What must hold at the end of a world: read from the store itself, beside what was committed and accepted."""

from typing import TYPE_CHECKING

from receiver.core.model import Fact, Kind, Notification, State, Status
from tests.faults.mirror import Broken

if TYPE_CHECKING:
    from tests.faults.world import World

FINAL = {Status.DELIVERED, Status.SUPERSEDED, Status.GAVE_UP, Status.UNDELIVERABLE}


def check(world: "World") -> None:
    """Everything that can be said of a world that has come to its end."""
    reads = world.workers[0].store._inner.reads()  # the store itself, without its faults
    found, _ = reads.incidents(limit=100)
    if {each.id for each in found} != set(world.mirror.incidents):
        raise Broken("an incident that was committed is not in the store")
    for incident in found:
        if incident.state is not State.CLOSED:
            raise Broken(f"#{incident.number} never closed: it is {incident.state}")
        if {one.fingerprint: one for one in reads.alerts(incident.id)} != world.mirror.alerts[incident.id]:
            raise Broken(f"an accepted alert of #{incident.number} is not in the store as it was committed")
        entries = reads.timeline(incident.id)
        if entries != world.mirror.timeline[incident.id]:
            raise Broken(f"the timeline of #{incident.number} is not what was committed")
        notifications = reads.notifications(incident.id)
        if [each.sequence for each in notifications] != list(range(1, incident.sequence + 1)):
            raise Broken(f"notifications of #{incident.number} were planned and are not in the outbox")
        for each in notifications:
            _check_fate(world, each)
        _check_fallbacks(entries, notifications)
    texts = {(i, entry.data.get("note", entry.data.get("text"))) for i, es in world.mirror.timeline.items() for entry in es}
    for note, incident_id in world.said.items():
        if note != "end" and (incident_id, note) not in texts:
            raise Broken(f"what a person did ({note}) was accepted and is not in the timeline")


def _check_fate(world: "World", notification: Notification) -> None:
    if notification.status not in FINAL:
        raise Broken(f"{notification.id} ({notification.kind} on {notification.channel}) never came to an end")
    if notification.status is Status.DELIVERED and not world.providers.taken[notification.id]:
        raise Broken(f"{notification.id} counts as delivered, and the provider never had it")


def _check_fallbacks(entries: list, notifications: list[Notification]) -> None:
    """A page given up while it was wanted has its fallback told, or it is said that none is left."""
    given_up = [each for each in notifications if each.kind is Kind.PAGE and each.status is Status.GAVE_UP]
    for page in given_up:
        if page.superseded:
            continue
        for place, entry in enumerate(entries):
            same = entry.data.get("channel") == page.channel and entry.data.get("recipient") == page.recipient
            if entry.fact is Fact.GAVE_UP and same and entry.data.get("kind") == "page" and entry.at == page.done_at:
                follows = {each.fact for each in entries[place + 1 : place + 4]}
                if not follows & {Fact.FALLBACK, Fact.FALLBACK_EXHAUSTED} and _is_wanted(entries[:place], page, notifications):
                    raise Broken(f"{page.id} was given up and no fallback was told")


def _is_wanted(before: list, page: Notification, notifications: list[Notification]) -> bool:
    """Whether the incident was open, and this its last page, when it was given up."""
    opens = {Fact.OPENED, Fact.ACK_VOIDED, Fact.ACK_EXPIRED, Fact.REOPENED}
    state = "open"
    for entry in before:
        if entry.fact in opens or (entry.fact is Fact.ESCALATED and entry.by):
            state = "open"
        elif entry.fact in {Fact.ACKNOWLEDGED, Fact.RESOLVED}:
            state = "not open"
    newer = any(each.page > page.page and each.created_at <= (page.done_at or 0) for each in notifications)
    return state == "open" and not newer
