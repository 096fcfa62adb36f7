"""A drill's page: its timeline as SVG, without scripts, and as text below."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from receiver.core.events import Delivered
from receiver.core.model import Fact, Instant, Kind
from receiver.drill.script import Played
from receiver.drill.text_report import ReportLine, deadline_words, lines, offset
from receiver.on_call.references import whom

COLUMN = 96
LANE = 34
LEFT = 150
TOP = 78
MOST_MOMENTS = 120
"""The maximum of drawn moments; the text has all."""

MARKS = {
    Fact.OPENED: "opened",
    Fact.DECLARED: "declared",
    Fact.ESCALATED: "escalated",
    Fact.BREACHED: "BREACHED",
    Fact.FALLBACK: "fallback",
    Fact.ACKNOWLEDGED: "acknowledged",
    Fact.ACK_EXPIRED: "ack expired",
    Fact.ACK_VOIDED: "ack voided",
    Fact.ACK_UNDONE: "taken back",
    Fact.GIVEN_BACK: "given back",
    Fact.HELP_ASKED: "help asked",
    Fact.HELP_UNANSWERED: "no answer",
    Fact.REMINDED: "reminded",
    Fact.RECOVERED: "recovered",
    Fact.RECOVERY_CONFIRM: "confirm?",
    Fact.RESOLVED: "resolved",
    Fact.REOPENED: "reopened",
    Fact.CLOSED: "closed",
    Fact.KEPT_OPEN: "not closed yet",
}
"""The mark above a moment: that of its last entry with a mark."""


@dataclass(frozen=True, slots=True)
class Column:
    """A moment: its horizontal position, and its mark."""

    x: int
    at: str
    mark: str
    loud: bool


@dataclass(frozen=True, slots=True)
class Dot:
    """One or several messages on a channel with the same outcome."""

    x: int
    y: int
    delivered: bool
    page: bool
    title: str
    count: int
    """The number of messages; retries belong to the previous moment."""


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("templates", "reports"), autoescape=select_autoescape(), undefined=StrictUndefined
    )


def page(played: Played, title: str) -> str:
    """The HTML page. The same drill gives identical bytes."""
    return (
        _environment()
        .get_template("drill.html")
        .render(
            title=title,
            level=played.policy.level(played.incident.level).name,
            drawn=draw(played),
            lines=list(_told_once(lines(played))),
            deadlines=[(each.outcome, deadline_words(each, played.began_at)) for each in played.deadlines],
            reached=None if played.reached_after is None else offset(played.reached_after),
        )
    )


def draw(played: Played) -> Markup:
    """The timeline as SVG: a lane per channel, a column per moment; empty: no channel was used.

    It carries classes; the page styles them.
    """
    moments = list(dict.fromkeys(each.at for each in played.entries))[:MOST_MOMENTS]
    moments += [each.begins for each in played.repeated[:1] if len(moments) < MOST_MOMENTS]
    moments.sort()
    place = {at: LEFT + COLUMN // 2 + index * COLUMN for index, at in enumerate(moments)}
    used = {each.notification.channel for each in played.sent}
    channels = [each.name for each in played.policy.channels if each.name in used]
    if not channels:
        return Markup("")
    height = {name: TOP + LANE // 2 + index * LANE for index, name in enumerate(channels)}
    return Markup(  # noqa: S704 - the template escapes
        _environment()
        .get_template("drill_drawing.html")
        .render(
            lanes=list(height.items()),
            columns=_columns(played, place),
            dots=_dots(played, place, height),
            width=LEFT + len(moments) * COLUMN,
            height=TOP + len(channels) * LANE + 10,
            left=LEFT,
        )
    )


def _told_once(told: Iterable[ReportLine]) -> Iterator[ReportLine]:
    """The lines; a time equal to the line before is omitted."""
    before = ""
    for each in told:
        yield each if each.at != before else replace(each, at="")
        before = each.at


def _columns(played: Played, place: dict[Instant, int]) -> list[Column]:
    facts = {entry.at: entry.fact for entry in played.entries if entry.fact in MARKS}
    marks = {at: MARKS[fact] for at, fact in facts.items()}
    marks |= {each.begins: f"{each.times:,} times more" for each in played.repeated}
    return [
        Column(x, offset(at - played.began_at), marks.get(at, ""), _is_loud(facts.get(at))) for at, x in place.items()
    ]


def _is_loud(fact: Fact | None) -> bool:
    return fact in {Fact.BREACHED, Fact.ACK_EXPIRED, Fact.ACK_VOIDED}


def _dots(played: Played, place: dict[Instant, int], height: dict[str, int]) -> list[Dot]:
    """One dot per moment, channel and outcome; dots of pages are larger. Failures are placed beside deliveries."""
    titles: dict[tuple[int, int, bool], list[str]] = {}
    pages: set[tuple[int, int, bool]] = set()
    for each in played.sent:
        told_at = max((at for at in place if at <= each.at), default=None)
        if told_at is None or each.notification.channel not in height:
            continue
        delivered = isinstance(each.outcome, Delivered)
        key = (place[told_at], height[each.notification.channel], delivered)
        words = "accepted" if delivered else "failed"
        told = whom(played.policy, each.notification.channel, each.notification.recipient)
        titles.setdefault(key, []).append(f"{each.notification.kind} to {told}: {words}")
        if each.notification.kind is Kind.PAGE:
            pages.add(key)
    return [
        Dot(key[0], key[1], key[2], key in pages, "\n".join(dict.fromkeys(said)), len(said))
        for key, said in titles.items()
    ]
