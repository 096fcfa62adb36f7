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


def short(text: IncidentText, label: str, by: str, *, replies: bool) -> str:
    """One incident for an SMS: which, how bad, what, and how to acknowledge."""
    parts = ("EXERCISE" if text.incident.exercise else "", f"T{text.number}", label.upper())
    begin = " ".join(filter(None, (*parts, text.level.name.upper())))
    return fit(f"{begin}{f' by {by}' if by else ''}:", text.title, _tail(text, replies=replies))


def short_bundle(texts: list[IncidentText], link: str, *, replies: bool) -> str:
    """Several incidents for an SMS. `link` acknowledges all of them; empty: there is none."""
    elsewhere = link or ("" if replies else texts[0].page_url.rpartition("/")[0])
    how = " or ".join(filter(None, ("reply ACK ALL, ACK 12 for one" if replies else "", elsewhere)))
    return fit(_begin_bundle(texts), texts[0].title, f"To ack: {how}" if how else "")


def short_news(texts: list[IncidentText], news: str) -> str:
    """News of several incidents for an SMS."""
    return fit(_begin_bundle(texts), texts[0].title, news)


def _begin_bundle(texts: list[IncidentText]) -> str:
    told = brief([text.incident.number for text in texts])
    begin = f"{'EXERCISE ' if all(text.incident.exercise for text in texts) else ''}T {len(texts)} incidents"
    return f"{begin} {texts[0].level.name.upper()} {told}:"


def fit(begin: str, title: str, tail: str) -> str:
    """The three in one text that is not too long; the title gives way first."""
    begin, title, tail = (part.translate(_TYPEWRITER) for part in (begin, title, tail))
    limit = SHORT_LIMIT if (begin + title + tail).isascii() else UNICODE_LIMIT
    room = limit - len(begin) - len(tail) - len(" . ") - len("...")
    if title and room <= 0:
        return fit(begin, "", tail)
    middle = f"{cut(title, room).translate(_TYPEWRITER).rstrip('.')}." if room > 0 else ""
    return " ".join(filter(None, (begin, middle, tail)))[:limit]


def _tail(text: IncidentText, *, replies: bool) -> str:
    incident = text.incident
    if incident.state is not State.OPEN:
        return ""
    due = text.time(incident.response_due_at)
    when = f"Ack by {due}" if incident.response_due_at >= text.now else f"Ack now (due {due})"
    link = text.ack_url or ("" if replies else text.page_url)
    ways = (f"reply ACK {incident.number}" if replies else "", link)
    how = " or ".join(filter(None, ways)) or f"tocsin acknowledge {incident.number}"
    return f"{when}: {how}"


def speak(text: IncidentText, lead: str) -> str:
    """For a voice: who calls, how bad, what, and why now."""
    exercise = "This is an exercise. " if text.incident.exercise else ""
    what = f"{text.level.name.capitalize()} incident {text.incident.number}. {cut(text.title, TITLE_SPOKEN)}"
    return sayable(f"{exercise}Tocsin here. {what}. {lead}\nIt is {text.stands}.")


def sayable(text: str) -> str:
    """Without what a voice would spell out or stumble over."""
    spelt = _COMPARED.sub(lambda found: f" {_SAID[found[1]]} ", text)
    spelt = spelt.replace("UTC", "U T C").replace(" (", ", ")
    ended = (f"{part}." if part[-1].isalnum() else part for part in spelt.split("\n") if part)
    words = " ".join(_UNSPOKEN.sub(" ", " ".join(ended)).split())
    return cut(re.sub(r"\s+([.,;:?!])", r"\1", words), SPEECH_LIMIT)
