"""Who is told of what: the all-clear goes only to those who were told of the trouble."""

from collections.abc import Collection, Iterable

from receiver.core.model import Fact, Kind, Notification
from tests.core.truth.record import Found, Record, UntrueError, statements


def check_all_clear(message: Notification, known: Iterable[Notification], sent: Collection[str]) -> None:
    """Raises UntrueError where an all-clear goes to a recipient who heard nothing of the trouble. `sent`: messages that
    a provider had before.
    """
    if message.kind is not Kind.RESOLVED:
        return
    whom = (message.incident_id, message.channel, message.recipient)
    if not any(
        each.id in sent and each.kind is not Kind.RESOLVED and (each.incident_id, each.channel, each.recipient) == whom
        for each in known
    ):
        raise UntrueError(f"{message.id} tells {whom} that it is over, who never heard that it began")


def _paged(record: Record, _found: Found) -> bool:
    return record.has(Fact.PAGED)


def _nobody_paged(record: Record, _found: Found) -> bool:
    """It is paused: silenced, no emergency, and help is not asked for."""
    return record.incident.is_paused


def _declared(record: Record, found: Found) -> bool:
    return record.incident.declared and (not found["by"] or record.has(Fact.DECLARED, by=found["by"]))


def _pages(record: Record, found: Found) -> bool:
    return record.incident.page.serial == int(found["pages"].replace(",", ""))


STATEMENTS = statements(
    "told",
    {
        "^open #\\d+$": lambda _record, _found: True,
        "^type next: tocsin acknowledge \\d+, which answers the call for help$": lambda record, _found: bool(
            record.incident.response.asked_by
        ),
        "everyone concerned has been paged": _paged,
        "nobody (?:is|was) paged (?:meanwhile|while alertmanager confirms that)": _nobody_paged,
        "nobody is paged then": _paged,
        "it needs an answer all the same": lambda record, found: not _nobody_paged(record, found),
        "<by> asked for this channel": lambda record, found: record.has(Fact.ROOM_ASKED, by=found["by"]),
        "it is archived when the incident closes": lambda record, _found: record.incident.response.room is not None,
        "declared by a person": lambda record, _found: record.incident.declared,
        "declared by <by>": _declared,
        "^escalation: .*, (?P<pages>[\\d,]+) rounds? of pages.*$": _pages,
        "recorded for the history: its alerts have level \\d, and nobody is told of them|recorded, nobody is told|^recorded\\b": (
            lambda record, _found: record.incident.recorded_only
        ),
        "^nobody has been told anything$": lambda record, _found: not record.notifications,
        "^who was told\\| when .*$": lambda _record, _found: True,
    },
)
