"""What must hold when a world has been mended, and when it has come to its end: read from the store itself."""

from collections.abc import Mapping, Sequence

from receiver.core.model import Alert, Entry, Fact, Kind, Notification, State, Status, Window
from receiver.store import Reads
from tests.faults.mirror import Broken, Mirror
from tests.faults.providers import Providers

FINAL = {Status.ACCEPTED, Status.DELIVERED, Status.SUPERSEDED, Status.GAVE_UP, Status.UNDELIVERABLE}
JOINS_A_PAGE = {"fallback", "rule_joined"}
OPENS = {
    Fact.OPENED,
    Fact.ACK_VOIDED,
    Fact.ACK_EXPIRED,
    Fact.GIVEN_BACK,
    Fact.REOPENED,
    Fact.HELP_ASKED,
    Fact.ACK_UNDONE,
}


def check_nothing_forgotten(mirror: Mirror, before: int) -> None:
    """No window was due before that time and has not fired; no undelivered page was left without a rescue."""
    for incident in mirror.incidents.values():
        for window, at in incident.windows.items():
            if at < before:
                raise Broken(f"the window {window} of #{incident.number} was forgotten")
        for name, duty in incident.response.duties.items():
            if duty.due_at < before and not duty.overdue:
                raise Broken(f"{name} of #{incident.number} is overdue, and nobody was told")
        if incident.is_paused:
            raise Broken(f"#{incident.number} is still silenced, and nothing silences it")
        if incident.wants_answer and not incident.page.delivered and Window.RESCUE not in incident.windows:
            entries = mirror.timeline[incident.id]
            pages = [each for each in entries if each.fact is Fact.PAGED and each.data["reason"] not in JOINS_A_PAGE]
            none_left = [each.position for each in entries if each.fact is Fact.FALLBACK_EXHAUSTED]
            if max(none_left, default=0) < max((each.position for each in pages), default=0):
                raise Broken(f"a page of #{incident.number} reached nobody and was left at that")


def check_all_believed(mirror: Mirror, truth: Mapping[str, Alert]) -> None:
    """Everything that fires, and has been told, is known to fire, also where it looked like an echo."""
    for name, alert in truth.items():
        _, kept = mirror.held(name)
        if alert.firing and (kept is None or not kept.firing):
            raise Broken(f"{name} fires and was told, and no incident knows that it fires")


def check_all_cleared(mirror: Mirror) -> None:
    """Every alert has ended by now, and no incident thinks that one fires."""
    for incident in mirror.incidents.values():
        firing = [each.fingerprint for each in mirror.alerts[incident.id].values() if each.firing or each.held_until]
        if incident.state is not State.CLOSED and (firing or any(incident.firing)):
            raise Broken(f"#{incident.number} stays open: {firing} ended, and it thinks that they fire")


def check_end(mirror: Mirror, providers: Providers, said: Mapping[str, str], reads: Reads) -> None:
    """Everything committed is in the store, and everything has come to its end."""
    found, _ = reads.incidents(limit=100)
    if {each.id for each in found} != set(mirror.incidents):
        raise Broken("an incident that was committed is not in the store")
    for incident in found:
        if incident.state is not State.CLOSED:
            raise Broken(f"#{incident.number} never closed: it is {incident.state}")
        if {each.fingerprint: each for each in reads.alerts(incident.id)} != mirror.alerts[incident.id]:
            raise Broken(f"an accepted alert of #{incident.number} is not in the store as it was committed")
        entries = reads.timeline(incident.id)
        if entries != mirror.timeline[incident.id]:
            raise Broken(f"the timeline of #{incident.number} is not what was committed")
        notifications = reads.notifications(incident.id)
        if [each.sequence for each in notifications] != list(range(1, incident.sequence + 1)):
            raise Broken(f"notifications of #{incident.number} were planned and are not in the outbox")
        for each in notifications:
            _check_fate(each, providers)
        _check_given_up(entries, notifications)
    for note, incident_id in said.items():
        if not any(note in (each.data.get("note"), each.data.get("text")) for each in mirror.timeline[incident_id]):
            raise Broken(f"what a person did ({note}) was accepted and is not in the timeline")


def _check_fate(notification: Notification, providers: Providers) -> None:
    if notification.status not in FINAL:
        raise Broken(f"{notification.id} ({notification.kind} on {notification.channel}) never came to an end")
    if notification.status is Status.ACCEPTED and not providers.taken[notification.id]:
        raise Broken(f"{notification.id} counts as delivered, and the provider never had it")


def _check_given_up(entries: Sequence[Entry], notifications: Sequence[Notification]) -> None:
    """A page given up while it was wanted has its fallback told, or it is said that none is left."""
    for page in notifications:
        if page.kind is not Kind.PAGE or page.status is not Status.GAVE_UP or page.superseded:
            continue
        place = next(place for place, entry in enumerate(entries) if _tells_of(entry, page))
        follows = {each.fact for each in entries[place + 1 : place + 3] if each.at == entries[place].at}
        wanted = _is_open(entries[:place]) and not any(
            each.page > page.page and each.created_at <= entries[place].at for each in notifications
        )
        if wanted and not follows & {Fact.FALLBACK, Fact.FALLBACK_EXHAUSTED}:
            raise Broken(f"{page.id} was given up and no fallback was told")


def _tells_of(entry: Entry, page: Notification) -> bool:
    if entry.fact is not Fact.GAVE_UP or entry.at != page.done_at:
        return False
    told = entry.data["recipient"].lstrip("…")  # a number is told by its end, a person by name
    is_whose = told == page.person or page.recipient.endswith(told)
    return is_whose and (entry.data["kind"], entry.data["channel"]) == ("page", page.channel)


def _is_open(before: Sequence[Entry]) -> bool:
    is_open, paused = True, False
    for entry in before:
        if entry.fact in {Fact.SILENCED, Fact.SILENCE_ENDED, Fact.RESOLVED}:
            paused = entry.data.get("pauses") == "yes"
        if entry.fact in OPENS or (entry.fact is Fact.ESCALATED and entry.by):
            is_open = True
        elif entry.fact in {Fact.ACKNOWLEDGED, Fact.RESOLVED, Fact.HELP_WITHDRAWN}:
            is_open = False
    return is_open and not paused
