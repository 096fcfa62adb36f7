"""The operations of evidence: attach, download and redact files; place and release legal holds.

`routes` wires them beside `receiver.web.api.response_operations`. Files are sent only as attachments, to callers who
may read incidents; each download is recorded in the audit log.
"""

from collections.abc import AsyncIterator
from typing import Any

import structlog

from receiver.core.audit_log import audit_of
from receiver.core.draft import RefusedError
from receiver.core.events import Action, AttachFile, PlaceHold, RedactFile, ReleaseHold
from receiver.core.evidence_files import find_file
from receiver.core.model import Incident
from receiver.core.response import EvidenceFile, LegalHold
from receiver.core.urgency import PEOPLE
from receiver.engine.engine import Engine
from receiver.engine.queue import CommandQueue
from receiver.messages.times import rfc3339
from receiver.store import Reads
from receiver.web.api import requests
from receiver.web.api.call import Call
from receiver.web.api.incident_operations import Api
from receiver.web.api.response_shapes import EvidenceFileView, EvidenceView, LegalHoldView
from receiver.web.http.download import Download
from receiver.web.http.problem_details import HttpProblem

log = structlog.get_logger()


class Custody:
    """Handlers of evidence files and legal holds."""

    def __init__(self, api: Api, queue: CommandQueue, engine: Engine, reads: Reads) -> None:
        self._api = api
        self._queue = queue
        self._engine = engine
        self._reads = reads

    async def evidence(self, call: Call[requests.Nothing]) -> EvidenceView:
        """List an incident's evidence files and legal holds."""
        return await self._api.read(call.incident, show_evidence)

    async def attach_file(self, call: Call[requests.AttachFileBody]) -> EvidenceView:
        """Attach a file as evidence. Its SHA-256 is computed on receipt, and its content never changes."""
        if call.upload is None:
            raise HttpProblem(400, "choose a file: the form has none (its field `file`)")
        file, by = call.upload, call.by_themselves(call.said.by)
        return await self._act(call, AttachFile(by, file.name, file.sha256, file.size, file.id, call.said.note))

    async def evidence_file(self, call: Call[requests.Nothing]) -> Download:
        """Download an evidence file as an attachment; the download is recorded in the audit log."""
        incident = await self._api.read(call.incident, lambda found: found)
        file = self._find(incident, call.part)
        upload = await self._queue.browse(self._reads.evidence_upload, incident.id, file.sha256)
        if upload is None:
            log.error("the content of an evidence file is missing or changed", incident=incident.number, file=file.id)
            raise HttpProblem(
                500, f"the content of {file.id} is missing or was changed: its SHA-256 is not {file.sha256}. Restore it"
            )
        said = {"file": file.id, "sha256": file.sha256}
        entry = audit_of(
            call.caller.origin,
            self._api.now(),
            "downloadfile",
            incident=f"#{incident.number} {incident.id}",
            data=said,
        )
        await self._queue.run(self._engine.audit, [entry], urgency=PEOPLE)
        return Download(file.name, file.size, file.sha256, self._pieces(upload))

    async def redact_file(self, call: Call[requests.ReasonBody]) -> EvidenceView:
        """Remove an evidence file's content permanently; its record stays, with the person and the reason."""
        return await self._act(call, RedactFile(call.by_themselves(call.said.by), call.part, call.said.reason))

    async def place_hold(self, call: Call[requests.ReasonBody]) -> EvidenceView:
        """Place a legal hold: nothing of the incident is deleted, and the policy's retention does not apply."""
        return await self._act(call, PlaceHold(call.by_themselves(call.said.by), call.said.reason))

    async def release_hold(self, call: Call[requests.ReasonBody]) -> EvidenceView:
        """Release a legal hold."""
        return await self._act(call, ReleaseHold(call.by_themselves(call.said.by), call.part, call.said.reason))

    async def _act(self, call: Call[Any], action: Action) -> EvidenceView:
        await self._api.act(call, action)
        return await self._api.read(call.incident, show_evidence)

    def _find(self, incident: Incident, name: str) -> EvidenceFile:
        try:
            file = find_file(incident, name)
        except RefusedError as refused:
            raise HttpProblem(404, str(refused)) from None
        if file.redacted_at is not None:
            why = f"{file.redacted_by} had it removed at {rfc3339(file.redacted_at)}: {file.redacted_why}"
            raise HttpProblem(410, f"the content of {file.id} is not kept any more; {why}"[:1000])
        return file

    async def _pieces(self, upload: str) -> AsyncIterator[bytes]:
        position = 0
        while (piece := await self._queue.browse(self._reads.evidence_chunk, upload, position)) is not None:
            yield piece
            position += 1


def show_evidence(incident: Incident) -> EvidenceView:
    """An incident's evidence files and legal holds."""
    response = incident.response
    return EvidenceView(
        on_hold=incident.is_on_hold,
        files=[_show_file(each) for each in response.files],
        holds=[_show_hold(each) for each in response.holds],
    )


def _show_file(file: EvidenceFile) -> EvidenceFileView:
    return EvidenceFileView(
        id=file.id,
        name=file.name,
        sha256=file.sha256,
        size=file.size,
        attached_by=file.by,
        attached_at=rfc3339(file.at),
        note=file.note,
        redacted_by=file.redacted_by or None,
        redacted_at=rfc3339(file.redacted_at) if file.redacted_at is not None else None,
        redacted_why=file.redacted_why,
    )


def _show_hold(hold: LegalHold) -> LegalHoldView:
    return LegalHoldView(
        id=hold.id,
        placed_by=hold.by,
        placed_at=rfc3339(hold.at),
        reason=hold.reason,
        released_by=hold.released_by or None,
        released_at=rfc3339(hold.released_at) if hold.released_at is not None else None,
        released_why=hold.released_why,
    )
