"""The console's lists as CSV for spreadsheets."""

import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence

from aiohttp import web

from receiver.core.model import Incident, Instant
from receiver.messages.plain import plain
from receiver.messages.times import rfc3339
from receiver.web.api.response_shapes import ChecklistView, EvidenceFileView, FollowUpView, NoticeView
from receiver.web.api.responses import AlertView, EntryView, NotificationView

FORMULA = ("=", "+", "-", "@")
"""First characters of cells that a spreadsheet would evaluate."""

Cell = str | int | None
Pages = AsyncIterator[Sequence[Sequence[Cell]]]
"""Batches of rows; the first batch comes even if empty."""

INCIDENT_COLUMNS = (
    *("number", "level", "state", "type", "title", "opened_at", "acknowledged_at", "acknowledged_by"),
    *("resolved_at", "resolved_by", "response_due_at", "breached_at", "recurrences", "exercise"),
)


def answer(name: str, head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> web.Response:
    """A list as a CSV download."""
    text = _csv([head]) + _csv(map(_harmless, rows))
    return web.Response(text=text, content_type="text/csv", charset="utf-8", headers=_saved(name))


async def send(request: web.Request, name: str, head: Sequence[str], pages: Pages) -> web.StreamResponse:
    """Streams a long list as a CSV download, page by page, so that it is never in memory whole."""
    response = web.StreamResponse(headers={"Content-Type": "text/csv; charset=utf-8", **_saved(name)})
    async for page in pages:
        if not response.prepared:  # only after the first page: an error must be a problem document, not a file
            await response.prepare(request)
            await response.write(_csv([head]).encode())
        await response.write(_csv(map(_harmless, page)).encode())
    return response


def _csv(rows: Iterable[Iterable[Cell]]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()


def _harmless(row: Sequence[Cell]) -> list[Cell]:
    return [_safe(cell) for cell in row]


def _saved(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}.csv"'}


def incident_row(incident: Incident) -> Sequence[Cell]:
    """Values for INCIDENT_COLUMNS."""
    return (
        incident.number,
        incident.level,
        incident.state,
        incident.type,
        incident.title,
        rfc3339(incident.opened_at),
        _time(incident.acknowledged_at),
        incident.acknowledged_by,
        _time(incident.resolved_at),
        incident.resolved_by,
        rfc3339(incident.response_due_at),
        _time(incident.breached_at),
        incident.recurrences,
        "yes" if incident.exercise else "",
    )


ENTRY_COLUMNS = ("position", "at", "by", "fact", "text")


def entry_row(entry: EntryView) -> Sequence[Cell]:
    """Values for ENTRY_COLUMNS."""
    return entry.position, entry.at, entry.by, entry.fact, entry.data.get("text") or entry.text


ALERT_COLUMNS = ("fingerprint", "status", "level", "rule", "starts_at", "ended_at", "labels", "annotations")


def alert_row(alert: AlertView) -> Sequence[Cell]:
    """Values for ALERT_COLUMNS."""
    pairs = ("; ".join(f"{name}={value}" for name, value in each.items()) for each in (alert.labels, alert.annotations))
    return alert.fingerprint, alert.status, alert.level, alert.rule, alert.starts_at, alert.ended_at, *pairs


MESSAGE_COLUMNS = (
    "sequence",
    "channel",
    "recipient",
    "kind",
    "reason",
    "status",
    "attempts",
    "planned",
    "done",
    "detail",
    "reached",
    "person",
)


def message_row(message: NotificationView) -> Sequence[Cell]:
    """Values for MESSAGE_COLUMNS."""
    return (
        message.sequence,
        message.channel,
        message.recipient,
        message.kind,
        message.reason,
        message.status,
        message.attempts,
        message.created_at,
        message.done_at,
        message.detail,
        message.reached_at,
        message.person,
    )


STEP_COLUMNS = ("checklist", "step", "text", "done", "done_by", "done_at", "note", "link", "occurrence")


def step_rows(checklists: Iterable[tuple[int, ChecklistView]]) -> Iterable[Sequence[Cell]]:
    """Values for STEP_COLUMNS, for every step of every occurrence."""
    for occurrence, each in checklists:
        for step in each.steps:
            done = "yes" if step.done else ""
            told = step.text, done, step.done_by, step.done_at, step.note, step.link
            yield each.title, step.id, *told, occurrence


NOTICE_COLUMNS = (
    "notice",
    "group",
    "moment",
    "standing",
    "held_at",
    "decided_by",
    "decided_at",
    "subject",
    "text",
    "proposed_subject",
    "proposed_text",
    "edited_by",
    "edited_at",
    "only_to",
    "why_void",
)


def notice_row(notice: NoticeView) -> Sequence[Cell]:
    """Values for NOTICE_COLUMNS."""
    decided = notice.decided_by, notice.decided_at
    return (
        *(notice.id, notice.group, notice.moment, notice.standing, notice.held_at),
        *decided,
        *(notice.subject, notice.text),
        *(notice.proposed_subject, notice.proposed_text, notice.edited_by, notice.edited_at),
        *(", ".join(notice.only_to), notice.why_void),
    )


FOLLOW_UP_COLUMNS = (
    "action",
    "text",
    "owner",
    "due_at",
    "added_by",
    "added_at",
    "done_by",
    "done_at",
    "link",
    "policy",
)


def follow_up_row(action: FollowUpView) -> Sequence[Cell]:
    """Values for FOLLOW_UP_COLUMNS."""
    return (
        *(action.id, action.text, action.owner, action.due_at),
        *(action.added_by, action.added_at, action.done_by, action.done_at, action.link, action.policy),
    )


EVIDENCE_COLUMNS = (
    "evidence",
    "file",
    "size",
    "sha256",
    "attached_by",
    "attached_at",
    "note",
    "redacted_by",
    "redacted_at",
    "redacted_why",
)


def evidence_row(file: EvidenceFileView) -> Sequence[Cell]:
    """Values for EVIDENCE_COLUMNS."""
    return (
        *(file.id, file.name, file.size, file.sha256, file.attached_by, file.attached_at, file.note),
        *(file.redacted_by, file.redacted_at, file.redacted_why),
    )


def _time(at: Instant | None) -> str:
    return "" if at is None else rfc3339(at)


def _safe(cell: Cell) -> Cell:
    """Quotes text that a spreadsheet would evaluate as a formula."""
    if not isinstance(cell, str):
        return cell
    text = plain(cell, 10_000)
    return f"'{text}" if text.startswith(FORMULA) else text
