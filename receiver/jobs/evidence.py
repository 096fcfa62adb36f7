"""Answers the core's inquiries: queries Prometheus about an incident's signals, and passes the answer on as an event.

The service runs `observe` where PROMETHEUS_URL is set. `receiver.core.evidence` decides about deadlines and the meaning
of answers. A query that fails is repeated until the core gives up.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, isfinite

import orjson
import structlog

from receiver.clients.egress import Egress
from receiver.clients.prometheus import AnswerTooLong, Prometheus, QueryFailed, Series
from receiver.core.inquiry import Answered, Exhibit, Inquiry
from receiver.core.model import Alert, Incident, Instant
from receiver.core.plan import PolicyVersion
from receiver.engine.commands import FromPrometheus
from receiver.engine.engine import Engine
from receiver.engine.queue import CommandQueue
from receiver.errors import TocsinError
from receiver.reports.queries import Records
from receiver.settings import Settings
from receiver.store import Reads
from rules.condition import ConditionError, parse
from rules.policy import MINUTE, SECOND
from rules.reserved import LABELS

LOOK_EVERY = 0.5
"""Seconds between reads of open inquiries."""

AFTER_FAILURE = 5.0
"""Seconds until the next query after Prometheus did not answer."""

AT_ONCE = 8
"""Incidents queried concurrently."""

BEFORE = 30 * MINUTE
"""Microseconds before the opening that are included in the stored data."""

POINTS, MOST_SERIES, MOST_RULES = 120, 6, 3
"""Limits of the data stored per inquiry."""

FINE = 2400
"""Points requested, down to one per second: enough to include a violation that lasted one scrape."""

NAME = 1000
"""Characters of a series' name that are stored."""

OURS = LABELS | {"__name__"}
"""Labels that do not identify the unit of a series."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Question:
    """A rule's query: its condition, and the signals in it."""

    condition: str
    subjects: tuple[str, ...]
    threshold: str = ""


def make_observer(
    settings: Settings, queue: CommandQueue, engine: Engine, reads: Reads, records: Records
) -> "Observer | None":
    """The observer, and tell the engine that it exists; None where no Prometheus is configured."""
    if settings.prometheus_url is None:
        return None
    engine.standing.verifies = True
    return Observer(queue, reads, records, Prometheus(settings.prometheus_url, egress=Egress.of(settings)))


class Observer:
    """Reads open inquiries and answers them."""

    def __init__(self, queue: CommandQueue, reads: Reads, records: Records, prometheus: Prometheus) -> None:
        self._queue = queue
        self._reads = reads
        self._records = records
        self._prometheus = prometheus
        self._problem = ""

    async def observe(self) -> None:
        """Run until cancelled."""
        while True:
            try:
                await self.answer_open()
                reason = ""
            except TocsinError as error:
                reason = str(error)
            except Exception:
                log.exception("answering inquiries failed; continuing")
                reason = "internal error"
            if reason and reason != self._problem:
                log.warning("Prometheus cannot be asked", reason=reason)
            self._problem = reason
            await asyncio.sleep(AFTER_FAILURE if reason else LOOK_EVERY)

    async def answer_open(self) -> None:
        """Answer open inquiries. Raises QueryFailed where one cannot be answered yet, and StoreUnavailable."""
        found = await self._queue.read(self._reads.inquiring, AT_ONCE)
        ends = await asyncio.gather(*(self._answer(incident) for incident in found), return_exceptions=True)
        for failure in filter(None, ends):
            raise failure

    async def close(self) -> None:
        """Close the connections."""
        await self._prometheus.close()

    async def _answer(self, incident: Incident) -> None:
        """Answer an incident's inquiries; the check first, because a person waits for it. Raises QueryFailed."""
        policy_version = await self._queue.read(self._records.policy_version, incident)
        alerts = await self._queue.read(self._reads.alerts, incident.id)
        asked = questions(incident, policy_version, alerts)
        for inquiry in sorted(incident.inquiries, key=lambda each: each is not Inquiry.CHECK):
            try:
                answer = await self._ask(inquiry, incident, asked, alerts)
            except QueryFailed as error:
                if not error.final:
                    raise
                answer = Answered(inquiry, detail=f"Prometheus refuses the question: {error.reason}")
            await self._queue.handle([FromPrometheus(incident.id, answer)])

    async def _ask(
        self, inquiry: Inquiry, incident: Incident, asked: Sequence[Question], alerts: Sequence[Alert]
    ) -> Answered:
        if inquiry is Inquiry.CHECK:
            return await self._check(asked, alerts)
        began = min([incident.opened_at, *(alert.starts_at for alert in alerts)])
        end = incident.resolved_at if inquiry is Inquiry.RESOLVED and incident.resolved_at else self._queue.clock()
        end = max([end, *(alert.starts_at for alert in alerts)])  # Prometheus's clock may be ahead
        exhibits = []
        for question in asked[:MOST_RULES]:
            for subject in question.subjects[:1]:
                found = await self._course(subject, Instant(began - BEFORE), end)
                kept = _kept(series for series in found if concerns(series.labels, alerts))
                exhibits.append(Exhibit(subject, kept, question.threshold))
        return Answered(inquiry, exhibits=tuple(exhibits))

    async def _course(self, expr: str, start: Instant, end: Instant) -> list[Series]:
        """A range query at FINE, or POINTS if the answer is too long. The last point is at or after the end."""
        try:
            return await self._prometheus.query_range(expr, *_steps(start, end, FINE))
        except AnswerTooLong:
            return await self._prometheus.query_range(expr, *_steps(start, end, POINTS))

    async def _check(self, asked: Sequence[Question], alerts: Sequence[Alert]) -> Answered:
        """Check that all conditions are false, and that their signals have data."""
        said: list[str] = []
        blind: list[str] = []
        for question in asked:
            bad = await self._prometheus.query(question.condition)
            still = [series for series in bad if concerns(series.labels, alerts)]
            if still:
                return Answered(Inquiry.CHECK, ok=False, detail=f"{question.condition} still holds: {_values(still)}")
            for subject in question.subjects:
                now = await self._prometheus.query(subject)
                known = [series for series in now if series.points and concerns(series.labels, alerts)]
                said += [f"{subject} is {_values(known)}"] if known else []
                blind += [] if known else [subject]
        if blind:
            return Answered(Inquiry.CHECK, ok=None, detail=f"no data for {', '.join(blind)}")
        return Answered(Inquiry.CHECK, ok=True, detail="; ".join(said) or "no rule of the policy to ask about")


def questions(incident: Incident, policy_version: PolicyVersion, alerts: Sequence[Alert] = ()) -> list[Question]:
    """The queries of the policy's rules and types that opened the incident; for a missing-data twin among `alerts`, of
    the rule that it accompanies. Alerts from outside the policy have no known condition.
    """
    followed = (f"{each.labels.get('section')}/{each.labels.get('incident_type')}" for each in alerts if each.twin)
    conditions = []
    for key in (*incident.rules, *followed):
        rule, kind = policy_version.rules.get(key), policy_version.types.get(key)
        if rule:
            conditions.append(rule.condition)
        elif kind and kind.fires:
            conditions.append(kind.name)
    return [question(each) for each in dict.fromkeys(conditions)]


def question(condition: str) -> Question:
    """The query of a condition, and the signals that must have data."""
    try:
        parsed = parse(condition)
    except ConditionError:  # a policy version of an older release may contain conditions that are now refused
        return Question(condition, ())
    if parsed.comparison and parsed.watched:
        return Question(parsed.expr, (parsed.comparison.subject,), f"{parsed.comparison.threshold:.15g}")
    return Question(parsed.expr, tuple(str(each) for each in parsed.watched))


def concerns(labels: Mapping[str, str], alerts: Sequence[Alert]) -> bool:
    """Whether a series belongs to the incident: its labels contradict none of one of the alerts."""
    own = {name: value for name, value in labels.items() if name not in OURS}
    return not alerts or any(
        all(alert.labels.get(name, value) == value for name, value in own.items()) for alert in alerts
    )


def _values(series: Sequence[Series]) -> str:
    told = [f"{each.points[-1][1]:.6g}" for each in series[:MOST_SERIES] if each.points]
    return ", ".join(told) or "no number"


def _kept(series: Iterable[Series]) -> str:
    """JSON of a bounded number of series and points, with ten digits per value: enough to tell it from its limit."""
    lines = [
        [_name(each.labels), [[round(at, 1), float(f"{value:.10g}")] for at, value in _finite(each)]]
        for each in list(series)[:MOST_SERIES]
    ]
    return orjson.dumps(lines).decode()


def _finite(series: Series) -> list[tuple[float, float]]:
    return thinned([(at, value) for at, value in series.points if isfinite(value)], POINTS)


def thinned(points: Sequence[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """At most `most` points (seconds since 1970, value), in order: the first, the last, and the least and greatest of
    each part between, because rules fire for extremes.
    """
    if len(points) <= most:
        return list(points)
    length = ceil(len(points) / ((most - 2) // 2))
    kept = {points[0], points[-1]}
    for begin in range(0, len(points), length):
        part = sorted(points[begin : begin + length], key=lambda point: point[1])
        kept |= {part[0], part[-1]}
    return sorted(kept)


def _steps(start: Instant, end: Instant, most: int) -> tuple[float, float, float]:
    """Start, end (the next whole second) and step of a range query with at most `most` steps, in seconds."""
    until = ceil(end / SECOND)
    step = max(1, ceil((until - start / SECOND) / most))
    return until - step * ceil((until - start / SECOND) / step), until, step


def _name(labels: Mapping[str, str]) -> str:
    """A series' name in PromQL syntax: `tocsin report --as-test` parses it."""
    told = ", ".join(
        f"{name}={orjson.dumps(value).decode()}" for name, value in sorted(labels.items()) if name != "__name__"
    )
    return f"{labels.get('__name__', '')}{{{told}}}"[:NAME]
