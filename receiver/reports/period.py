"""The report of a period: times to acknowledge and resolve, and kept response times, by level and type."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from receiver.core.model import Instant
from receiver.messages.plain import line
from receiver.messages.times import duration
from receiver.reports.report import Field, Part, Report, SectionContent, Table
from receiver.reports.report_clock import ReportClock
from rules.policy import Policy

if TYPE_CHECKING:  # a drill formats reports too, and starts without the database
    from receiver.store.statistics import Tally

COLUMNS = (
    "incidents",
    "acknowledged",
    "MTTA",
    "resolved",
    "MTTR",
    "response time kept",
    "breached",
)


def review(tallies: "Sequence[Tally]", policy: Policy, since: Instant, until: Instant) -> Report:
    """Returns the report of a period. Exercises are counted separately, so that drills do not improve the means."""
    real = [each for each in tallies if not each.exercise]
    drills = [each for each in tallies if each.exercise]
    sections = [_section("incidents", real, policy)]
    if drills:
        sections.append(_section("exercises", drills, policy))
    title = f"Incidents of {duration(until - since)}"
    clock = ReportClock(policy.time_zone)
    subtitle = f"opened from {clock.stamp(since)} to {clock.stamp(until)}{clock.words}"
    return Report(title, subtitle, exercise=False, sections=tuple(sections))


def _section(name: str, tallies: "Sequence[Tally]", policy: Policy) -> SectionContent:
    if not tallies:
        return SectionContent(name, (Part("", (Field("incidents", ("none",)),)),))
    levels = sorted({each.level for each in tallies}, reverse=True)
    by_level = [
        (f"{level} {line(policy.level(level).name)}", *_figures(each for each in tallies if each.level == level))
        for level in levels
    ]
    types = sorted({each.type for each in tallies})
    by_type = [(line(type_), *_figures(each for each in tallies if each.type == type_)) for type_ in types]
    return SectionContent(
        name,
        tables=(
            Table("By level", ("level", *COLUMNS), (*by_level, ("all", *_figures(tallies)))),
            Table("By type", ("type", *COLUMNS), tuple(by_type)),
        ),
    )


def _figures(tallies: "Iterable[Tally]") -> tuple[str, ...]:
    group = list(tallies)
    return (
        str(sum(each.incidents for each in group)),
        str(sum(each.acknowledged for each in group)),
        _mean([(each.to_acknowledge, each.acknowledged) for each in group]),
        str(sum(each.resolved for each in group)),
        _mean([(each.to_resolve, each.resolved) for each in group]),
        str(sum(each.kept for each in group)),
        str(sum(each.breached for each in group)),
    )


def _mean(means: Sequence[tuple[int | None, int]]) -> str:
    """Returns the mean of groups, each given as (mean, size)."""
    known = [(mean, count) for mean, count in means if mean is not None and count]
    total = sum(count for _, count in known)
    return duration(sum(mean * count for mean, count in known) // total) if total else "-"
