"""The message in few characters (SMS) and in spoken sentences (phone).

An SMS begins with the incident's number, level and system, and ends with how to answer. Neither is cut, and no value
is: the description is cut first, then a shorter way to answer is chosen, and last a further part is used.
"""

import re
from collections.abc import Sequence

from receiver.core.model import Recovery, State
from receiver.messages.incident_text import RECOVERED, IncidentText, brief, systems
from receiver.messages.message import SMS_PARTS
from receiver.messages.plain import cut
from receiver.messages.segments import fit, fit_between
from receiver.messages.spoken_times import spoken_zone
from receiver.messages.unsaid import unsaid

SPEECH_LIMIT = 700
TITLE_SPOKEN = 160
MOST_PARTS = 5
"""Maximum parts of one SMS whose beginning and end alone take so many: names in another script, and a long address."""
SAID_LIMIT = 160
"""Minimum characters of a status update in an SMS."""
ROOM = 25
"""A shorter way to answer is chosen if fewer characters of the description would fit."""

_SAID = {"<": "below", "<=": "at most", ">": "above", ">=": "at least", "==": "is", "!=": "is not"}
_COMPARED = re.compile(r" ([<>]=?|[=!]=) ")
_PER = re.compile(r"(\d [^\W\d_]+)/(?=[^\W\d_]+\b)")
"""The stroke of a unit behind a number: ``9.43 mm/s``."""
_UNSPOKEN = re.compile(r"[^\w\s.,:;?!'%-]|_")


def short(case: IncidentText, label: str, by: str, *, replies: bool) -> str:
    """Returns one incident for an SMS: number, level, description, how to acknowledge. `by`: who
    did what `label` says.
    """
    parts = ("EXERCISE" if case.incident.exercise else "", f"T{case.number}", label.upper())
    begin = " ".join(filter(None, (*parts, case.level.name.upper(), case.system)))
    return _fit(f"{begin}{f' by {by}' if by else ''}:", case, _tails(case, replies=replies))


def short_update(case: IncidentText, said: str, how: str = "") -> str:
    """Returns a status update of one incident for an SMS. `said`: the update; `how`: how to act on it."""
    number = ("EXERCISE" if case.incident.exercise else "", f"T{case.number}", case.state_words.upper())
    parts = (*number, case.level.name.upper(), case.system)
    told = " ".join(said.split())
    tails = [f"{each} {how}".strip() for each in (told, cut(told, SAID_LIMIT))]
    return _fit(f"{' '.join(filter(None, parts))}:", case, tails)


def short_bundle(cases: list[IncidentText], label: str, link: str, *, replies: bool) -> str:
    """Returns several incidents for an SMS. `label`: of all of them; `link` acknowledges all of them; empty: none."""
    elsewhere = link or ("" if replies else cases[0].page_url.rpartition("/")[0])
    reply = f"reply ACK ALL, ACK {cases[0].incident.number} for one" if replies else ""
    waiting = sorted((case for case in cases if case.awaits_answer), key=lambda case: case.incident.response_due_at)
    when = _by_when(waiting[0]) if waiting else "Signals recovered. To take them"
    return _fit(_begin_bundle(cases, label), cases[0], _ways(when, reply, elsewhere))


def short_news(cases: list[IncidentText], news: str) -> str:
    """Returns news of several incidents for an SMS."""
    return _fit(_begin_bundle(cases, ""), cases[0], (news,))


def _begin_bundle(cases: list[IncidentText], label: str) -> str:
    exercise = "EXERCISE" if all(case.incident.exercise for case in cases) else ""
    level, told = _worst(cases), brief([case.incident.number for case in cases])
    parts = (exercise, f"T {len(cases)} incidents", label.upper(), level.upper(), systems(cases), told)
    return f"{' '.join(filter(None, parts))}:"


def _worst(cases: list[IncidentText]) -> str:
    return max(cases, key=lambda case: case.incident.level).level.name


def _fit(begin: str, case: IncidentText, tails: Sequence[str]) -> str:
    """Joins beginning, description and a way to answer. A value within a long title would be cut with the title's end,
    so it is repeated after the cut title, which leaves out a system that the beginning has.
    """
    ends = [f" {tail}" if tail else "" for tail in tails]
    if case.tells_value(case.title):
        what = _ended(case.what)
        told = fit_between(f"{begin} ", what, ends[0], SMS_PARTS, len(what))
        if told is not None:
            return told
    title = case.title.rstrip(".,") if case.measure else _ended(case.title)
    ends = [f"{case.measure}.{end}" if case.measure else end for end in ends]
    whole = fit_between(f"{begin} ", title, ends[0], SMS_PARTS, len(title))
    return whole or _cut_to_fit(begin, title.replace(f" on {case.system}", "") if case.system in begin else title, ends)


def _ended(title: str) -> str:
    return title if title.endswith(("…", "!", "?")) else f"{title.rstrip('.,')}."


def _cut_to_fit(begin: str, title: str, ends: Sequence[str]) -> str:
    """Fits into SMS_PARTS parts, or into as few more as the beginning, some of the title and the shortest end take."""
    tries = [(SMS_PARTS, end) for end in ends]
    tries += [(parts, ends[-1]) for parts in range(SMS_PARTS + 1, MOST_PARTS + 1)]
    fitted = (fit_between(f"{begin} ", title, end, parts, min(len(title), ROOM)) for parts, end in tries)
    return next(filter(None, fitted), None) or fit(f"{begin}{ends[-1]}", MOST_PARTS)


def _tails(case: IncidentText, *, replies: bool) -> Sequence[str]:
    """Returns the ways to answer, the longest first."""
    incident = case.incident
    if not case.wants_answer:
        return ("Alerts still fire.", "") if incident.state is State.RESOLVED and incident.is_firing else ("",)
    link = case.ack_url or ("" if replies else case.page_url)
    reply = f"reply ACK {incident.number}" if replies else ""
    if incident.response.asked_by:
        return _ways("Help now", reply, link, f"tocsin acknowledge {incident.number}")
    match incident.recovery:
        case Recovery.CONFIRM | Recovery.UNVERIFIED as found:
            said = "To confirm" if found is Recovery.CONFIRM else "Check, then confirm"
            confirm = f"reply RESOLVE {incident.number}" if replies else ""
            return _ways(said, confirm, case.page_url, f"tocsin resolve {incident.number}")
        case Recovery.VERIFYING | Recovery.CHECKING:
            when = "Being verified. To take it"
        case _:
            when = _by_when(case)
    return _ways(when, reply, link, f"tocsin acknowledge {incident.number}")


def _by_when(case: IncidentText) -> str:
    due_at = case.incident.response_due_at
    return f"Ack by {case.time(due_at)}" if due_at > case.now else f"Ack now (due {case.time(due_at)})"


def _ways(when: str, reply: str, link: str, command: str = "") -> Sequence[str]:
    """Returns ``Ack by 12:17 UTC: reply ACK 12 or https://…``, then shorter forms, down to a single way."""
    every = " or ".join(filter(None, (reply, link))) or command
    shortest = reply or link or command
    return tuple(dict.fromkeys((f"{when}: {every}", f"{when}: {shortest}", shortest))) if every else ("",)


def speak(case: IncidentText, lead: str) -> str:
    """Returns the text of a call: caller, level, description, and reason."""
    exercise = "This is an exercise. " if case.incident.exercise else ""
    recovered = f", {RECOVERED[case.incident.recovery]}" if case.live and case.recovered else ""
    which = f"{case.level.name.capitalize()} incident {case.incident.number}{recovered}"
    what = f"{which}. {_ended(case.what_in(TITLE_SPOKEN))}"
    left = unsaid(case.stands, lead)  # the lead already said the other clauses
    is_whole = case.stands.startswith(left.partition(";")[0])
    stands = f"\n{'It is ' if is_whole else ''}{left}." if left else ""
    return sayable(f"{exercise}Tocsin here. {what} {lead}{stands}", case.zone_name)


def speak_bundle(cases: list[IncidentText], title: str, lead: str) -> str:
    """Returns the text of a call about several incidents. `title`: how many and which; `lead`: why together, until
    when.
    """
    exercise = "This is an exercise. " if all(case.incident.exercise for case in cases) else ""
    told = f"{exercise}Tocsin here. {_worst(cases).capitalize()}: {title}. {lead} The first is: {_ended(cases[0].what)}"
    return sayable(told, cases[0].zone_name)


def sayable(text: str, zone: str) -> str:
    """Removes what a speech synthesiser would spell out or mispronounce. `zone`: the zone of the times in the text."""
    spelt = _COMPARED.sub(lambda found: f" {_SAID[found[1]]} ", text)
    spelt = _PER.sub(r"\1 per ", spelt).replace("UTC", "U T C").replace(" (", ", ").replace("-#", " to ")
    ended = (f"{part}." if part[-1].isalnum() else part for part in spelt.split("\n") if part)
    words = " ".join(_UNSPOKEN.sub(" ", " ".join(ended)).split())
    times = f" Times are {spoken_zone(zone)}."
    return cut(re.sub(r"\s+([.,;:?!])", r"\1", words), SPEECH_LIMIT - len(times)) + times
