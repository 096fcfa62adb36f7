"""Checks a policy against a real Prometheus: which metrics exist, and when the rules would have fired.

`tocsin check --prometheus-url` calls it. Reads only, one query at a time, at most MOST_RULES rules; reports what it
could not query.
"""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from receiver.cli.output import console, print_table
from receiver.clients.egress import Egress
from receiver.clients.prometheus import AnswerTooLong, Prometheus, QueryFailed, Series
from receiver.drill.fired_before import Span, firings, together
from rules import condition
from rules.condition import Selector
from rules.policy import SECOND, Policy, Rule

MOST_POINTS = 11_000
"""Prometheus returns no more points of a series in an answer."""

MOST_RULES = 2_000
DAY = 86_400
PATIENCE = 30.0
"""Seconds for one answer."""


@dataclass(frozen=True, slots=True)
class Found:
    """A metric that the policy reads."""

    selector: Selector
    series: int
    labels: tuple[str, ...]
    """Label names of one of its series."""
    recorded: bool
    """The policy records it: it exists once the compiled rules run."""


@dataclass(frozen=True, slots=True)
class Fired:
    """The times at which a rule would have fired."""

    rule: Rule
    spans: tuple[Span, ...]

    @property
    def minutes(self) -> int:
        """Total minutes."""
        return round(sum(end - start for start, end in self.spans) / 60)


@dataclass(frozen=True, slots=True)
class PastOfRules:
    """The answers of Prometheus."""

    policy: Policy
    days: int
    signals: tuple[Found, ...]
    fired: tuple[Fired, ...]
    unasked: tuple[tuple[str, str], ...]
    """(query, why there is no answer)."""

    def show(self, *, verbose: bool) -> None:
        """Prints what is missing, what would have fired, and what could not be queried."""
        missing = [each for each in self.signals if not each.series]
        for each in missing:
            why = (
                "the policy records it: it comes with the compiled rules"
                if each.recorded
                else "no series now: a wrong name?"
            )
            console.print(f"{each.selector}: {why}", style="yellow", markup=False, soft_wrap=True)
        if verbose:
            rows = ((str(each.selector), each.series, ", ".join(each.labels)) for each in self.signals)
            print_table(["metric", "series", "labels"], rows, "\nWhat Prometheus has")
        fired = [each for each in self.fired if each.spans]
        told = (
            (each.rule.key, each.rule.level, len(each.spans), each.minutes, _told(each.rule, self.policy))
            for each in sorted(fired, key=lambda each: -each.minutes)
        )
        title = f"\nWhat would have fired in the last {self.days} days"
        if fired:
            print_table(["rule", "level", "times", "minutes", "each a page on"], told, title)
        pages = sum(len(each.spans) for each in fired)
        console.print(f"{len(self.fired)} rules asked for, {len(fired)} would have fired, {pages} incidents at most.")
        for what, why in self.unasked:
            console.print(f"not asked: {what}: {why}", style="yellow", markup=False, soft_wrap=True)

    def as_json(self) -> dict[str, Any]:
        """Returns the same as JSON."""
        return {
            "days": self.days,
            "signals": [
                {
                    "signal": str(each.selector),
                    "series": each.series,
                    "labels": list(each.labels),
                    "recorded": each.recorded,
                }
                for each in self.signals
            ],
            "fired": [
                {
                    "rule": each.rule.key,
                    "level": each.rule.level,
                    "times": len(each.spans),
                    "minutes": each.minutes,
                    "channels": _told(each.rule, self.policy).split(", "),
                }
                for each in self.fired
            ],
            "not_asked": [{"what": what, "reason": why} for what, why in self.unasked],
        }


def ask(policy: Policy, url: str, days: int, now: float) -> PastOfRules:
    """Queries one Prometheus for every metric and rule. `now`: seconds since 1970."""
    return asyncio.run(_ask(policy, url, days, now))


async def _ask(policy: Policy, url: str, days: int, now: float) -> PastOfRules:
    prometheus = Prometheus(url, PATIENCE, Egress.of_environment(os.environ))
    unasked: list[tuple[str, str]] = []
    signals: list[Found] = []
    fired: list[Fired] = []
    recorded = {signal.name for signal in policy.signals if signal.expr} | {each.record for each in policy.recordings}
    rules = policy.rules[:MOST_RULES]
    unasked += [(each.key, f"only the first {MOST_RULES:,} rules are asked for") for each in policy.rules[MOST_RULES:]]
    try:
        read = [each for rule in rules for each in condition.parse(rule.condition).sources]
        for selector in dict.fromkeys(read):
            try:
                signals.append(await _found(prometheus, selector, recorded=selector.name in recorded))
            except QueryFailed as error:
                unasked.append((str(selector), str(error)))
                if not error.final and not signals and len(unasked) == 1:
                    return PastOfRules(policy, days, (), (), ((f"anything of {len(rules)} rules", str(error)),))
        absent = {each.selector for each in signals if each.recorded and not each.series}
        for rule in rules:
            reads = condition.parse(rule.condition)
            if absent.intersection(reads.sources):
                unasked.append((rule.key, "it reads what the policy records, which is not recorded there yet"))
                continue
            try:
                fired.append(Fired(rule, await _fired(prometheus, rule, reads.expr, days, now)))
            except QueryFailed as error:
                unasked.append((rule.key, str(error)))
    finally:
        await prometheus.close()
    return PastOfRules(policy, days, tuple(signals), tuple(fired), tuple(unasked))


async def _found(prometheus: Prometheus, selector: Selector, *, recorded: bool) -> Found:
    counted = await prometheus.query(f"count({selector})")
    series = int(counted[0].points[0][1]) if counted and counted[0].points else 0
    one = await prometheus.query(f"topk(1, {selector})") if series else []
    labels = tuple(sorted(name for each in one[:1] for name in each.labels if name != "__name__"))
    return Found(selector, series, labels, recorded)


async def _fired(prometheus: Prometheus, rule: Rule, expr: str, days: int, now: float) -> tuple[Span, ...]:
    step = rule.interval / SECOND
    start = now - days * DAY
    points: dict[tuple[tuple[str, str], ...], list[float]] = {}
    while start <= now:
        answer, start = await _chunk(prometheus, expr, start, now, step)
        for each in answer:
            points.setdefault(tuple(sorted(each.labels.items())), []).extend(at for at, _ in each.points)
    keeps = (rule.keep_firing or 0) / SECOND
    spans = (span for held in points.values() for span in firings(held, step, rule.waits / SECOND, keeps))
    return tuple(together(spans))


async def _chunk(
    prometheus: Prometheus, expr: str, start: float, now: float, step: float
) -> tuple[Sequence[Series], float]:
    """Returns as many points from `start` on as one answer can hold, and where the next begin. Raises QueryFailed."""
    most = MOST_POINTS
    while True:
        end = min(now, start + (most - 1) * step)
        try:
            return await prometheus.query_range(expr, start, end, step), end + step
        except AnswerTooLong:
            if most < 200:
                raise
            most //= 8


def _told(rule: Rule, policy: Policy) -> str:
    return ", ".join(rule.channels or policy.level_channels(rule.level)) or "nobody"
