"""Every name that is data: stored, hashed, signed, keyed or promised to others, one a line.

The lines are made of the code as it is and say nothing of classes and modules: `test_frozen.py` compares them with
`release/names.txt`, which the release of the fixture wrote. A line that goes missing is data that cannot be read any
more, a key that is another, or a promise that is broken.
"""

import ast
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NewType, Union, get_args, get_origin, get_type_hints

import msgspec
import orjson
from prometheus_client.metrics_core import Metric

import receiver
from receiver.channels import Outgoing
from receiver.channels.email import message_id
from receiver.channels.pagerduty import dedup_key
from receiver.channels.slack_blocks import parent
from receiver.channels.webhook import payload, sign
from receiver.clients.alert_payload import parse
from receiver.core import heartbeat, loaded_rules, soundness
from receiver.core.audit_log import Audit
from receiver.core.canary import Canary
from receiver.core.canary import tell as tell_canary
from receiver.core.classify import Received, incident_key, sort
from receiver.core.devices import Device
from receiver.core.events import AUDITED_AS, Action, Declare
from receiver.core.fetched_calendars import CalendarFetches
from receiver.core.fetched_calendars import tell as tell_calendar
from receiver.core.heartbeat import Beat, HeartbeatClock
from receiver.core.lifecycle import incident_id
from receiver.core.loaded_rules import LoadedRules
from receiver.core.model import Alert, Entry, Incident, Instant, Notification
from receiver.core.plan import PolicyVersion
from receiver.core.rate_limit import Bucket, RateLimitKey
from receiver.core.shared_fingerprints import fingerprint
from receiver.core.shift_log import HandoffMessage, ShiftEntry
from receiver.core.unreadable import told
from receiver.drill.script_file import DrillScript
from receiver.messages import Message
from receiver.messages.notice_text import fingerprint as notice_mark
from receiver.settings import Role, Settings
from receiver.store import schema
from receiver.store.codec import bucket_name
from receiver.telemetry.metrics import Metrics
from receiver.telemetry.otlp import root_of
from receiver.web.api.evidence_operations import Custody
from receiver.web.api.heartbeat_clocks import HeartbeatsApi
from receiver.web.api.incident_operations import Api
from receiver.web.api.incident_reports import Reporter
from receiver.web.api.openapi import describe as describe_api
from receiver.web.api.rosters import OnCallApi
from receiver.web.api.routes import endpoints
from receiver.web.auth.signing import Signing
from receiver.web.console.links import Links
from receiver.web.peers import PeersSeen
from receiver.web.recorder import line as recorded
from rules import reserved
from rules.document import json_schema
from rules.policy import Channel, Policy
from rules.stored import digest, rules_digest, stamp
from tests.core.guide import WHOLE

NOW = Instant(1_795_400_000_000_000)
KEY = "0123456789abcdef" * 4

STORED: Mapping[str, Any] = {
    "incident": Incident,
    "alert": Alert,
    "notification": Notification,
    "timeline entry": Entry,
    "heartbeat": HeartbeatClock,
    "canary": Canary,
    "loaded rules": LoadedRules,
    "calendar fetches": CalendarFetches,
    "shift entry": ShiftEntry,
    "device": Device,
    "handoff message": HandoffMessage,
    "bucket": Bucket,
    "audit entry": Audit,
    "policy": Policy,
    "drill script": DrillScript,
}
"""What is written whole, by field name, → its type; what a class is called says nothing."""


def names() -> list[str]:
    """All lines, sorted, each once."""
    made: Iterable[Callable[[], Iterable[str]]] = (
        _stored, _words, _tables, _audited, _policy_files, _settings, _roles, _reserved, _metrics, _api, _sent, _keys, _policies
    )  # fmt: skip
    return sorted({line for make in made for line in make()})


def _stored() -> Iterator[str]:
    for name, type_ in STORED.items():
        yield from describe(type_, f"stored {name}: ")


def describe(type_: Any, path: str, seen: tuple[Any, ...] = ()) -> Iterator[str]:
    """The fields of a type and the values of its enumerations, with the way to each."""
    origin, arguments = get_origin(type_), get_args(type_)
    if isinstance(type_, NewType) or origin is Annotated:
        yield from describe(arguments[0] if arguments else type_.__supertype__, path, seen)
    elif origin in {Union, UnionType}:
        for each in arguments:
            yield from describe(each, path, seen)
    elif origin is Literal:
        yield from (f"{path} = {value}" for value in arguments)
    elif isinstance(type_, type) and issubclass(type_, Enum):
        yield from (f"{path} = {each.value}" for each in type_)
    elif origin in {tuple, list, frozenset, set}:
        for each in arguments:
            yield from describe(each, f"{path}[]", seen) if each is not ... else ()
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        yield from describe(arguments[0], f"{path}{{key}}", seen)
        yield from describe(arguments[1], f"{path}{{}}", seen)
    elif fields := None if type_ in seen else fields_of(type_):
        for name, of in fields.items():
            yield from describe(of, f"{path}.{name}", (*seen, type_))
    elif type_ is not NoneType:
        yield f"{path}: {type_.__name__}" if type_ in {str, int, float, bool, bytes} else path


def fields_of(type_: Any) -> dict[str, Any]:
    """Field → type, as it is written; empty: it has none."""
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        hints = get_type_hints(type_, include_extras=True)
        return {each.encode_name: hints[each.name] for each in msgspec.structs.fields(type_)}
    if dataclasses.is_dataclass(type_):
        hints = get_type_hints(type_, include_extras=True)
        return {each.name: hints[each.name] for each in dataclasses.fields(type_)}
    if hasattr(type_, "model_fields"):
        return {each.alias or name: each.annotation for name, each in type_.model_fields.items()}
    return {}


def _words() -> Iterator[str]:
    """The names under which a line of a timeline keeps what it says, as far as the decisions write them out."""
    for path in Path(receiver.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr="enter"), args=[ast.Attribute(attr=fact), *_], keywords=[_, *_] as given
                ):
                    yield from (f"timeline {fact.lower()}: {each.arg}" for each in given if each.arg)


def _tables() -> Iterator[str]:
    for table in schema.metadata.sorted_tables:
        yield from (f"table {table.name}: {column.name} {column.type}" for column in table.columns)


def _audited() -> Iterator[str]:
    for each in (Declare, *get_args(Action)):
        yield from describe(each, f"audited {AUDITED_AS[each]}: ")


def _policy_files() -> Iterator[str]:
    yield from _described(json_schema(), "policy file: ")


def _described(document: Mapping[str, Any], path: str) -> Iterator[str]:
    """The properties and the listed values of a JSON schema; definitions are named only where it does not bring them."""
    known: Mapping[str, Any] = document.get("$defs", {})

    def walk(part: Any, path: str, seen: tuple[str, ...]) -> Iterator[str]:
        reference = part.get("$ref", "").rpartition("/")[2]
        if reference and not known:
            yield f"{path} is {reference}"
        elif reference and reference not in seen:
            yield from walk(known[reference], path, (*seen, reference))
        for value in (*part.get("enum", ()), *([part["const"]] if "const" in part else ())):
            yield f"{path} = {value}"
        for name, each in part.get("properties", {}).items():
            yield f"{path}.{name}"
            yield from walk(each, f"{path}.{name}", seen)
        for name in ("items", "additionalProperties", "propertyNames"):
            if isinstance(part.get(name), dict):
                yield from walk(part[name], f"{path}{'[]' if name == 'items' else '{}'}", seen)
        for each in (
            *part.get("anyOf", ()),
            *part.get("oneOf", ()),
            *part.get("allOf", ()),
            *part.get("prefixItems", ()),
        ):
            yield from walk(each, path, seen)
        for name, each in part.get("patternProperties", {}).items():
            yield from walk(each, f"{path}.<{name}>", seen)

    yield from walk(document, path, ())


def _settings() -> Iterator[str]:
    for name, each in Settings.model_fields.items():
        yield f"setting TOCSIN_{name.upper()}"
        if get_origin(each.annotation) is Literal:
            yield from (f"setting TOCSIN_{name.upper()} = {value}" for value in get_args(each.annotation))


def _roles() -> Iterator[str]:
    return (f"role {each.name.lower()} = {each.value}" for each in Role)


def _reserved() -> Iterator[str]:
    """Alerts, labels and annotations of our own: they stand in compiled rules and in what is stored."""
    for value in vars(reserved).values():
        if isinstance(value, str) and not value.startswith(reserved.__name__):
            if "\n" not in value and " " not in value and "/" not in value:
                yield f"reserved {value}"
        elif isinstance(value, tuple | frozenset) and all(isinstance(each, str) for each in value):
            yield from (f"reserved {each}" for each in value)


def _metrics() -> Iterator[str]:
    metrics = Metrics()
    for family in (*metrics.registry.collect(), *metrics.named.collect()):
        assert isinstance(family, Metric)
        if not family.name.startswith(("python_", "process_")):
            yield f"metric {family.name} {family.type}"


def _api() -> Iterator[str]:
    """Operations and what they take and give."""
    kinds = (Api, Reporter, HeartbeatsApi, OnCallApi, Custody)
    made: list[Any] = [object.__new__(kind) for kind in kinds]  # described only, never called
    document = describe_api(endpoints(*made), "0")
    schemas = document["components"]["schemas"]
    for name, schema_ in schemas.items():
        yield from (f"api schema {name}", *_described(schema_, f"api schema {name}"))
    for path, operations in document["paths"].items():
        for method, each in operations.items():
            name = f"api {method.upper()} {path}"
            yield f"{name} is {each.get('operationId')}"
            yield from (f"{name} takes {given['in']} {given['name']}" for given in each.get("parameters", ()))
            parts = {"takes": each.get("requestBody", {}), **each["responses"]}
            for status, part in parts.items():
                for content in part.get("content", {}).values():
                    yield from _described(content.get("schema", {}), f"{name} {status}")


def _sent() -> Iterator[str]:
    """What others get, and send back much later."""
    yield from (f"webhook channel: {line}" for line in _shape(payload(_outgoing())))
    for block in parent(_message(), _incident(), "n", "", buttons=True):
        for each in block.get("elements", ()):
            if each.get("type") == "button":
                yield f"slack button: {block['block_id']} {each['action_id']} {each['value']}"
    body = orjson.dumps({"alerts": [], "groupLabels": {}, "truncatedAlerts": 0})
    yield f"recorded webhook: {recorded(NOW, 's', body).decode().strip()}"


def _shape(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _shape(each, f"{path}.{name}")
    elif isinstance(value, list):
        for each in value:
            yield from _shape(each, f"{path}[]")
    else:
        yield path


def _incident() -> Incident:
    return Incident(
        id="0661db3a4b400040a1", key="k", policy="p", level=3, type="t", title="T", opened_at=NOW, response_due_at=NOW,
        number=12,
    )  # fmt: skip


def _message() -> Message:
    return Message(
        subject="s", text="t", html="h", short="s", speech="s", headline="h", facts=(), paragraphs=(),
        links=(("Incident", "https://tocsin.example.test/incidents/12"),), level=3, severity="error", lead="l", live=True,
    )  # fmt: skip


def _outgoing() -> Outgoing:
    row = {"sequence": 7, "kind": "page", "reason": "opened", "channel": "c", "recipient": "r", "level": 3}
    times = {"created_at": NOW, "due_at": NOW, "give_up_at": NOW}
    notification = msgspec.convert({"id": "i-7", "incident_id": "i", **row, **times}, Notification)
    return Outgoing(
        notification, Channel("c", "webhook"), _message(), "", "inst-i-7", "inst-i", _incident(), range(1, 2), "i-7"
    )


LINK_OF_BEFORE = "https://t.example.test/act/12-7-25cb17acf5661dc209e02fd79385618a"
"""As versions before wrote it: it stays good as long as it lasts."""


def _keys() -> Iterator[str]:
    """The bytes behind keys, fingerprints, hashes, signatures and links, of what is given here."""
    ours = {
        "unreadable": told("src", ["why"], NOW),
        "database": soundness.tell_rows([("incident", "1", "why")], NOW),
        "canary": tell_canary("slack", None, Canary(NOW, failures=2, failing_since=NOW)),
        "rules": loaded_rules.tell(LoadedRules({"s": {"d": NOW}}), NOW),
        "old calendar": tell_calendar("primary", None, CalendarFetches("u", NOW, NOW, old_since=NOW)),
        "thinner calendar": tell_calendar("primary", None, CalendarFetches("u", NOW, NOW, thinner_since=NOW)),
    }
    for name, event in ours.items():
        assert event is not None
        yield f"key of our own {name}: {event.key} {event.alerts[0].fingerprint} {event.alerts[0].rule} {event.alerts[0].type}"
    beat = Beat("src", {"alertname": "Watchdog", "cluster": "ü"}, "f", NOW, NOW)
    signing = Signing(KEY, lambda: NOW)
    webhook = incident_key(("src", "HighLoad", (("zone", "ü"), ("a", "b"))))
    alerts = (Received({"alertname": "HighLoad", "severity": "critical", "a": 'é"'}, {}, "f", NOW),)
    body = b'{"alerts":[{"status":"firing","labels":{"a":"\xc3\xa9","b":"c"},"startsAt":"2026-11-23T02:13:20.123456789Z"}]}'
    links = Links(signing, "inst", "https://t.example.test")
    made = {
        "incident, group": webhook,
        "incident, signal": incident_key(("src", "payments", "error_rate")),
        "incident, sorted": sort(PolicyVersion.of(WHOLE, digest(WHOLE)), "src", {"a": 'é"'}, alerts)[0].key,
        "incident, declared": incident_key(("declared", "idempotency")),
        "incident, heartbeat": heartbeat.KEY,
        "incident's id": incident_id(webhook, NOW),
        "heartbeat": beat.key,
        "fingerprint": fingerprint({"b": "ü", "a": "1"}),
        "fingerprint, parsed": f"{parse(body, NOW).alerts[0].fingerprint} {parse(body, NOW).alerts[0].starts_at}",
        "Alertmanager": PeersSeen().hear("src", "http://am:9093", "{}:{a=b}")[0],
        "lane": bucket_name(RateLimitKey("slack", "#ops", 3)),
        "link": LINK_OF_BEFORE if links.tokens.read(LINK_OF_BEFORE.rpartition("/")[2]) else "",
        "short link": links.url(_incident(), f"{_incident().id}-7"),
        "token": signing.sign("session", {"name": "ada"}, 1),
        "csrf": signing.seal("csrf", "ada"),
        "webhook's signature": sign("s", "1", b"{}"),
        "PagerDuty": f"{dedup_key(_outgoing(), 3)} {dedup_key(dataclasses.replace(_outgoing(), incident_ref='x' * 300), 3)}",
        "mail": message_id(_outgoing(), "example.test"),
        "notice": notice_mark("s", "b"),
        "trace": f"{root_of('i'):x}",
    }
    yield from (f"bytes of {name}: {value}" for name, value in made.items())


def _policies() -> Iterator[str]:
    """What compiled rules carry. A version's own bytes are in the database: each new field makes new versions."""
    yield f"bytes of a policy's rules: {rules_digest(WHOLE)} {' '.join(stamp(WHOLE))}"
