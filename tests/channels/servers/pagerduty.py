"""PagerDuty's Events API v2 as its documentation has it: what it accepts, refuses, and how alerts live and end."""

import json

from tests.channels.servers.wire import Reply, Request, Wire

MAX_BODY = 512 * 1024
SEVERITIES = {"critical", "error", "warning", "info"}


class PagerDuty:
    """One account; `alerts` maps dedup keys to triggered, acknowledged or resolved."""

    def __init__(self, routing_key: str) -> None:
        self.routing_key = routing_key
        self.alerts: dict[str, str] = {}
        self.events: list[dict] = []
        self.opened: list[str] = []
        """Dedup keys in the order in which they rang."""
        self.wire = Wire(self.answer)

    def answer(self, request: Request) -> Reply:
        if (request.method, request.path) != ("POST", "/v2/enqueue"):
            return Reply(404, {"status": "not found"})
        if len(request.body) > MAX_BODY:
            return Reply(413, b"too large")
        event = json.loads(request.body)
        if errors := self.faults(event):
            return Reply(400, {"status": "invalid event", "message": "Event object is invalid", "errors": errors})
        self.events.append(event)
        self.apply(event["event_action"], event["dedup_key"])
        return Reply(202, {"status": "success", "message": "Event processed", "dedup_key": event["dedup_key"]})

    def faults(self, event) -> list[str]:
        errors = []
        if len(event.get("routing_key", "")) != 32:
            errors.append("Length of 'routing_key' is incorrect (should be 32 characters)")
        elif event["routing_key"] != self.routing_key:
            errors.append(f"'routing_key' {event['routing_key']} is unknown")
        if event.get("event_action") not in {"trigger", "acknowledge", "resolve"}:
            errors.append("'event_action' is invalid")
        if not 0 < len(event.get("dedup_key", "")) <= 255:
            errors.append("'dedup_key' is missing or too long")
        if event.get("event_action") == "trigger":
            payload = event.get("payload", {})
            if not 0 < len(payload.get("summary", "")) <= 1024:
                errors.append("'payload.summary' is missing or blank, or too long")
            if not payload.get("source"):
                errors.append("'payload.source' is missing or blank")
            if payload.get("severity") not in SEVERITIES:
                errors.append("'payload.severity' is invalid (must be one of critical, error, warning, info)")
        return errors

    def apply(self, action: str, key: str) -> None:
        state = self.alerts.get(key)
        if action == "trigger":
            if state in (None, "resolved"):
                self.alerts[key] = "triggered"
                self.opened.append(key)
        elif state in ("triggered", "acknowledged"):
            self.alerts[key] = "acknowledged" if action == "acknowledge" else "resolved"
