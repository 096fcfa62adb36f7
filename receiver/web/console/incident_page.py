"""`/incidents/{number}`: one incident, with what to do and the buttons to do it.

A button carries the state that the person saw. A refused action shows the current page with the reason, and the typed
text still in its field.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from receiver.core.evidence_files import safe_name
from receiver.core.undo import can_undo
from receiver.messages.deadlines import deadlines
from receiver.web.api.call import Call, Endpoint, read_form
from receiver.web.api.evidence_operations import Custody
from receiver.web.api.requests import Nothing
from receiver.web.auth.sessions import allow
from receiver.web.console.exports import Exports
from receiver.web.console.incident_page_data import Reader, Shown
from receiver.web.console.pages import Form, Frame, Visit, go_to
from receiver.web.console.typed_times import end_of_day, time_in
from receiver.web.http.problem_details import HttpProblem
from receiver.web.http.uploads import UPLOADS, size_words


@dataclass(frozen=True, slots=True)
class FactForm:
    """A form for facts that only people know; `facts` are their keys in templates and reports."""

    name: str
    title: str
    facts: tuple[str, ...]


FORMS = (
    FactForm("impact", "Impact", ("impact_description",)),
    FactForm("cause", "Root cause", ("root_cause", "contributing_factors", "investigation_status")),
    FactForm("fix", "Fix", ("immediate_actions_taken", "fix_description", "fix_status", "estimated_resolution_time")),
    FactForm("verification", "Verification", ("testing_performed", "verification_status")),
    FactForm(
        "afterwards",
        "Lessons",
        ("lessons_learned", "long_term_improvements", "process_changes", "post_incident_actions"),
    ),
)

DONE = {
    "declare": "Declared. The people whom the policy names are told now.",
    "acknowledge": "Acknowledged. Escalation has stopped.",
    "escalate": "The next step has been told.",
    "withdraw": "Withdrawn: you ask for help no more.",
    "give-back": "It is open again: nobody has it, and it pages from the beginning.",
    "undo": "Taken back: everything is as it was, and the deadlines run on.",
    "resolve": "Resolved. Everybody who was paged is told.",
    "sign-off": "Signed off.",
    "close": "Closed, and written down with your reason.",
    "notes": "Noted.",
    "updates": "The update goes out to everybody who was told.",
    "change": "Recorded.",
    "handover": "Handed over.",
    "roles": "Written down.",
    "replan": "It runs under the current policy now.",
    "edit-notice": "Edited: an approver reads and approves this text.",
    "approve": "Approved: exactly this text goes out; in an exercise, to whoever approves it.",
    "reject": "Rejected: they are told nothing.",
    "follow-ups": "Written down.",
    "finish": "Done, and written down.",
    "file-report": "Recorded as filed.",
    "withdraw-filing": "Not filed after all: its deadline runs again.",
    "judge-obligation": "Written down.",
    "evidence": "Kept, with its SHA-256, your name and the time.",
    "redact": "Its content is removed; its record stays.",
    "hold": "Under legal hold: nothing of the incident is deleted.",
    "release-hold": "Released, and written down with your reason.",
    "approve-report": "Approved: this version of the report is kept as it is.",
}
"""Messages after an action, by the name in the redirect."""

PLACES = {
    "edit-notice": "notices",
    "approve": "notices",
    "reject": "notices",
    "finish": "follow-ups",
    "file-report": "obligations",
    "withdraw-filing": "obligations",
    "judge-obligation": "obligations",
    "evidence": "evidence",
    "redact": "evidence",
    "hold": "evidence",
    "release-hold": "evidence",
}
"""Anchors on the page after an action; default: the message."""

BACK_ON_NOW = {"undo": "undone"}
"""Query name for the result of an action pressed on Now; of all others: `took`."""

OURS = frozenset({"csrf", "back", "part", "form", "zone"})
"""Form fields that are not part of the action's body."""

TIMES = {"due": end_of_day, "filed_at": time_in, "counted_from": time_in}
"""Form field → how what was typed becomes an instant."""

OPERATIONS = {
    "acknowledge": "acknowledge",
    "escalate": "escalate",
    "withdraw": "withdraw",
    "give-back": "give_back",
    "undo": "undo",
    "resolve": "resolve",
    "sign-off": "sign_off",
    "close": "close",
    "notes": "note",
    "updates": "update",
    "change": "change",
    "replan": "replan",
    "steps": "tick",
    "roles": "assign",
    "handover": "hand_over",
    "follow-ups": "add_follow_up",
    "finish": "finish",
    "edit-notice": "edit_notice",
    "approve": "approve",
    "reject": "reject",
    "approve-report": "approve_report",
    "file-report": "file_report",
    "withdraw-filing": "withdraw_filing",
    "judge-obligation": "judge_obligation",
    "evidence": "attach_file",
    "redact": "redact_file",
    "hold": "place_hold",
    "release-hold": "release_hold",
}
"""Action in the form's URL → the API's operation, with its role, body and handler."""


class IncidentPage:
    """Handlers of an incident's page and its buttons."""

    def __init__(self, frame: Frame, reader: Reader, operations: Mapping[str, Endpoint[Any]], custody: Custody) -> None:
        """`operations`: the API's, by name."""
        self._frame = frame
        self._reader = reader
        self._custody = custody
        self._exports = Exports(reader.api, reader.responding)
        self._actions = {action: operations[name] for action, name in OPERATIONS.items()}

    async def show(self, visit: Visit) -> web.Response:
        """Shows the page."""
        return await self._page(visit, said=DONE.get(visit.request.query.get("done", ""), ""))

    async def act(self, visit: Visit) -> web.Response:
        """Runs a button's action."""
        name, action = visit.request.match_info["incident"], visit.request.match_info["action"]
        if action not in self._actions:
            raise HttpProblem(404, "there is no such action")
        operation = self._actions[action]
        allow(visit.caller, operation.role)
        try:
            said = read_form(_body(visit.form) | _filed(visit, action), operation.takes)
            await operation.run(Call(visit.caller, said, name, "", visit.form.get("part", ""), visit.upload))
            if action == "file-report" and visit.upload is not None:
                await self._keep_filed(visit, name)
        except HttpProblem as problem:
            if problem.status not in {400, 409}:
                raise
            return await self._page(visit, problem=problem, action=action)
        if visit.form.get("back") == "now":
            return go_to(f"/?{BACK_ON_NOW.get(action, 'took')}={int(name)}#said")
        done = "" if action == "steps" else f"?done={action}"
        place = f"s-{visit.form.get('part', '')}" if action == "steps" else PLACES.get(action, "said")
        return go_to(f"/incidents/{int(name)}{done}#{place}")

    async def _keep_filed(self, visit: Visit, name: str) -> None:
        """Keeps the filed document as evidence."""
        attach, form = self._actions["evidence"], visit.form
        said = {"note": f"filed: {form.get('stage', '')} of {form.get('part', '')}, {form.get('reference', '')}"}
        await attach.run(Call(visit.caller, read_form(said, attach.takes), name, "", "", visit.upload))

    async def fetch(self, visit: Visit) -> web.StreamResponse:
        """Downloads an evidence file."""
        name, file = visit.request.match_info["incident"], visit.request.match_info["file"]
        return await (await self._custody.evidence_file(Call(visit.caller, Nothing(), name, "", file))).send(
            visit.request
        )

    async def export(self, visit: Visit) -> web.StreamResponse:
        """One of the incident's lists as CSV."""
        return await self._exports.answer(visit)

    async def _page(
        self, visit: Visit, said: str = "", problem: HttpProblem | None = None, action: str = ""
    ) -> web.Response:
        name = visit.request.match_info["incident"]
        if not name.isdigit() or len(name) > 9:
            raise HttpProblem(404, "there is no such incident")
        shown = _shown(visit)
        reading = await self._reader.api.read(name, lambda found: self._reader.read(found, visit.now, shown))
        incident = reading.case.incident
        return self._frame.page(
            visit,
            "incident.html",
            status=problem.status if problem else 200,
            reading=reading,
            case=reading.case,
            incident=incident,
            deadlines=deadlines(incident, reading.case.context.policy_version, visit.now),
            levels=reading.case.policy.levels,
            forms=FORMS,
            file_limit=size_words(visit.request.app[UPLOADS].limit),
            may_redact=visit.caller.role >= self._actions["redact"].role,
            may_approve=visit.caller.role >= self._actions["approve"].role,
            said=said,
            may_undo=can_undo(incident, visit.caller.name, visit.now),
            problem=problem,
            action=action,
            typed=visit.form if problem else {},
            typed_for=lambda of, field: visit.form.get(field, "") if of == action else "",
        )


def _filed(visit: Visit, action: str) -> dict[str, str]:
    """Name and hash of the uploaded file, for the filing's body; Tocsin computes the hash."""
    file = visit.upload
    return {"file": safe_name(file.name), "sha256": file.sha256} if file and action == "file-report" else {}


def _shown(visit: Visit) -> Shown:
    """The part of the long lists that the query selects. Raises HttpProblem 400."""
    asked = {name: visit.request.query.get(name, "") for name in ("lines_before", "messages_before")}
    odd = next((name for name, text in asked.items() if text and not _is_number(text)), "")
    if odd:
        raise HttpProblem(400, f"{odd}: a number, as the link to older ones has it")
    numbers = {name: int(text) for name, text in asked.items() if text}
    query = visit.request.query
    return Shown(**numbers, alerts_after=query.get("alerts_after", "")[:200], deliveries="deliveries" in query)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def _body(form: Form) -> dict[str, Any]:
    """Converts a form to the API's body. Empty fields are left out, and `to.1` … are recipients.

    `facts.name` are facts, also if empty; `scale.name` are facts, only if not empty. A day (`due`) ends at its midnight
    in the form's `zone`; times (`filed_at`, `counted_from`) are in that zone.
    """
    body: dict[str, Any] = {
        name: value for name, value in form.items() if value and name not in OURS and "." not in name
    }
    facts = {name.removeprefix("facts."): value for name, value in form.items() if name.startswith("facts.")}
    facts |= {name.removeprefix("scale."): value for name, value in form.items() if value and name.startswith("scale.")}
    zone = form.get("zone", "")
    for name, read in TIMES.items():
        if name in body:
            body[name] = read(zone, body[name])
    return body | ({"facts": facts} if facts else {}) | _chosen(form)


def _chosen(form: Form) -> dict[str, list[str]]:
    """The recipients of a notice. Raises HttpProblem 400 if no box is ticked: that must not mean all."""
    boxes = [value for name, value in form.items() if name.startswith("to.")]
    chosen = [value for value in boxes if value]
    if boxes and not chosen:
        raise HttpProblem(400, "tick whom it goes to, or tell them nothing")
    return {"recipients": chosen} if chosen else {}
