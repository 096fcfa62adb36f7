"""`/incidents/{number}/{list}.csv`: exports an incident's lists."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from aiohttp import web

from receiver.core.model import Incident
from receiver.web.api import requests
from receiver.web.api.call import Call
from receiver.web.api.evidence_operations import show_evidence
from receiver.web.api.incident_operations import Api
from receiver.web.api.response_operations import Responding
from receiver.web.api.response_shapes import ChecklistView
from receiver.web.api.response_views import show_every_checklist
from receiver.web.console import tables
from receiver.web.console.pages import Visit
from receiver.web.http.problem_details import HttpProblem

Paged = TypeVar("Paged", bound=requests.PageQuery)

AT_A_TIME = 1000
"""Rows read at a time."""


@dataclass(frozen=True, slots=True)
class Exports:
    """An incident's lists as CSV."""

    api: Api
    responding: Responding

    async def answer(self, visit: Visit) -> web.StreamResponse:
        """Sends the list that the path names. Raises HttpProblem 404."""
        number, wanted = visit.request.match_info["incident"], visit.request.match_info["list"]
        file, asked = f"incident-{int(number)}-{wanted}", Call(visit.caller, requests.Nothing(), number, "")
        paged = Call(visit.caller, requests.PageQuery(limit=AT_A_TIME), number, "")
        match wanted:
            case "alerts":
                listed = Call(visit.caller, requests.AlertsQuery(limit=AT_A_TIME), number, "")
                pages = _pages(self.api.alerts, listed, lambda view: map(tables.alert_row, view.alerts))
                return await tables.send(visit.request, file, tables.ALERT_COLUMNS, pages)
            case "timeline":
                pages = _pages(self.api.timeline, paged, lambda view: map(tables.entry_row, view.timeline))
                return await tables.send(visit.request, file, tables.ENTRY_COLUMNS, pages)
            case "messages":
                pages = _pages(self.api.notifications, paged, lambda view: map(tables.message_row, view.notifications))
                return await tables.send(visit.request, file, tables.MESSAGE_COLUMNS, pages)
            case "steps":
                lists = await self.api.read(number, self._checklists)
                return tables.answer(file, tables.STEP_COLUMNS, tables.step_rows(lists))
            case "notices":
                notices = (await self.responding.notices(asked)).notices
                return tables.answer(file, tables.NOTICE_COLUMNS, map(tables.notice_row, notices))
            case "follow-ups":
                actions = (await self.responding.follow_ups(asked)).follow_ups
                return tables.answer(file, tables.FOLLOW_UP_COLUMNS, map(tables.follow_up_row, actions))
            case "evidence":
                files = await self.api.read(number, lambda incident: show_evidence(incident).files)
                return tables.answer(file, tables.EVIDENCE_COLUMNS, map(tables.evidence_row, files))
            case _:
                known = "alerts, timeline, messages, steps, notices, follow-ups and evidence"
                raise HttpProblem(404, f"there is no such list; there are {known}")

    def _checklists(self, incident: Incident) -> list[tuple[int, ChecklistView]]:
        return list(show_every_checklist(incident, self.api.policy_version(incident)))


async def _pages(
    read: Callable[[Call[Paged]], Awaitable[Any]],
    asked: Call[Paged],
    rows: Callable[[Any], Iterable[Sequence[tables.Cell]]],
) -> tables.Pages:
    """Yields all pages of a list of the API."""
    cursor: str | None = ""
    while cursor is not None:
        said = asked.said.model_copy(update={"cursor": cursor or None})
        view = await read(replace(asked, said=said))
        yield list(rows(view))
        cursor = view.next
