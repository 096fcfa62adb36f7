"""Makes the database of a release: `python -m tests.store.release.make`, in the repository's root.

It was run once, with the code of the release that `tests/web/test_release.py` speaks of, and what it wrote is kept:
`tocsin.db.gz` (every table has rows, every kind of thing that is stored occurs), `expected.json` (the audit log's head,
links, a session, and what the webhooks in it were answered), beside `policy/`, which it read. Running it again, with
later code, would make a fixture of that release, and prove nothing about this one.
"""

import gzip
import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory
from types import NoneType, UnionType
from typing import Any, NewType, Union, get_args, get_origin

from aiohttp import web
from msgspec.structs import replace

from receiver.clients.alert_payload import parse
from receiver.core.audit_log import Origin, audit_of
from receiver.core.canary import Canary
from receiver.core.classify import sort
from receiver.core.events import (
    Acknowledge,
    Action,
    AddFollowUp,
    ApproveNotice,
    Assign,
    Change,
    Declare,
    Delivered,
    Escalate,
    FinishFollowUp,
    Handover,
    Note,
    RejectNotice,
    Replan,
    Resolve,
    Silenced,
    Tick,
    Update,
)
from receiver.core.heartbeat import Beat
from receiver.core.loaded_rules import LoadedRules, update
from receiver.core.model import Alert, Entry, Fact, Incident, Instant, Kind, Notification, Reason, State, Status
from receiver.core.response import Impact
from receiver.core.storage import Changes
from receiver.engine.commands import Asked, ForIncident, OutcomeReport
from receiver.engine.engine import Engine
from receiver.settings import Role, Settings
from receiver.store import SqlStore, open_store
from receiver.web.auth.sessions import Sessions
from receiver.web.auth.signing import Signing
from receiver.web.console.links import Links
from rules.load import load
from rules.policy import HOUR, MINUTE, SECOND, Micros
from tests.store.frozen import fields_of

HERE = Path(__file__).parent
POLICY = HERE / "policy"
END = Instant(1_795_400_000_000_000)
"""2026-11-23T02:13:20Z: where `tests.web.conftest.StillClock` stands, when the release stopped serving."""

BEGIN = Instant(END - 6 * HOUR)
FAR = Instant(END + 480_000 * HOUR)
URL = "https://tocsin.example.test"
ENVIRON = {"TOCSIN_API_TOKENS": "ann:admin:token", "TOCSIN_EXTERNAL_URL": URL}
ADA = Origin("ada", "console", "10.0.0.7")


class Release:
    """A service of the release, as far as what it stores goes."""

    def __init__(self, store: SqlStore) -> None:
        self.now = BEGIN
        self.store = store
        self.policy = load([POLICY.relative_to(Path.cwd())])
        self.channels = [channel.name for channel in self.policy.channels]
        self.engine = Engine(store, self.policy, self.channels, self.now)
        self.bodies: list[dict[str, Any]] = []

    def wait(self, micros: int) -> None:
        """Time passes; what is due happens, at its time by the minute."""
        until = Instant(self.now + micros)
        while self.now < until:
            self.now = Instant(min(self.now + MINUTE, until))
            self.engine.fire_due(self.now)

    def send(self, name: str, *, ends: bool = False, began: int = 0, source: str = "", **labels: str) -> int:
        """Alertmanager tells of an alert; the number of its incident."""
        starts_at = _rfc3339(self.now - began)
        alert = {
            "status": "resolved" if ends else "firing",
            "labels": {"alertname": name, "unit": "ü-1", **labels},
            "annotations": {"summary": f"{name} is odd"},
            "startsAt": starts_at,
            "endsAt": _rfc3339(self.now) if ends else "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.example.test/graph",
        }
        document = {
            "version": "4",
            "groupKey": f'{{}}:{{alertname="{name}"}}',
            "groupLabels": {"alertname": name},
            "externalURL": "http://alertmanager.example.test",
            "alerts": [alert],
        }
        body = json.dumps(document)
        payload = parse(body.encode(), self.now)
        events = sort(self.engine.current, source, payload.group_labels, payload.alerts)
        numbers = sorted(each.incident.number for each in self.engine.handle(events, self.now) if each.incident)
        self.bodies = [each for each in self.bodies if each["name"] != name]
        self.bodies.append({"name": name, "source": source, "body": body, "numbers": numbers})
        (number,) = numbers
        return number

    def ask(self, number: int, action: Action, origin: Origin = ADA) -> None:
        """A person does something."""
        incident = self.incident(number)
        self.engine.handle([Asked(ForIncident(incident.id, action), origin)], self.now)

    def incident(self, number: int) -> Incident:
        """As it is stored."""
        found = self.store.reads().by_number(number)
        assert found is not None
        return found

    def deliver(self) -> None:
        """What is due is sent and taken."""
        while claimed := self.engine.claim(self.now, "release"):
            sent = [each for delivery in claimed for each, _ in delivery.items]
            self.engine.report([OutcomeReport(each, Delivered(f"ref-{each.id}")) for each in sent], self.now)


def _rfc3339(at: int) -> str:
    return f"{datetime.fromtimestamp(at / SECOND, UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def make(path: Path) -> dict[str, Any]:
    """Write the database; returns what is expected of it."""
    store = open_store(f"sqlite:///{path}")
    release = Release(store)
    numbers = _live(release)
    _write_all_kinds(release)
    expected = _expected(release, numbers)
    store.close()
    return expected


def _live(release: Release) -> dict[str, int]:
    """Six hours of a release's life; the incidents by what became of them."""
    numbers: dict[str, int] = {}
    older = replace_retention(release)
    numbers["of an older policy"] = release.send("Old", severity="critical")
    release.engine.adopt(release.policy, release.channels)
    assert release.incident(numbers["of an older policy"]).policy == older
    numbers["watched"] = release.send("Gone", severity="warning")
    release.deliver()
    release.wait(MINUTE)
    release.send("Gone", ends=True, began=MINUTE, severity="warning")
    release.wait(3 * HOUR)
    _act(release, release.send("Busy", severity="critical"))
    numbers["acted on"] = release.send("Busy", severity="critical")
    numbers["acknowledged"] = release.send("Taken", severity="critical")
    release.ask(numbers["acknowledged"], Acknowledge("ada", hold=10 * HOUR))
    numbers["silenced"] = release.send("Quiet", severity="warning")
    quiet = release.incident(numbers["silenced"])
    release.engine.handle([Silenced(quiet.key, 1, Instant(END + 2 * HOUR), "ada: disk swap")], release.now)
    numbers["resolved"] = release.send("Over", severity="warning")
    release.deliver()
    release.ask(numbers["resolved"], Acknowledge("ada"))
    release.wait(5 * MINUTE)
    release.send("Over", ends=True, began=5 * MINUTE, severity="warning")
    numbers["recorded"] = release.send("Whisper", severity="none")
    numbers["declared"] = _declare(release)
    release.wait(END - release.now - 10 * MINUTE)
    numbers["flapping"] = _flap(release)
    release.engine.standing.verifies = True
    numbers["asked about"] = release.send("Doubt", severity="critical", source="grafana")
    numbers["open, 4"] = release.send("Fire", severity="P2", source="grafana")
    release.deliver()
    release.wait(END - release.now - MINUTE)
    numbers["recovering"] = release.send("Better", severity="critical")
    release.wait(30 * SECOND)
    release.send("Better", ends=True, began=30 * SECOND, severity="critical")
    numbers["fresh"] = release.send("Fresh", severity="emergency")
    release.engine.claim(release.now, "gone")  # leased by a process that is gone
    release.wait(END - release.now)
    return numbers


def replace_retention(release: Release) -> str:
    """Take an older version into use, and keep the newer."""
    import dataclasses  # noqa: PLC0415 - of policies; what is stored otherwise is msgspec's

    older = dataclasses.replace(release.policy, retention=Micros(24 * HOUR))
    release.engine.keep_policy(older, release.now)
    release.engine.adopt(older, release.channels)
    return release.engine.current.digest


def _declare(release: Release) -> int:
    what = Declare("d" * 64, "engine_failure", "ada", 3, "smoke", "seen", {"hangar": "7"}, exercise=True, new_type=True)
    (result,) = release.engine.handle([Asked(what, ADA)], release.now)
    assert result.incident is not None
    return result.incident.number


def _flap(release: Release) -> int:
    for _ in range(6):
        release.send("Flap", severity="warning")
        release.wait(20 * SECOND)
        release.send("Flap", ends=True, began=20 * SECOND, severity="warning")
        release.wait(20 * SECOND)
    return release.send("Flap", severity="warning")


def _act(release: Release, number: int) -> None:
    """Everything that people do, each once at least."""
    release.wait(HOUR + MINUTE)  # past the response time: a notice is held for the group outside
    release.deliver()
    step = next(iter(release.incident(number).response.checklists.attached))
    done: tuple[Action, ...] = (
        ApproveNotice("ada", "n1", "We know", "We are at it"),
        Acknowledge("ada", "mine", 10 * HOUR, State.OPEN),
        RejectNotice("ada", "n2", "not yet"),
        Escalate("ada", "help"),
        Acknowledge("ada", "again", 10 * HOUR),
        Note("ada", "looking"),
        Update("ada", "better"),
        Change("ada", 4, "worse than thought", {"root_cause": "a cable", "revenue_impact": "0.3"}),
        Replan("ada"),
        Tick("ada", f"{step}.1", note="did it", link="https://wiki.example.test"),
        Tick("ada", f"{step}.2"),
        Tick("ada", f"{step}.2", done=False),
        Handover("ada", "ben", "my shift ends"),
        Assign("ben", "incident_commander", "cid", "you know it"),
        AddFollowUp("ben", "buy a cable", "cid", Instant(END + 2 * HOUR)),
        AddFollowUp("ben", "label it"),
        FinishFollowUp("ben", "f2", "labelled"),
        Resolve("ben", "not over", force=False),
    )
    assert {type(each) for each in done} == set(get_args(Action)), "an action is missing"
    for each in done:
        release.ask(number, each)
    release.deliver()


def _write_all_kinds(release: Release) -> None:
    """One closed incident with every field set and every kind of message and entry, and the tables beside."""
    store, now = release.store, release.now
    with store.transaction() as transaction:
        number = transaction.next_numbers(1)
        whole = filled(
            Incident, id="filled", key="filled", number=number, state=State.CLOSED, closed_at=END, source="old"
        )
        whole = replace(whole, policy=release.engine.current.digest, windows=dict.fromkeys(whole.windows, FAR))
        whole = replace(whole, response=replace(whole.response, impacts={"revenue_impact": Impact("high", "0.3")}))
        alert = filled(Alert, fingerprint="filled", firing=False, held_until=None, level=2)
        entries = [Entry("filled", place, now, fact, "ada", {"level": "3"}) for place, fact in enumerate(Fact, 1)]
        entries = [replace(each, data={**each.data, "why": "ü"}) for each in entries]
        kinds = [(kind, Reason.OPENED) for kind in Kind] + [(Kind.PAGE, reason) for reason in Reason]
        messages = [_message(place, kind, reason) for place, (kind, reason) in enumerate(kinds, 1)]
        messages += [_message(len(kinds) + place, status=status) for place, status in enumerate(list(Status)[1:], 1)]
        transaction.save(Changes([whole], [], [(whole, alert)], messages, [], [], entries))
        pages = [each for incident in release.store.reads().incidents()[0] for each in _pages(release, incident)]
        transaction.keep_bundles({f"{pages[0].id}-{now}": [each.id for each in pages[:2]]})
        transaction.note_damage("alert", "elsewhere", "it cannot be read, and was set aside")
    beat = Beat("eu", {"alertname": "Watchdog", "cluster": "eu"}, "f", now, now)
    store.hear([beat, replace(beat, source="us")])
    entry = audit_of(Origin("ada", "api"), now, "retire-heartbeat", data={"heartbeat": "us"})
    store.retire_heartbeat(replace(beat, source="us").key, entry)
    release.engine.audit([audit_of(Origin("ada", "console", "::1", "login 1"), now, "login", data={"by": "token"})])
    store.keep_canary("slack", filled(Canary, tried_at=now))
    store.keep_loaded_rules(None, update(LoadedRules(), {"eu": {"d" * 16: now}}, "replica", "e" * 16, now))


def _message(
    sequence: int, kind: Kind = Kind.PAGE, reason: Reason = Reason.OPENED, status: Status = Status.DELIVERED
) -> Notification:
    return filled(
        Notification, id=f"filled-{sequence}", incident_id="filled", sequence=sequence, kind=kind, reason=reason,
        status=status, due_at=None, bundle_at=None, channel="email", leased_by="",
    )  # fmt: skip


def filled(type_: Any, **fields: Any) -> Any:
    """One with a value in every field that is not its default."""
    return type_(**{name: _value(each) for name, each in fields_of(type_).items()} | fields)


def _value(type_: Any) -> Any:
    """A value of a field's type."""
    origin, arguments = get_origin(type_), get_args(type_)
    if isinstance(type_, NewType):
        return 3
    if origin in {Union, UnionType}:
        return _value(next(each for each in arguments if each is not NoneType))
    if origin is tuple:
        return tuple(_value(each) for each in arguments if each is not ...)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        names = list(arguments[0]) if arguments[0] is not str else ["ü"]
        return dict.fromkeys(names, _value(arguments[1]))
    if issubclass(type_, Enum):
        return list(type_)[-1]
    return {bool: True, int: 3, str: "ü"}[type_] if type_ in {bool, int, str} else filled(type_)


def _pages(release: Release, incident: Incident) -> list[Notification]:
    """The newest page by mail of an incident that is open."""
    mails = [each for each in release.store.reads().notifications(incident.id) if each.channel == "email"]
    pages = [each for each in mails if each.kind is Kind.PAGE and each.page]
    return pages[-1:] if incident.state is State.OPEN else []


def _expected(release: Release, numbers: Mapping[str, int]) -> dict[str, Any]:
    store, settings = release.store, Settings.read(ENVIRON)
    signing = Signing(settings.key(store.key), lambda: END)
    links = Links(signing, store.installation, URL)
    found = [release.incident(number) for number in dict.fromkeys(numbers.values())]
    pages = {each.number: _pages(release, each) for each in found}
    (bundle,) = _rows(store, "SELECT name, incident_id FROM bundles")
    first = store.reads().incident(bundle[1])
    assert first is not None
    response, sessions = web.Response(), Sessions(settings, signing)
    sessions.begin(response, "token", "ann", Role.ADMIN)
    ((cookie, morsel),) = response.cookies.items()
    return {
        "audit head": "{} {}".format(*store.verify_audit()),
        "numbers": dict(numbers),
        "states": {each.number: each.state for each in found},
        "bodies": release.bodies,
        "links": {
            each.number: links.url(each, pages[each.number][0].id).removeprefix(URL)
            for each in found
            if pages[each.number]
        },
        "link of several": links.url(first, bundle[0]).removeprefix(URL),
        "cookie": f"{cookie}={morsel.value}",
        "csrf": signing.seal("csrf", morsel.value),
    }


def _rows(store: SqlStore, sql: str) -> list[Any]:
    with store._database.read() as connection:
        return list(connection.exec_driver_sql(sql))


def main() -> None:
    """Write the files beside this one."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tocsin.db"
        expected = make(path)
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = delete")
            connection.execute("VACUUM")
        (HERE / "tocsin.db.gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
