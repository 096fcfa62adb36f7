"""Who is on call when: what the message of a handoff says, the shift log, the page `/on-call` and a person's page."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from html import unescape

from receiver.core.model import Notification, Status
from receiver.core.shift_log import ShiftEntry
from receiver.messages import Message
from receiver.on_call.override_log import OverrideChange
from tests.core.truth.oracle import check
from tests.core.truth.record import UNITS, Record, UntrueError, hands, moment

MINUTE, DAY = UNITS["minute"], UNITS["day"]


@dataclass(frozen=True, order=True)
class Spell:
    """A person's time on call without a break; of one source, where the text names it."""

    starts: int
    ends: int
    person: str
    source: str = ""


@dataclass(frozen=True)
class Counted:
    """Who is on call when, by plain counting, as far as it is known now."""

    on_call: Callable[[int], Mapping[str, Mapping[str, str]]]
    """Reference → person → the shift, at an instant."""
    edges: Sequence[int]
    """Every instant at which that may change, in order; nothing is known beyond the last."""
    now: int
    ahead: int = 0
    """Minutes by which the schedules' zone is ahead of UTC."""
    overrides: Mapping[int, OverrideChange] = field(default_factory=dict)
    """Number → what was made and not cancelled."""
    known: Collection[str] = ()
    """The policy's people."""

    def at(self, schedule: str, at: int) -> Mapping[str, str]:
        """Who has a schedule at an instant, and by what."""
        return self.on_call(at)[f"@{schedule}"]

    def spells(self, schedule: str, *, apart: bool) -> list[Spell]:
        """Everybody's time, in order. `apart`: what comes from another source is told apart."""
        found: list[Spell] = []
        running: dict[tuple[str, str], int] = {}
        for at in self.edges:
            who = {(name, source if apart else "") for name, source in self.at(schedule, at).items()}
            for name, source in [each for each in running if each not in who]:
                found.append(Spell(running.pop((name, source)), at, name, source))
            running |= {each: at for each in who if each not in running}
        last = self.edges[-1]
        return sorted((*found, *(Spell(began, last, *each) for each, began in running.items())))

    def spell(self, schedule: str, person: str) -> Spell:
        """The time of a person who is on call now."""
        mine = (each for each in self.spells(schedule, apart=False) if each.person == person)
        return next(each for each in mine if each.starts <= self.now < each.ends)

    def is_void(self, change: OverrideChange) -> bool:
        """Whether an override puts nobody on call."""
        return change.person not in self.known

    def told(self, at: int, ahead: int = 0) -> str:
        """An instant as messages and pages tell it, so many minutes ahead of UTC, without the zone."""
        when = moment(at + ahead * MINUTE)
        return f"{when:%a} {when.day} {when:%b, %H:%M}".lower()


# The message of a handoff.

_STAMP = r"\w{3} \d+ \w{3}, \d\d:\d\d"
_ON = re.compile(
    rf"you came on call for (?P<schedule>\w+) at (?P<at>{_STAMP}) utc, by (?P<source>[^,.]+?)"
    rf"(?:, until (?P<until>{_STAMP}) utc as planned then)?\.(?: you follow (?P<others>[^.]+)\.)?"
)
_OFF = re.compile(
    rf"you went off call for (?P<schedule>\w+) at (?P<at>{_STAMP}) utc\."
    r"(?: (?P<others>.+) (?P<are>is|are) on call from then on\.| (?P<nobody>nobody was on call then)\.)"
)
_VOID = re.compile(
    rf"(?:the override by (?P<by>\w+)|your override) that puts (?P<who>\w+) on call for (?P<schedule>\w+) from "
    rf"(?P<first>{_STAMP}) utc until (?P<last>{_STAMP}) utc is void: [^.]+\. nobody is on call by it\. "
    r"cancel it, or make another\."
)
_SUBJECT = re.compile(
    rf"you are (?P<how>on|off) call: (?P<schedule>\w+)(?: until (?P<until>{_STAMP}) utc)?"
    r"|(?P<whose>an|your) override of (?P<of>\w+) is void"
)
_OPEN = re.compile(rf"open at (?P<at>{_STAMP}) utc: (?P<count>\d+) incidents?")
_NONE_OPEN = re.compile(rf"no incident was open at (?P<at>{_STAMP}) utc\.")
_INCIDENT = re.compile(
    r"#(?P<number>\d+) (?P<exercise>exercise )?level (?P<level>\d), (?P<who>you have|nobody has|\S+ has) it: (?P<what>.+)"
)


def check_handoff(
    message: Message, reader: str, before: Collection[str], since: int, counted: Counted, records: Collection[Record]
) -> None:
    """Raises UntrueError where the message of a handoff says what is not so at the moment at which it is made.

    `before`: who was on call by the shift log until then, and `since` when it was looked at last: what has changed
    between is known to be at one of the edges there. `records`: of all incidents.
    """
    may_be = {counted.told(at) for at in (*counted.edges, counted.now) if since < at <= counted.now}
    lead, *rest = message.text.lower().strip().split("\n\n")
    subject = _SUBJECT.fullmatch(message.subject.lower())
    _demand(subject, message.subject, "what happened to the reader")
    assert subject is not None
    if found := _ON.fullmatch(lead):
        is_so = subject["how"] == "on" and _came(found, reader, before, may_be, counted)
        is_so = is_so and (subject["schedule"], subject["until"]) == (found["schedule"], found["until"])
    elif found := _OFF.fullmatch(lead):
        is_so = (
            subject["how"] == "off"
            and subject["schedule"] == found["schedule"]
            and _went(found, reader, may_be, counted)
        )
    elif found := _VOID.fullmatch(lead):
        is_so = subject["of"] == found["schedule"] and (subject["whose"] == "an") is bool(found["by"])
        is_so = is_so and any(_is_void(found, reader, each, counted) for each in counted.overrides.values())
    else:
        raise UntrueError(f"a handoff says {lead!r} (shifts), and nobody reads that")
    _demand(is_so, f"{message.subject}: {lead}", f"of {reader}: {found and counted.at(found['schedule'], counted.now)}")
    lines = rest[0].split("\n") if not _VOID.fullmatch(lead) else []
    _check_open(lines, reader, counted, records)
    short = message.short.lower()
    _demand(short == f"{message.subject.lower()}. {(lines or [lead])[0]}"[: len(short)], short, "the same in short")


def _came(
    found: re.Match[str], reader: str, before: Collection[str], may_be: Collection[str], counted: Counted
) -> bool:
    schedule, others = found["schedule"], _names(found["others"])
    now = counted.at(schedule, counted.now)
    if now.get(reader) != found["source"] or others & {*now} or not others <= set(before):
        return False
    spell = counted.spell(schedule, reader)
    ends = found["until"] or counted.told(counted.edges[-1])
    return found["at"] in may_be and ends == counted.told(spell.ends)


def _went(found: re.Match[str], reader: str, may_be: Collection[str], counted: Counted) -> bool:
    schedule, others = found["schedule"], _names(found["others"])
    is_then = found["at"] in may_be
    is_of_others = others == {*counted.at(schedule, counted.now)} and (found["are"] == "are") is (len(others) > 1)
    return is_then and reader not in counted.at(schedule, counted.now) and (is_of_others or bool(found["nobody"]))


def _is_void(found: re.Match[str], reader: str, change: OverrideChange, counted: Counted) -> bool:
    whom = change.by == reader if not found["by"] else change.by == found["by"] != reader
    times = (counted.told(change.starts), counted.told(change.ends))
    same = (change.schedule, change.person) == (found["schedule"], found["who"])
    return whom and same and times == (found["first"], found["last"]) and counted.is_void(change)


def _check_open(lines: Sequence[str], reader: str, counted: Counted, records: Collection[Record]) -> None:
    if not lines:
        return
    live = {each.incident.number: each for each in records if each.incident.is_live}
    found = (_OPEN if live else _NONE_OPEN).fullmatch(lines[0])
    _demand(found and found["at"] == counted.told(counted.now), lines[0], "how many are open")
    assert found is not None
    _demand(not live or int(found["count"]) == len(live), lines[0], f"that {sorted(live)} are open")
    rows = [row for each in lines[1:] if (row := _INCIDENT.fullmatch(each))]
    more = [each for each in lines[1:] if not _INCIDENT.fullmatch(each)]
    _demand({int(each["number"]) for each in rows} <= {*live}, lines, "which are open")
    _demand(more == ([f"and {len(live) - len(rows)} more"] if len(rows) < len(live) else []), lines, "how many more")
    for each in rows:
        record = live[int(each["number"])]
        owner = hands(record.entries).owner.lower()
        who = "nobody" if not owner else "you" if owner == reader else owner
        is_so = (int(each["level"]), bool(each["exercise"])) == (record.incident.level, record.incident.exercise)
        _demand(is_so and each["who"].split()[0] == who, each[0], "how bad it is, and who has it")
        check(each["what"], record)


def _names(said: str | None) -> set[str]:
    return set(filter(None, re.split(r", | and ", said or "")))


# The shift log.


def check_shift_entry(entry: ShiftEntry, counted: Counted) -> None:
    """Raises UntrueError where a new line of the shift log says what is not so."""
    if entry.override:
        change = counted.overrides.get(entry.override)
        _demand(change and bool(entry.void) is counted.is_void(change), entry, "that an override is void")
        return
    said = {each.person: each.source for each in entry.on_call}
    for at in (entry.at, counted.now):
        _demand(said == dict(counted.at(entry.schedule, at)) or at < counted.now, entry, "who is on call")
    edges = {each for each in counted.edges if each <= counted.now}
    _demand(entry.at == counted.now or entry.at in edges, entry, "since when")


# `/on-call`.

_TIME = r'<time data-wall datetime="(?P<{}>[^"]+)">[^<]*</time>'
_NAME = re.compile(r'<a href="/people/[^"]+">([^<]*)</a>')
_SECTION = re.compile(r'<section class="duty".*?</section>', re.DOTALL)
_HEAD = re.compile(r'<h2 id="s\d+">(\w+) ')
_ITEM = re.compile(r"<li(?: [^>]*)?>(.*?)</li>", re.DOTALL)
_LIST = re.compile(r'<details id="(list|past)-\d+">.*?</details>', re.DOTALL)
_PIECE = re.compile(
    rf"(?P<who>✕ nobody|\S+) (?:(?:all the time|from (?P<on>{_STAMP}) utc\S* on), no end before (?P<before>{_STAMP}) utc\S*|"
    rf"until (?P<end>{_STAMP}) utc\S*|"
    rf"(?P<first>{_STAMP})(?: utc\S*)? until (?P<last>(?:\w{{3}} \d+ \w{{3}}, )?\d\d:\d\d) utc\S*)"
    r"(?: (?P<source>.*))?"
)
_TAKEN = re.compile(
    rf"(?P<who>\S+) for (?P<schedule>\w+): (?P<first>{_STAMP})(?: utc\S*)? until "
    rf"(?P<last>(?:\w{{3}} \d+ \w{{3}}, )?\d\d:\d\d) utc\S* (?P<why>\w+) by (?P<by>\w+)(?P<void> ✕ void: .*)?"
)


def check_on_call(page: str, log: Mapping[str, Sequence[ShiftEntry]], counted: Counted) -> None:
    """Raises UntrueError where `/on-call` says what is not so. `log`: the lines of the shift log of each schedule."""
    sections = _SECTION.findall(page)
    _demand(len(sections) == len(log), page, "which schedules there are")
    for section in sections:
        head = _HEAD.search(section)
        assert head is not None
        _check_card(section, head[1], counted)
        _check_pieces(section, head[1], counted)
        _check_past(section, log[head[1]])
    _check_overrides(page, counted)


def _check_card(section: str, schedule: str, counted: Counted) -> None:
    facts = dict(re.findall(r"<dt>(Now|Until|Next)</dt><dd>(.*?)</dd></div>", section, re.DOTALL))
    now, last = counted.at(schedule, counted.now), counted.edges[-1]
    _demand(set(_NAME.findall(facts["Now"])) == {*now}, facts, f"that {now} is on call now")
    _demand(("✕ nobody" in facts["Now"]) is not bool(now), facts, "whether anybody is on call now")
    override = re.search(r"by (override by \w+)", facts["Now"])
    _demand(not override or override[1] in now.values(), facts, "that it is by an override")
    ends = max((counted.spell(schedule, name).ends for name in now), default=None)
    if ends is not None:
        until = _instant(facts["Until"])
        _demand(until == ends or (until is None and ends == last), facts, f"that it is until {ends}")
    _check_next(facts["Next"], schedule, ends, counted)


def _check_next(said: str, schedule: str, ends: int | None, counted: Counted) -> None:
    """The first who comes on call."""
    coming = [each for each in counted.spells(schedule, apart=False) if each.starts > counted.now]
    first = min((each.starts for each in coming), default=None)
    at, who = _instant(said), _NAME.findall(said)
    _demand(at == first, said, f"that the next comes at {first}")
    _demand(first is None or who[0] in counted.at(schedule, first), said, "who comes next")
    gap = first is not None and ends is not None and first > ends
    _demand(("nobody in between" in said) is gap, said, "whether there is a gap before")
    _demand(("✕ nobody in the coming" in said) is (first is None and ends != counted.edges[-1]), said, "that nobody is")


def _check_pieces(section: str, schedule: str, counted: Counted) -> None:
    """The list in words: each of the coming fortnight stands there, and nothing else."""
    listed = next(each[0] for each in _LIST.finditer(section) if each[1] == "list")
    spells = [each for each in counted.spells(schedule, apart=True) if each.ends > counted.now]
    nobody = [Spell(first, last, NOBODY) for first, last in _gaps(spells, counted)]
    _check_lines(_plain_items(listed), (*spells, *nobody), counted.ahead, 13 * DAY, counted)


NOBODY = "✕ nobody"
LISTED = 200


def _check_lines(items: Sequence[str], so: Sequence[Spell], ahead: int, far: int, counted: Counted) -> None:
    """Each tells one of these spells, and those that begin soon are all told. What reaches beyond what was looked at has
    no end in the words, or no beginning.
    """
    said = [_piece(each) for each in items]
    for each in said:
        _demand(any(_tells(each, spell, ahead, counted) for spell in so), each[0], "a shift or a gap")
    soon = [spell for spell in so if spell.starts < counted.now + far]
    missing = [spell for spell in soon if not any(_tells(each, spell, ahead, counted) for each in said)]
    _demand(not missing or len(said) == LISTED, missing, "that these are all")


def _piece(said: str) -> re.Match[str]:
    found = _PIECE.fullmatch(said)
    _demand(found, said, "a line of the list")
    assert found is not None
    return found


def _tells(found: re.Match[str], spell: Spell, ahead: int, counted: Counted) -> bool:
    if (found["who"], found["source"] or "") != (spell.person, spell.source):
        return False
    first, last = found["on"] or found["first"], found["end"] or (_day(found) if found["last"] else None)
    is_begun = spell.starts <= counted.now  # when, the shift log tells
    begins = (first is None) is False and (is_begun or first == counted.told(spell.starts, ahead))
    ends = last == counted.told(spell.ends, ahead) if last else _lasts_beyond(found["before"], spell, ahead, counted)
    return (begins or (first is None and is_begun)) and ends


def _lasts_beyond(before: str, spell: Spell, ahead: int, counted: Counted) -> bool:
    """Whether the spell ends after that time within the next year, or after all that is known."""
    year = moment(counted.now).year
    told = (datetime.strptime(f"{before} {each} +0000", "%a %d %b, %H:%M %Y %z") for each in (year, year + 1))
    at = next(at for each in told if (at := int(each.timestamp()) * 1_000_000 - ahead * MINUTE) > counted.now)
    return at > counted.now + QUARTER and (spell.ends > at - MINUTE or spell.ends == counted.edges[-1])


QUARTER = 56 * DAY
"""No page looks less far."""


def _gaps(spells: Sequence[Spell], counted: Counted) -> Iterator[tuple[int, int]]:
    """Times without a person on call, from now on."""
    at = counted.now
    for each in sorted(spells):
        if each.starts > at:
            yield at, each.starts
        at = max(at, each.ends)
    if at < counted.edges[-1]:
        yield at, counted.edges[-1]


def _day(found: re.Match[str]) -> str:
    """The end with its day: within a day only the first has it."""
    return str(found["last"]) if "," in found["last"] else f"{found['first'].partition(', ')[0]}, {found['last']}"


def _check_past(section: str, log: Sequence[ShiftEntry]) -> None:
    """Handoffs that were: as the log has them, the newest first."""
    past = [each[0] for each in _LIST.finditer(section) if each[1] == "past"]
    items = _ITEM.findall(past[0]) if past else []
    newest = list(reversed(log[1:]))
    _demand(len(items) == min(10, len(newest)), items, "which handoffs there were")
    for item, entry in zip(items, newest, strict=False):
        _demand(_instant(item) == entry.at, item, f"when that was: {entry}")
        _demand(_NAME.findall(item) == [each.person for each in entry.on_call], item, f"who came on call: {entry}")


def _check_overrides(page: str, counted: Counted) -> None:
    listed = page.partition('<ul class="entries">')[2].partition("</ul>")[0]
    said = {_taken(each) for each in _plain_items(listed)}
    kept = [each for each in counted.overrides.values() if each.ends > counted.now]
    so = {
        (
            *(each.person, each.schedule, each.by, counted.is_void(each)),
            *(counted.told(at, counted.ahead) for at in (each.starts, each.ends)),
        )
        for each in kept
    }
    _demand(said == so, said, f"which overrides there are: {so}")
    _demand(("None is in effect, and none is to come." in page) is not bool(so), page[-500:], "that there is none")


def _taken(said: str) -> tuple[str, str, str, bool, str, str]:
    found = _TAKEN.fullmatch(said)
    _demand(found, said, "an override")
    assert found is not None
    return found["who"], found["schedule"], found["by"], bool(found["void"]), found["first"], _day(found)


# A person's page.


def check_person(page: str, person: str, counted: Counted, schedules: Collection[str], ahead: int = 0) -> None:
    """Raises UntrueError where a person's page says of their shifts what is not so."""
    listed = _plain_items(page.partition('<ul class="lines-of-duty">')[2].partition("</ul>")[0])
    for schedule in schedules:
        mine = [f"{person} {each.partition(' ')[2]}" for each in listed if each.partition(" ")[0] == schedule]
        so = [
            each for each in counted.spells(schedule, apart=True) if each.person == person and each.ends > counted.now
        ]
        _check_lines(mine, so, ahead, 55 * DAY, counted)
    _demand(("Not at all." in page) is (not listed), page[-300:], "that there is none")


def check_failures(page: str, contacts: Mapping[str, str], messages: Sequence[tuple[str, Notification]]) -> None:
    """Raises UntrueError where a person's page says of a contact that the last message failed, and it did not, or the
    other way round. `contacts`: type → address; `messages`: (type of the channel, message) of that person.
    """
    for type_, address in contacts.items():
        mine = [
            each
            for of, each in messages
            if (of, each.recipient) == (type_, address)
            and each.status in {Status.ACCEPTED, Status.DELIVERED, Status.GAVE_UP}
        ]
        newest = max((each.done_at or 0 for each in mine), default=0)
        fates = {each.status is Status.GAVE_UP for each in mine if (each.done_at or 0) == newest}
        row = page.partition(f"<dt>{type_}</dt>")[2].partition("</dd>")[0]
        _demand(("The last message failed" in row) in (fates or {False}), row, f"how the last message fared: {fates}")


def _plain_items(listed: str) -> list[str]:
    """What people read of each item of a list."""
    told = (re.sub(r"<form.*?</form>|<[^>]+>", " ", each, flags=re.DOTALL) for each in _ITEM.findall(listed))
    return [" ".join(unescape(each).split()).lower().replace(" :", ":") for each in told]


def _instant(said: str) -> int | None:
    """The instant that a time of a page names."""
    found = re.search(_TIME.format("at"), said)
    return None if found is None else round(datetime.fromisoformat(found["at"]).timestamp() * 1_000_000)


def _demand(so: object, said: object, what: str) -> None:
    if not so:
        raise UntrueError(f"says {said!r} (shifts: {what}), and it is not so")
