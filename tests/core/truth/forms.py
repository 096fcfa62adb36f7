"""What media make of a message's words: PagerDuty's event, a webhook's document, Slack's blocks, the mail's HTML."""

import re
from collections.abc import Iterator, Mapping
from html import unescape
from typing import Any

from receiver.core.model import Instant, State
from receiver.messages.times import rfc3339
from tests.core.truth.oracle import check
from tests.core.truth.record import Record, UntrueError
from tests.core.truth.recovery import measured

SEVERITIES = ("info", "warning", "error", "critical")
SAID = frozenset({"stands", "alerts", "opened", "firing_since", "value", "next_update", "back_since", "recurrences"})
"""Details that are words about the incident; under what label a message tells them."""
OF_OTHERS = frozenset({"condition", "impact", "labels", "first_actions", "notes", "reason", "system", "type", "rules"})
"""What a policy, an alert or the message's own words say; the words are read where they are made."""
_DATE = re.compile(r"<!date\^\d+\^[^|>]*\|([^>]*)>")
_HIDDEN = re.compile(r"<(style|title)\b.*?</\1>|<a\b.*?</a>", re.DOTALL)


def check_event(event: Mapping[str, Any], record: Record) -> None:
    """Raises UntrueError where PagerDuty would show, or route by, what is not so."""
    payload, incident = event["payload"], record.incident
    details = dict(payload["custom_details"])
    _is("severity", payload["severity"], SEVERITIES[incident.level - 1])
    _is("number", details.pop("number"), incident.number)
    _is("level", details.pop("level"), incident.level)
    _is("level_name", details.pop("level_name").lower(), _level_name(record))
    _is("state", details.pop("state"), str(incident.state))
    _is("exercise", details.pop("exercise"), incident.exercise)
    _is("opened_at", details.pop("opened_at"), _stamp(incident.opened_at))
    _is("acknowledge_by", details.pop("acknowledge_by"), _stamp(incident.response_due_at))
    _check_firing(details.pop("firing", {}), record)
    said = {name: details.pop(name) for name in SAID & details.keys()}
    _is("further details", set(details) - OF_OTHERS, set())
    words = "\n".join(f"{name.replace('_', ' ').replace('stands', 'state')}: {value}" for name, value in said.items())
    check(f"{payload['summary']}\n{words.replace('state: ', '')}", record)


def check_document(document: Mapping[str, Any], record: Record) -> None:
    """Raises UntrueError where a webhook's receiver would believe what is not so."""
    incident, told = record.incident, document["incident"]
    _is("state", told["state"], str(incident.state))
    _is("level", told["level"], incident.level)
    _is("title", told["title"], incident.title)
    _is("opened_at", told["opened_at"], _stamp(incident.opened_at))
    for name in ("acknowledged_at", "resolved_at"):
        at = getattr(incident, name)
        _is(name, told[name], None if at is None else _stamp(at))
    _is("acknowledged_by", told["acknowledged_by"] or "", incident.acknowledged_by)
    _is("recurrences", told["recurrences"], incident.recurrences)
    _check_firing(document["firing"], record)
    check(document["message"]["text"], record)


def _check_firing(told: Mapping[str, Any], record: Record) -> None:
    if not told:
        return
    _is("how many fire", told["count"], sum(record.incident.firing))
    if told["alerts"]:
        _is("since when", told["since"], _stamp(min(each.starts_at for each in record.firing)))
    known = {(each.rule, measured(each), _stamp(each.starts_at), each.level) for each in record.firing}
    for each in told["alerts"]:
        _is("what fires", (each["rule"], each["value"], _to_millis(each["since"]), each["level"]) in known, True)


BUTTONS = {
    "Acknowledge": lambda record: record.incident.state is State.OPEN,
    "I answer": lambda record: bool(record.incident.response.asked_by),
    "Escalate": lambda record: record.incident.state is State.OPEN,
    "Ask for help": lambda record: record.incident.state is State.ACKNOWLEDGED,
    "Ask again": lambda record: bool(record.incident.response.asked_by),
    "Resolve": lambda record: not record.is_over,
    "Help not wanted any more": lambda record: bool(record.incident.response.asked_by),
    "Give back": lambda record: record.incident.state is State.ACKNOWLEDGED,
}
"""What a button of Slack's says can be done, and when that is so."""


def check_blocks(blocks: list[dict[str, Any]], record: Record) -> None:
    """Raises UntrueError where the message in Slack says, or offers, what is not so."""
    for each in (element for block in blocks if block["type"] == "actions" for element in block["elements"]):
        if not BUTTONS[each["text"]["text"]](record):
            raise UntrueError(f"Slack offers {each['text']['text']!r} (forms): {record.incident}")
    check("\n".join(_read(blocks)), record)


def _read(blocks: list[dict[str, Any]]) -> Iterator[str]:
    """What people read of the blocks; of fields the state alone without its label, as it stands in a text."""
    for block in blocks:
        texts = [each["text"] for each in (block.get("text"), *block.get("fields", ())) if each]
        for each in texts:
            said = unescape(_DATE.sub(r"\1", each)).removeprefix("<!here> ")
            label, _, value = said.replace("*", "").partition("\n") if "fields" in block else ("", "", said)
            yield (f"{label}: {value}" if label not in {"", "State"} else value).replace("*", "")


def check_html(page: str, record: Record) -> None:
    """Raises UntrueError where the mail in HTML says what is not so."""
    rows = re.sub(r"</td>\s*<td[^>]*>(?=[^<]+</td></tr>)", ": ", _HIDDEN.sub("", page))
    lines = (
        unescape(re.sub(r"<[^>]+>", "", each)) for each in re.split(r"<(?:/?(?:td|tr|p|h1|div|li|span)\b)[^>]*>", rows)
    )
    check("\n".join(each.replace("·", ": ").strip() for each in lines if each.strip()), record)


def _stamp(at: int) -> str:
    """To the millisecond: that is what is stored of most instants."""
    return f"{rfc3339(Instant(at))[:23]}Z"


def _level_name(record: Record) -> str:
    return record.policy.policy.level(record.incident.level).name.lower() if record.policy else ""


def _is(what: str, said: object, so: object) -> None:
    if said != so and _to_millis(said) != so:
        raise UntrueError(f"says {what} {said!r} (forms), and it is {so!r}")


def _to_millis(said: object) -> object:
    return f"{said[:23]}Z" if isinstance(said, str) and re.fullmatch(r"\d{4}-[\dT:.-]+Z", said) else said
