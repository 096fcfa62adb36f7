"""The console's lists: which incidents stand there, in which order, what each row says, and how many there are."""

import re
from collections.abc import Iterator, Mapping, Sequence

from receiver.core.alerts import title_of
from receiver.core.model import Fact, Incident, Recovery, State
from receiver.messages.times import rfc3339
from tests.core.truth.oracle import check
from tests.core.truth.record import SPAN, Record, UntrueError, hands
from tests.core.truth.recovery import system_of
from tests.core.truth.words import page_text

_HEAD = re.compile(r'<p class="lead">(.*?)</p>', re.DOTALL)
_CARD = re.compile(r"<article\b.*?</article>", re.DOTALL)
_ROW = re.compile(r'<li><p class="marks">.*?</li>', re.DOTALL)
_NUMBER = re.compile(r'<span class="quiet number">#(\d+)</span>')
_STATE = re.compile(r'<span class="state state-(\w+)">([^<]*)</span>')
_LEVEL = re.compile(r'<span class="level level-(\d)">')
_TAKEN = re.compile(r'<p class="quiet">.*?</time>(?P<said>.*?)</p></li>', re.DOTALL)

_FATE = re.compile(
    rf"(?:(?P<who>(?!resolved after)\S+)(?: after (?P<after>{SPAN}))?)?(?:; )?(?:resolved after (?P<over>{SPAN}))?"
)

Instants = Mapping[str, int]


def check_now(page: str, records: Mapping[int, Record], instants: Instants) -> None:
    """Raises UntrueError where `/` leaves out an incident that needs a person, counts wrongly, or misstates one."""
    live = {number for number, each in records.items() if not each.is_over and not each.incident.recorded_only}
    known = [each.incident for each in records.values() if not each.incident.recorded_only]
    counts = {state: sum(each.state is state and not each.exercise for each in known) for state in State}
    apart = sum(each.exercise for each in known if each.is_live)
    unclosed = sum(each.state is State.RESOLVED for each in known)
    found = _HEAD.search(page)
    said = " ".join(re.sub(r"<[^>]+>", "", found[1]).split()) if found else ""
    tail = f" ({apart} exercise{'' if apart == 1 else 's'} apart)" if apart else ""
    _demand(said in {f"{head}{tail}" for head in _heads(counts, unclosed)}, said, "how many there are")
    cards = [(int(_one(_NUMBER, each)), each) for each in _CARD.findall(page)]
    _demand({number for number, _ in cards} == live, [number for number, _ in cards], "which need somebody")
    order = [_place(records[number].incident) for number, _ in cards]
    _demand(order == sorted(order), order, "that what burns comes first, and exercises last")
    for number, card in cards:
        _check_marks(card, records[number])
        check(page_text(_without_marks(card), instants), records[number])


def _place(incident: Incident) -> tuple[bool, int, bool, bool]:
    """Exercises last; the worst level first; in it what is breached, then what is unacknowledged."""
    is_breached = incident.breached_at is not None and incident.state is State.OPEN
    return incident.exercise, -incident.level, not is_breached, not incident.wants_answer


def _heads(counts: Mapping[State, int], unclosed: int) -> Iterator[str]:
    is_open, taken = counts[State.OPEN], counts[State.ACKNOWLEDGED]
    if not is_open and not taken:
        # Those of which nothing is missing are only watched, and not counted.
        yield "Nothing needs anybody."
        yield from (f"Nothing is open; {each} resolved and not closed." for each in range(1, unclosed + 1))
        return
    nobody = f", nobody has taken {'it' if is_open == 1 else 'them'}" if is_open else ""
    yield f"{is_open} open{nobody}; {taken} acknowledged"


def check_history(page: str, records: Mapping[int, Record], instants: Instants) -> None:
    """Raises UntrueError where `/history` leaves out an incident, or says of one what is not so."""
    rows = [(int(_one(_NUMBER, each)), each) for each in _ROW.findall(page) if _NUMBER.search(each)]
    wanted = sorted(records, reverse=True)
    _demand([number for number, _ in rows] == wanted[: len(rows)], [number for number, _ in rows], "which there were")
    _demand(len(rows) == len(wanted) or "Older ones" in page, len(rows), "that there are more")
    for number, row in rows:
        record = records[number]
        _check_marks(row, record)
        _demand(
            ("breached" in row) is (record.incident.breached_at is not None), row, "whether a deadline was breached"
        )
        title = re.sub(r"<[^>]+>", "", re.findall(r'<a href="/incidents/\d+">(.*?)</a>', row)[0])
        firing = [title_of(each) for each in record.firing]
        is_one = title in firing if firing and not record.incident.declared else title == record.incident.title
        _demand(is_one, title, "what it is about")
        said = re.sub(r"<[^>]+>", "", _one(_TAKEN, row)).strip("; ")
        _check_fate(_without_system(said, record), record)


def _without_system(said: str, record: Record) -> str:
    """What follows the system: one of which something fires, while anything does."""
    could = {system_of(each.labels) for each in record.firing if not record.incident.declared}
    found = next((each for each in could or {record.incident.system} if each and f"{said};".startswith(f"{each};")), "")
    _demand(found or "" in could or not record.incident.system, said, f"what it is of: {could}")
    return said[len(found) :].strip("; ")


def _check_fate(said: str, record: Record) -> None:
    """Who took it, after how long, and after how long it was over: ``ada after 3 minutes; resolved after 1 hour``."""
    incident = record.incident
    over = incident.resolved_at if not incident.recorded_only else None
    found = _FATE.fullmatch(said)
    _demand(found is not None, said, "what became of it")
    assert found is not None
    _demand((found["who"] or "") == incident.acknowledged_by, said, f"who took it: {incident}")
    for words, at in ((found["after"], incident.acknowledged_at), (found["over"], over)):
        so = not words if at is None else words and record.is_long(words, at - incident.opened_at)
        _demand(so, said, f"how long that took: {incident}")


def _check_marks(row: str, record: Record) -> None:
    """Level, state and whether it is an exercise, beside the number."""
    incident = record.incident
    _demand(int(_one(_LEVEL, row)) == incident.level, row, f"level {incident.level}")
    state, said = _STATE.findall(row)[0]
    words = "recorded, nobody is told" if incident.recorded_only else str(incident.state)
    _demand((state, said) == (str(incident.state), words), said, f"that it is {words}")
    _demand(("state exercise" in row) is incident.exercise, row, "whether it is an exercise")


SHELL = {
    Recovery.UNREPORTED: "no longer reported",
    Recovery.VERIFYING: "recovered, being verified",
    Recovery.CHECKING: "recovered, being checked",
    Recovery.CONFIRM: "recovered, to be confirmed",
    Recovery.UNVERIFIED: "recovery unverified",
}


def check_shell_row(row: Sequence[str], record: Record) -> None:
    """Raises UntrueError where a line of `tocsin incidents` says what is not so; its time is told in UTC."""
    incident = record.incident
    number, level, state, who, opened, what = row
    _demand(number == f"#{incident.number}" and level.startswith(f"{incident.level} "), row, "which and how bad")
    well = SHELL.get(incident.recovery, "") if incident.is_live else ""
    so = "recorded, nobody is told" if incident.recorded_only else f"{incident.state}{f', {well}' if well else ''}"
    _demand(state == so, row, f"that it is {so}")
    ended = max((place for place, each in enumerate(record.entries) if each.fact is Fact.RESOLVED), default=None)
    owner = hands(record.entries[: None if incident.is_live else ended]).owner
    had = f"{owner} had it" if owner and not incident.is_live else owner
    _demand(who == (had or "nobody"), row, f"who has it: {had}")
    _demand(record.is_at(opened, incident.opened_at), row, "when it opened")
    check(what, record)


_VERSION = re.compile(
    r'Version (\d+)</a>, approved by ([^<]*), <time[^>]*? datetime="([^"]+)"[^>]*>[^<]*</time>(?:[^;]*?); '
    r'prepared by ([^<]*)<br><span class="quiet">SHA-256 <code>(\w+)</code>'
)
_STANDS = re.compile(
    r"Nothing has changed since version (?P<same>\d+) was approved|Version (?P<next>\d+) is kept as it reads now"
)
_SAYS_NOTHING = frozenset({Fact.REPORT_APPROVED, Fact.ACCEPTED, Fact.DELIVERED, Fact.SEND_FAILED, Fact.SUPERSEDED})


def check_report_page(page: str, record: Record) -> None:
    """Raises UntrueError where the page of a report says what is not so of its versions: who approved which, when, and
    whether anything has changed since.
    """
    approvals = list(record.find(Fact.REPORT_APPROVED))
    said = [(int(number), by, at, prepared, sha) for number, by, at, prepared, sha in _VERSION.findall(page)]
    so = [
        (int(each.data["version"]), each.by, rfc3339(each.at), each.data["prepared_by"], each.data["sha256"])
        for each in approvals
    ]
    _demand(said == so, said, f"which versions are approved: {so}")
    found = _STANDS.search(page)
    _demand(found, page[-1500:], "whether the next is to be approved")
    assert found is not None
    if found["next"]:
        _demand(int(found["next"]) == len(so) + 1, found[0], "which version is the next")
        return
    since = [each.fact for each in record.entries if each.position > approvals[0].position]
    _demand(int(found["same"]) == len(so), found[0], "which was approved last")
    _demand(set(since) <= _SAYS_NOTHING, found[0], f"that nothing has changed: {since}")


def _without_marks(card: str) -> str:
    return re.sub(r'<p class="marks">.*?</p>', "", card, flags=re.DOTALL)


def _one(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    _demand(found is not None, text, pattern.pattern)
    assert found is not None
    return found[found.lastgroup or 1]


def _demand(so: object, said: object, what: str) -> None:
    if not so:
        raise UntrueError(f"a list says {said!r} (lists: {what}), and it is not so")
