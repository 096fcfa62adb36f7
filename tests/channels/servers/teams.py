"""Power Automate's "When a Teams webhook request is received": a workflow that posts the card it is given."""

import json

from tests.channels.servers.wire import Reply, Request, Wire

KEEPS = 28_672
"""Bytes of a card that Teams stores; what it adds was measured at less than a fifth."""


class Workflow:
    """Keeps the cards that Teams would show; like the real one, it says 202 to what Teams will not."""

    def __init__(self, signature: str) -> None:
        self._signature = signature
        self.cards: list[dict] = []
        self.wire = Wire(self.answer)

    @property
    def url(self) -> str:
        path = "/workflows/0123456789abcdef0123456789abcdef/triggers/manual/paths/invoke"
        return (
            f"{self.wire.url}{path}?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig={self._signature}"
        )

    def answer(self, request: Request) -> Reply:
        if not request.path.endswith(f"sig={self._signature}"):
            code = "AuthorizationFailed"
            return Reply(401, {"error": {"code": code, "message": "The provided signature is not valid."}})
        if request.headers.get("content-type") != "application/json":
            return Reply(400, {"error": {"code": "TriggerInputSchemaMismatch"}})
        if len(request.body) * 1.2 <= KEEPS:
            (attachment,) = json.loads(request.body)["attachments"]
            assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
            self.cards.append(attachment["content"])
        return Reply(202)
