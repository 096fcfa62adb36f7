"""All that people read of a message, a report or a page, as plain lines in which times stand as they are written."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape

from receiver.core.model import Alert, Incident, Notification
from receiver.core.plan import DecisionContext
from receiver.messages import Message, MessageRenderer
from receiver.reports.report import Report

WORDS = MessageRenderer("https://tocsin.example.org", "inst")

_ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50}
_NUMBERS = {word: number for number, word in enumerate(_ONES)} | _TENS
_NUMBERS |= {f"{ten}-{_ONES[one]}": _TENS[ten] + one for ten in _TENS for one in range(1, 10)}
_DAYS = {"first": 1, "second": 2, "third": 3, "fifth": 5, "eighth": 8, "ninth": 9, "twelfth": 12, "twentieth": 20}
_DAYS |= {f"{word}th": number for word, number in _NUMBERS.items()} | {"thirtieth": 30}
_DAYS |= {f"{ten}-{day}": _TENS[ten] + _DAYS[day] for ten in _TENS for day in list(_DAYS) if _DAYS[day] < 10}
_SPOKEN = re.compile(
    r"\b(?:(?P<sharp>noon|midnight)|(?P<hour>one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)"
    r"(?: (?:oh )?(?P<minute>[a-z]+(?:-[a-z]+)?))? (?P<part>at night|in the (?:morning|afternoon|evening)))"
    r"(?: on (?P<month>[A-Z][a-z]{2})[a-z]* (?P<day>[a-z]+(?:-[a-z]+)?))?\b"
)
_CUT = re.compile(r"[^.;]*… Times are .*$")
"""A call that is too long ends in the middle of a sentence."""
_SHORTENED = re.compile(r"[^.;]*…$")
"""So does a long row."""


@dataclass(frozen=True)
class OneMessage:
    """One message, as the dispatcher hands it to be worded."""

    items: Sequence[tuple[Notification, Incident]]
    context: DecisionContext
    name: str = "m-1"
    alerts: Mapping[str, Sequence[Alert]] = field(default_factory=dict)


def texts(message: Message) -> str:
    """All that any medium shows of a message; what is spoken, as it would be written."""
    spoken = as_written(_CUT.sub("", message.speech))
    state = dict(message.facts).get("State", "")
    return f"{message.text}\n{message.short}\n{spoken}\n{message.headline}\n{message.lead}\n{state}"


def as_written(speech: str) -> str:
    """What is spoken, its times as they are written."""
    return _SPOKEN.sub(_written, speech)


def row(message: Message, incident: Incident) -> str:
    """What a message about several incidents says of one of them."""
    lines = message.text.split("\n")
    begins = (place for place, each in enumerate(lines) if each.startswith(f"#{incident.number} "))
    place = next(begins, None)
    return "" if place is None else "\n".join(_SHORTENED.sub("", each) for each in lines[place : place + 2])


def _written(found: re.Match[str]) -> str:
    """``eight fifty-six in the morning`` is ``08:56 UTC``."""
    if found["sharp"]:
        hour, minute = (12 if found["sharp"] == "noon" else 0), 0
    else:
        hour, minute = _NUMBERS[found["hour"]] % 12, _NUMBERS[found["minute"] or "zero"]
        late_night = found["part"] == "at night" and hour >= 10
        hour += 12 if late_night or found["part"] in {"in the afternoon", "in the evening"} else 0
    date = f"{_DAYS[found['day']]} {found['month']} " if found["day"] else ""
    return f"{date}{hour:02}:{minute:02} UTC"


def report_text(report: Report) -> str:
    """Each value behind its field's name, each row of a table behind the table's title; columns are divided by |."""
    return "\n".join(_report_lines(report))


def _report_lines(report: Report) -> Iterator[str]:
    yield f"subtitle: {report.subtitle}"
    for section in report.told:
        for part in section.parts:
            yield from (f"{each.name}: {value}" for each in part.fields for value in each.values)
        for table in section.tables:
            yield from (
                f"{table.title or 'timeline'}| {' | '.join(' '.join(each.split()) for each in row)}"
                for row in table.rows
            )


_TIME_TAG = re.compile(r'<time[^>]*? datetime="([^"]+)"[^>]*>.*?</time>', re.DOTALL)
_UNREAD = re.compile(
    r"<(form|style|script|svg|noscript|select|nav|header|footer)\b.*?</\1>|"
    r'<section class="acts".*?</section>|<title>.*?</title>',
    re.DOTALL,
)
_LINE = re.compile(r'<li(?: class="person")?><p class="at quiet">(.*?)</p><p class="pre">(.*?)</p></li>', re.DOTALL)
_BLOCK = re.compile(r"</?(?:p|li|div|h\d|dt|section|summary|dd|ul|ol|dl|figure|figcaption)\b[^>]*>")


_ALERT = re.compile(r'<tr class="(?:firing|quietly)">(.*?)</tr>', re.DOTALL)
_EACH = re.compile(r"<caption>Each: (.*?)</caption>")
_CELLS = re.compile(r"</t[hd]>\s*<td>")


def _alert(row: str, each: str) -> str:
    """A row of the page's table of alerts; `each`: what the table says of every alert, which then stands in each row."""
    *cells, since = _CELLS.split(row.replace("<br>", " "))
    return " | ".join((*cells, *([each] if each else ()), since))


def page_text(page: str, instants: Mapping[str, int]) -> str:
    """What a page of the console says beside its forms. `instants`: how the page writes each time in its markup."""
    page = _LINE.sub(r"\n timeline| \1 | \2 \n", page)
    each = _EACH.search(page)
    page = _ALERT.sub(lambda row: f"\n alerts| {_alert(row[1], each[1] if each else '')}\n", _EACH.sub("", page))
    told = _TIME_TAG.sub(lambda found: f" @{instants.get(found[1], 0)}@ ", _UNREAD.sub("\n", page))
    told = re.sub(r"</dt>\s*<dd[^>]*>", ": ", told)
    lines = (unescape(re.sub(r"<[^>]+>", "", each)) for each in _BLOCK.sub("\n", told).split("\n"))
    return "\n".join(" ".join(each.split()) for each in lines if each.strip())
