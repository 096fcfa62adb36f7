"""The notifications of an incident and their results, as rows of a report's table."""

from collections.abc import Iterator, Sequence

from receiver.core.model import Kind, Notification
from receiver.core.plan import DecisionContext
from receiver.messages.fates import fate
from receiver.messages.plain import line
from receiver.reports.incident_record import IncidentRecord
from receiver.reports.report import counted
from rules.channel_types import as_shown

MOST_TOLD = 150
"""Maximum rows, half of them the first and half the last; messages with the same time, kind and result share a row."""


def messages(record: IncidentRecord) -> Iterator[tuple[str, ...]]:
    """Yields the rows; of very many the first and the last, with a row that counts the others."""
    lines, (after, unread) = _told_together(record), record.unread_messages
    middle = sum(each[0].sequence <= after for each in lines) if unread else len(lines) // 2
    half = MOST_TOLD // 2
    first, last = lines[: min(middle, half)], lines[max(middle, len(lines) - half) :]
    yield from (_row(record, each) for each in first)
    left_out = unread + sum(map(len, lines[len(first) : len(lines) - len(last)]))
    if left_out:
        yield "", f"{counted(left_out, 'message')} left out here; the console has them all", "", "", ""
    yield from (_row(record, each) for each in last)


def _told_together(record: IncidentRecord) -> list[list[Notification]]:
    """Returns the messages of each row: same second, kind and result."""
    together: dict[tuple[str, Kind, str], list[Notification]] = {}
    for each in record.notifications:
        if each.kind is not Kind.REPORT:
            together.setdefault((record.clock.second(each.created_at), each.kind, fate(each)), []).append(each)
    return list(together.values())


def _row(record: IncidentRecord, told: Sequence[Notification]) -> tuple[str, ...]:
    channels = dict.fromkeys(line(each.channel) for each in told)
    whom = dict.fromkeys(_recipient(each, record.case.context) for each in told)
    return (
        record.clock.second(told[0].created_at),
        told[0].kind.value,
        ", ".join(channels),
        ", ".join(whom),
        fate(told[0]),
    )


def _recipient(notification: Notification, context: DecisionContext) -> str:
    return line(notification.person or as_shown(notification.recipient, context.facts(notification.channel)))
