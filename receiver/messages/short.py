"""The same in few characters (SMS) and in spoken sentences (phone)."""

import re

from receiver.core.model import State
from receiver.messages.incident_text import IncidentText, brief
from receiver.messages.message import SHORT_LIMIT
from receiver.messages.plain import cut

UNICODE_LIMIT = 134
"""Two SMS of 67 characters: with other than plain letters, an SMS holds less than half."""

SPEECH_LIMIT = 700
TITLE_SPOKEN = 120

_TYPEWRITER = str.maketrans(
    {"…": "...", "–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "`": "'", "→": "->", "×": "x"}  # noqa: RUF001
    | dict.fromkeys("\xa0\u2009\u202f\n", " ")
)
_SAID = {"<": "below", "<=": "at most", ">": "above", ">=": "at least", "==": "is", "!=": "is not"}
_COMPARED = re.compile(r" ([<>]=?|[=!]=) ")
_UNSPOKEN = re.compile(r"[^\w\s.,:;?!'%-]|_")


def short(case: IncidentText, label: str, by: str, *, replies: bool) -> str:
    """One incident for an SMS: which, how bad, what, and how to acknowledge."""
    parts = ("EXERCISE" if case.incident.exercise else "", f"T{case.number}", label.upper())
    begin = " ".join(filter(None, (*parts, case.level.name.upper())))
    return fit(f"{begin}{f' by {by}' if by else ''}:", case.title, _tail(case, replies=replies))


def short_bundle(cases: list[IncidentText], link: str, *, replies: bool) -> str:
    """Several incidents for an SMS. `link` acknowledges all of them; empty: there is none."""
    elsewhere = link or ("" if replies else cases[0].page_url.rpartition("/")[0])
    how = " or ".join(filter(None, ("reply ACK ALL, ACK 12 for one" if replies else "", elsewhere)))
    return fit(_begin_bundle(cases), cases[0].title, f"To ack: {how}" if how else "")


def short_news(cases: list[IncidentText], news: str) -> str:
    """News of several incidents for an SMS."""
    return fit(_begin_bundle(cases), cases[0].title, news)


def _begin_bundle(cases: list[IncidentText]) -> str:
    told = brief([case.incident.number for case in cases])
    begin = f"{'EXERCISE ' if all(case.incident.exercise for case in cases) else ''}T {len(cases)} incidents"
    return f"{begin} {cases[0].level.name.upper()} {told}:"


def fit(begin: str, title: str, tail: str) -> str:
    """The three in one text that is not too long; the title gives way first."""
    begin, title, tail = (part.translate(_TYPEWRITER) for part in (begin, title, tail))
    limit = SHORT_LIMIT if (begin + title + tail).isascii() else UNICODE_LIMIT
    room = limit - len(begin) - len(tail) - len(" . ") - len("...")
    if title and room <= 0:
        return fit(begin, "", tail)
    middle = f"{cut(title, room).translate(_TYPEWRITER).rstrip('.')}." if room > 0 else ""
    return " ".join(filter(None, (begin, middle, tail)))[:limit]


def _tail(case: IncidentText, *, replies: bool) -> str:
    incident = case.incident
    if incident.state is not State.OPEN:
        return ""
    due = case.time(incident.response_due_at)
    when = f"Ack by {due}" if incident.response_due_at >= case.now else f"Ack now (due {due})"
    link = case.ack_url or ("" if replies else case.page_url)
    ways = (f"reply ACK {incident.number}" if replies else "", link)
    how = " or ".join(filter(None, ways)) or f"tocsin acknowledge {incident.number}"
    return f"{when}: {how}"


def speak(case: IncidentText, lead: str) -> str:
    """For a voice: who calls, how bad, what, and why now."""
    exercise = "This is an exercise. " if case.incident.exercise else ""
    what = f"{case.level.name.capitalize()} incident {case.incident.number}. {cut(case.title, TITLE_SPOKEN)}"
    return sayable(f"{exercise}Tocsin here. {what}. {lead}\nIt is {case.stands}.")


def sayable(text: str) -> str:
    """Without what a voice would spell out or stumble over."""
    spelt = _COMPARED.sub(lambda found: f" {_SAID[found[1]]} ", text)
    spelt = spelt.replace("UTC", "U T C").replace(" (", ", ")
    ended = (f"{part}." if part[-1].isalnum() else part for part in spelt.split("\n") if part)
    words = " ".join(_UNSPOKEN.sub(" ", " ".join(ended)).split())
    return cut(re.sub(r"\s+([.,;:?!])", r"\1", words), SPEECH_LIMIT)
