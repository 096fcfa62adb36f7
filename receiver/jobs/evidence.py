"""Answers the core's inquiries: asks Prometheus about an incident's signals and hands the answer back as an event.

The service runs `observe` where PROMETHEUS_URL is set. It decides nothing: how long it may take and what an answer
means is the core's (`receiver.core.evidence`). What cannot be asked now is asked again until the core gives up.
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
"""Seconds between looks for open inquiries."""

AFTER_FAILURE = 5.0
"""Seconds until a Prometheus that did not answer is asked again."""

AT_ONCE = 8
"""Incidents that are asked about at a time."""

BEFORE = 30 * MINUTE
"""How much of the time before the opening is kept."""

POINTS, MOST_SERIES, MOST_RULES = 120, 6, 3
"""Bounds of what is kept per inquiry."""

FINE = 2400
"""Points that are asked for, every second if they suffice: a violation that lasted one scrape is among them."""

NAME = 1000
"""Characters of a series' name that are kept."""

OURS = LABELS | {"__name__"}
"""Labels that say nothing about which unit a series is of."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Question:
    """What a rule asks: its condition, and the signals behind it."""

    condition: str
    subjects: tuple[str, ...]
    threshold: str = ""


def make_observer(
    settings: Settings, queue: CommandQueue, engine: Engine, reads: Reads, records: Records
) -> "Observer | None":
    """The observer, where there is a Prometheus to ask; the engine then knows that there is one."""
    if settings.prometheus_url is None:
        return None
    engine.verifies = True
    return Observer(queue, reads, records, Prometheus(settings.prometheus_url, egress=Egress.of(settings)))


class Observer:
    """Looks for open inquiries and answers them."""

    def __init__(self, queue: CommandQueue, reads: Reads, records: Records, prometheus: Prometheus) -> None:
        self._queue = queue
        self._reads = reads
        self._records = records
        self._prometheus = prometheus
        self._problem = ""

    async def observe(self) -> None:
        """Until cancelled."""
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
        """Answer what is open. Raises Unanswered where something could not be answered yet, and StoreUnavailable."""
        found = await self._queue.read(self._reads.inquiring, AT_ONCE)
        ends = await asyncio.gather(*(self._answer(incident) for incident in found), return_exceptions=True)
        for failure in filter(None, ends):
            raise failure

    async def close(self) -> None:
        """Let go of the connections."""
        await self._prometheus.close()

    async def _answer(self, incident: Incident) -> None:
        """Answer one incident's inquiries; the check first, since somebody waits for it. Raises Unanswered."""
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
        end = max([end, *(alert.starts_at for alert in alerts)])  # Prometheus's clock may be ahead of ours
        exhibits = []
        for question in asked[:MOST_RULES]:
            for subject in question.subjects[:1]:
                found = await self._course(subject, Instant(began - BEFORE), end)
                kept = _kept(series for series in found if concerns(series.labels, alerts))
                exhibits.append(Exhibit(subject, kept, question.threshold))
        return Answered(inquiry, exhibits=tuple(exhibits))

    async def _course(self, expr: str, start: Instant, end: Instant) -> list[Series]:
        """As fine as its answer can be read. The last point is at the end: what an incident was opened for is there."""
        try:
            return await self._prometheus.query_range(expr, *_steps(start, end, FINE))
        except AnswerTooLong:
            return await self._prometheus.query_range(expr, *_steps(start, end, POINTS))

    async def _check(self, asked: Sequence[Question], alerts: Sequence[Alert]) -> Answered:
        """All conditions false, and data there to say so."""
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
    """What the policy's rules and types that opened the incident ask; of a missing-data twin (among `alerts`), what the
    rule that it follows does. Of a stranger's alert we know no condition.
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
    """A condition as it is asked, with the signals whose data must be there."""
    try:
        parsed = parse(condition)
    except ConditionError:  # a policy of an older version may hold what this one refuses
        return Question(condition, ())
    if parsed.comparison and parsed.watched:
        return Question(parsed.expr, (parsed.comparison.subject,), f"{parsed.comparison.threshold:g}")
    return Question(parsed.expr, tuple(str(each) for each in parsed.watched))


def concerns(labels: Mapping[str, str], alerts: Sequence[Alert]) -> bool:
    """Whether a series is of the incident: it contradicts none of the labels of one of its alerts."""
    own = {name: value for name, value in labels.items() if name not in OURS}
    return not alerts or any(
        all(alert.labels.get(name, value) == value for name, value in own.items()) for alert in alerts
    )


def _values(series: Sequence[Series]) -> str:
    told = [f"{each.points[-1][1]:.6g}" for each in series[:MOST_SERIES] if each.points]
    return ", ".join(told) or "no number"


def _kept(series: Iterable[Series]) -> str:
    """JSON, bounded, with six digits of each value: a picture needs no more."""
    lines = [
        [_name(each.labels), [[round(at, 1), float(f"{value:.6g}")] for at, value in _finite(each)]]
        for each in list(series)[:MOST_SERIES]
    ]
    return orjson.dumps(lines).decode()


def _finite(series: Series) -> list[tuple[float, float]]:
    return thinned([(at, value) for at, value in series.points if isfinite(value)], POINTS)


def thinned(points: Sequence[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """At most so many of the points (seconds since 1970, value), in order: the first, the last, and of each part
    between them the least and the greatest, because that is what a rule fired for.
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
    """From when, until when (the whole second after the end) and by which step, in seconds, for so many points."""
    until = ceil(end / SECOND)
    step = max(1, ceil((until - start / SECOND) / most))
    return until - step * ceil((until - start / SECOND) / step), until, step


def _name(labels: Mapping[str, str]) -> str:
    """As PromQL spells it: `tocsin report --as-test` reads it again."""
    told = ", ".join(
        f"{name}={orjson.dumps(value).decode()}" for name, value in sorted(labels.items()) if name != "__name__"
    )
    return f"{labels.get('__name__', '')}{{{told}}}"[:NAME]
