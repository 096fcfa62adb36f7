"""A reader: at a random moment the console's pages and the reports, and the reports again at the end."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from receiver.cli.incident_told import row
from receiver.cli.incident_told import told as lines_of
from receiver.core.closing import outstanding
from receiver.core.duties import running
from receiver.core.model import Fact, Incident, Instant, State
from receiver.engine.commands import Result
from receiver.messages.deadlines import deadlines
from receiver.messages.plain import plain
from receiver.messages.timeline import sentence
from receiver.messages.times import rfc3339
from receiver.reports.held_drill import held
from receiver.reports.incident_record import IncidentRecord
from receiver.reports.incident_report import write
from receiver.reports.period import review
from receiver.reports.queries import Records
from receiver.reports.render import content_hash
from receiver.reports.report import Report
from receiver.reports.training_roster import training
from receiver.store import SqlStore
from receiver.web.api.views import show_incident
from receiver.web.callbacks.actions import outcome_of
from receiver.web.console.incident_page_data import Reader, Shown
from receiver.web.console.pages import draw
from rules.policy import MINUTE
from tests.core.truth import (
    WORDS,
    Record,
    UntrueError,
    check,
    check_drills,
    check_history,
    check_now,
    check_period,
    check_reply,
    check_report_page,
    check_shell_row,
    page_text,
    report_text,
)
from tests.core.truth.record import moment
from tests.faults.mirror import Broken
from tests.faults.shelf import Shelf
from tests.faults.stores import database

if TYPE_CHECKING:
    from tests.faults.world import World


class Onlooker:
    """Reads what is shown, and asks whether it is so."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._dice = Random(f"{world.seed}, who reads")

    def plan(self, begins: int, lasts: int) -> None:
        """When it will look."""
        self.world.at(begins + self._dice.randrange(lasts), self.look)

    def hear(self, result: Result) -> None:
        """Checks the replies to an action in Slack, by SMS and on the telephone; notes of the person are no reply."""
        if result.incident is None:
            return
        record = self.world.mirror.record(result.incident, self.world.now)
        try:
            check_reply(self.world.lie.reply(outcome_of(result).words), record)
        except UntrueError as lie:
            raise Broken(str(lie)) from lie

    def look(self) -> None:
        """At everything."""
        self._read_lists()
        self.read_periods()
        for incident in [*self.world.mirror.incidents.values()]:
            self.read_report(incident)
            self._read_pages(incident)
            self._read_report_page(incident)

    def read_report(self, incident: Incident) -> None:
        """The report, as it would be made now."""
        if self._context() is None:
            return
        record = self.world.mirror.record(incident, self.world.now)
        lines = {
            _line(f"{moment(each.at):%Y-%m-%d %H:%M:%S}", sentence(each), each.by or "Tocsin")
            for each in record.entries
        }
        told = IncidentRecord(self._case(record), list(record.alerts), record.entries, list(record.notifications))
        report = write(self.world.lie.record(told))
        self._check(report_text(report), record, lines)

    def read_periods(self) -> None:
        """The reports of the last day's part, its incidents and its drills."""
        now, lie, policy = self.world.now, self.world.lie, self.world.policy
        since = Instant(now - self._dice.randrange(1, 24 * 60) * MINUTE)
        reads = SqlStore(database()).reads()
        records = [self.world.mirror.record(each, now) for each in self._known()]
        drills = [held(*each) for each in reads.drills(since, now)]
        try:
            check_period(review(lie.tallies(reads.tallies(since, now)), policy, since, now), records, since, now)
            check_drills(training(lie.drills(drills), policy, since, now), records, since, now)
        except UntrueError as told:
            raise Broken(str(told)) from told

    def report(self, incident: Incident) -> Report | None:
        """As the console would show it now; None: no process is there."""
        worker = next((each for each in self.world.workers if each.engine is not None), None)
        if worker is None or worker.engine is None:
            return None
        return Records(SqlStore(database()).reads(), WORDS, worker.engine).incident(incident, self.world.now, "cleo")

    def _read_report_page(self, incident: Incident) -> None:
        """What is approved, and what may be."""
        report = self.report(incident)
        if report is None:
            return
        shown = draw(
            "report.html",
            self.world.now,
            number=incident.number,
            report=report,
            sha256=content_hash(report),
            approved=self.world.lie.approved(incident.response.reports),
            may_approve=True,
            csrf="",
        )
        self._try(check_report_page, str(shown.text), self.world.mirror.record(incident, self.world.now))

    def _case(self, record: Record) -> Any:
        firing = sorted(record.firing, key=lambda each: (-each.level, each.starts_at))
        lie = self.world.lie
        return WORDS.case(lie.incident(record.incident), self._context(), self.world.now, lie.alerts(firing))

    def _context(self) -> Any:
        worker = next((each for each in self.world.workers if each.engine is not None), None)
        return worker.engine.context(self.world.version) if worker and worker.engine else None

    def _read_pages(self, incident: Incident) -> None:
        """Its own page, and its card among those that need a person."""
        context = self._context()
        if context is None:
            return
        record = self.world.mirror.record(incident, self.world.now)
        reads = SqlStore(database()).reads()
        engine = SimpleNamespace(context=lambda _version: context)
        api = SimpleNamespace(policy_version=lambda _incident: self.world.version)
        notices = SimpleNamespace(show_notices=lambda _incident: SimpleNamespace(notices=()))
        none_owed = SimpleNamespace(show=lambda _incident: SimpleNamespace(obligations=()))
        reader = Reader(cast("Any", engine), reads, cast("Any", api), cast("Any", notices), cast("Any", none_owed))
        told = self.world.lie.incident(incident)
        reading = reader.read(told, self.world.now, Shown())
        shown = draw(
            "incident.html",
            self.world.now,
            reading=reading,
            case=reading.case,
            incident=told,
            deadlines=deadlines(told, reading.case.context.policy_version, self.world.now),
            levels=reading.case.policy.levels,
            forms=(),
            may_act=False,
            may_approve=False,
            said="",
            problem=None,
            action="",
            typed={},
            typed_for=lambda *_: "",
            csrf="",
        )
        self._read_shell(reading.case, record)
        lines = {_line(f"@{each.at}@", f"{each.by} {_written(each)}") for each in record.entries}
        self._check(page_text(shown.text or "", self._instants(record)), record, lines)

    def _read_shell(self, case: Any, record: Record) -> None:
        """What `tocsin show` prints of it, by the API's answer."""
        version = self.world.version
        alerts = sorted(record.alerts, key=lambda each: (not each.firing, -each.level, -each.starts_at))
        missing = outstanding(case.incident, version) if case.incident.state is State.RESOLVED else []
        told = WORDS.case(case.incident, case.context, case.now, case.alerts)
        view = show_incident(told, alerts, running(case.incident, version), missing)
        said = "\n".join(lines_of(self.world.lie.shell(view.model_dump(mode="json"))))
        self._check(_SECOND.sub(_in_utc, said), record, set())
        listed = self.world.lie.listed(view.model_dump(mode="json"))
        self._try(check_shell_row, [_SECOND.sub(_in_utc, str(each)) for each in row(listed)], record)

    def _read_lists(self) -> None:
        """Now and History, as they are drawn for everybody."""
        context = self._context()
        if context is None:
            return
        records = {each.number: self.world.mirror.record(each, self.world.now) for each in self._known()}
        shown = Shelf(self.world, context)
        try:
            check_now(shown.now(), records, self._instants_of(records.values()))
            check_history(shown.history(), records, self._instants_of(records.values()))
        except UntrueError as lie:
            raise Broken(str(lie)) from lie

    def _known(self) -> list[Incident]:
        return [*self.world.mirror.incidents.values()]

    def _instants_of(self, records: Iterable[Record]) -> dict[str, int]:
        return {words: at for each in records for words, at in self._instants(each).items()}

    def _instants(self, record: Record) -> dict[str, int]:
        """How a page writes the instants that the record has."""
        incident = record.incident
        known = {
            *incident.windows.values(),
            *(each.at for each in record.entries),
            *(at for each in record.alerts for at in (each.starts_at, each.ended_at, *each.firings)),
            *(at for each in record.notifications for at in (each.created_at, each.done_at, each.due_at)),
            *(each.due_at for each in incident.response.duties.values()),
            *(at for each in incident.response.follow_ups for at in (each.due_at, each.done_at)),
            *(incident.opened_at, incident.response_due_at, incident.resolved_at, incident.acknowledged_at),
            self.world.now,
        }
        return {rfc3339(at): at for at in known if at is not None}

    def _try(self, check: Callable[[Any, Record], None], told: Any, record: Record) -> None:
        try:
            check(told, record)
        except UntrueError as lie:
            raise Broken(f"#{record.incident.number}: {lie}") from lie

    def _check(self, text: str, record: Record, lines: set[tuple[str, ...]]) -> None:
        self._try(check, text, replace(record, lines=frozenset(lines)))


_SECOND = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) [A-Z0-9+-]+")
"""A time as a shell tells it, in its machine's zone, which it names."""


def _in_utc(found: re.Match[str]) -> str:
    return f"{datetime.fromisoformat(found[1]).astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _line(*parts: str) -> tuple[str, ...]:
    return tuple(" ".join(each.lower().split()) for each in parts)


def _written(entry: Any) -> str:
    written = plain(entry.data.get("text", "")) if entry.fact in {Fact.NOTED, Fact.UPDATED} else ""
    return written or sentence(entry)
