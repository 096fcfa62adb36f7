"""How soon a person is reached over a year, held against a drill of every set of people with every fault in turn."""

from hypothesis import example, given, settings
from hypothesis import strategies as some

from receiver.core.events import AlertsReceived
from receiver.core.model import Alert, Instant
from receiver.drill.on_call_reach import reaches_over
from receiver.drill.on_call_sets import sets, tellers
from receiver.drill.on_call_walk import walk
from receiver.drill.reach import ways
from receiver.drill.simulator import ChannelFaults, World
from rules.load import load_text
from rules.policy import CRITICAL, HOUR
from tests.on_call.teams import utc

NOW = utc("2026-10-01T00:00")
TYPES = ("email", "sms", "phone")
MORE_SCHEDULES = ("primary", "secondary", "third")


def team(people, places, fallback, every="1d", schedules=MORE_SCHEDULES[:2], hours=""):
    """A policy of three levels. `people`: YAML of `contacts` and `reach` of each; `places`: whom each channel names;
    `hours`: YAML of `only`, of the last schedule.
    """
    rows = "\n".join(f"  - {{name: p{number}, {each}}}" for number, each in enumerate(people))
    names = [f"p{number}" for number in range(len(people))]
    layers = "\n".join(
        f"  - {{name: {name}, time_zone: UTC, layers: [{{people: [{', '.join(names[n:])}], "
        f'starts: "2026-01-05T{9 + n:02}:00", every: {every}{hours if name == schedules[-1] else ""}}}]}}'
        for n, name in enumerate(schedules)
    )
    channels = "\n".join(
        f"    - {{name: {type_}, type: {type_}, recipients: [{', '.join(places[type_])}]}}" for type_ in TYPES
    )
    return load_text(f"""\
incident_response:
  classification:
    severity_levels:
      - {{level: 2, name: Warning, response_time: "40m", escalation_time: "10m"}}
      - {{level: 3, name: Critical, response_time: "30m", escalation_time: "8m"}}
      - {{level: 4, name: Emergency, response_time: "12m", escalation_time: "5m"}}
  alert_channels:
{channels}
    - {{name: pagerduty, type: pagerduty, service: desk}}
  detection:
    rules:
      - {{name: slow, condition: "slow > 1", severity: 2, channels: [email]}}
      - {{name: late, condition: "late > 1", severity: 3, channels: [email, sms]}}
      - {{name: margin, condition: "margin < 1", severity: 4, channels: [phone]}}
fallback: {fallback}
people:
{rows}
schedules:
{layers}
""").policy


def first_reached(year, at, way, faults):
    """Microseconds until a person is reached in a drill of this set alone, with these faults."""
    world = World(year.drilled, faults, now=Instant(at))
    world.engine.held_rosters = year.held(at)
    rule = next((each.key for each in way.members), "Stranger")
    alert = Alert("drill", world.now, firing=True, level=way.level, rule=rule, type=rule, labels={}, annotations={})
    world.handle(AlertsReceived("drill", "", (alert,)))
    within = year.drilled.level(way.level).response_time
    world.advance(Instant(at + within), enough=lambda: any(each.reached for each in world.sent))
    return next((each.at - at for each in world.sent if each.reached), None)


def moments(year):
    """The first time of each distinct set of people on call, and whether every schedule has one; none are merged."""
    pieces = (each for roster in year.rosters for some in (roster.shifts, roster.gaps) for each in some)
    first = {}
    for at in sorted({year.starts, *(each.starts for each in pieces)}):
        on_call = tuple(frozenset(shift.person for shift in roster.at(at)) for roster in year.rosters)
        first.setdefault(on_call, at)
    return {at: all(on_call) for on_call, at in first.items()}


def paged(year, at):
    """The people who are on call in a schedule that a channel names, or whom a channel names."""
    named = {each.removeprefix("@") for channel in year.drilled.channels for each in channel.recipients}
    on_call = {shift.person for roster in year.rosters if roster.name in named for shift in roster.at(at)}
    return [each for each in year.drilled.people if each.name in named | on_call]


def joint(year):
    """Way → what is lost → the worst of all sets, each drilled by itself with everybody on call at once.

    Below level 3 times without a person on call do not count, where there are others.
    """
    worst = {}

    def note(way, lost, after):
        key = (way.level, way.channels, lost)
        rank = float("inf") if after is None else after
        worst[key] = max(worst.get(key, -1), rank)

    known = moments(year)
    for at, is_whole in known.items():
        for way in ways(year.drilled):
            if way.level < CRITICAL and not is_whole and any(known.values()):
                continue
            note(way, "", first_reached(year, at, way, ChannelFaults()))
            for each in year.drilled.channels:
                note(way, each.name, first_reached(year, at, way, ChannelFaults(frozenset([each.name]))))
            for person in paged(year, at):
                missing = frozenset(address for _, address in person.contacts)
                note(way, person.name, first_reached(year, at, way, ChannelFaults(missing=missing)))
    return worst


def decomposed(year):
    """The same, as `check` finds it."""
    found, _ = reaches_over(year)
    answer = {}
    for each in found:
        for lost, after in {"": each.all_up, **each.without, **each.without_person}.items():
            answer[each.level, each.channels, lost] = float("inf") if after is None else after
    return answer


@some.composite
def person(draw, number):
    """Some contacts, a way of being told, and whether they are told again."""
    types = draw(some.lists(some.sampled_from(TYPES), min_size=1, unique=True))
    address = draw(some.sampled_from((number, number, number, 0)))  # now and then another's number
    known = {"email": f"p{address}@example.org", "sms": f'"+49170100000{address}"', "phone": f'"+49170100000{address}"'}
    contacts = ", ".join(f"{each}: {known[each]}" for each in types)
    steps = some.tuples(
        some.lists(some.sampled_from(types), min_size=1, max_size=2, unique=True),
        some.integers(0, 9),
        some.sampled_from(("", ", levels: [3, 4]", ", levels: [4]")),
    )
    reach = ", ".join(
        f"{{by: [{', '.join(by)}]{f', after: {after}m' if n and after else ''}{levels}}}"
        for n, (by, after, levels) in enumerate(draw(some.lists(steps, max_size=3)))
    )
    again = draw(some.sampled_from(("true", "true", "false")))
    return f"contacts: {{{contacts}}}, repeat: {again}" + (f", reach: [{reach}]" if reach else "")


PLACES = some.lists(some.sampled_from(('"@primary"', '"@secondary"')), min_size=1, max_size=2, unique=True)


@settings(max_examples=4, deadline=None)
@given(
    people=some.tuples(*(person(number) for number in (1, 2, 3))),
    places=some.tuples(PLACES, PLACES, PLACES),
    fallback=some.sampled_from(("[pagerduty]", "[sms]", "[phone, pagerduty]")),
)
@example(  # a reference with no person to tell, in some sets only
    people=(
        "contacts: {phone: '+491701000001'}",
        "contacts: {email: p2@example.org}",
        "contacts: {email: p3@example.org}",
    ),
    places=(['"@primary"'], ['"@primary"'], ['"@primary"']),
    fallback="[pagerduty]",
)
@example(  # own ways that take a fallback's person
    people=(
        (
            "contacts: {sms: '+491701000001', phone: '+491701000001', email: p1@example.org}, "
            "reach: [{by: [email, phone]}, {by: [sms, phone], after: 8m}, {by: [sms, phone], after: 8m}]"
        ),
        (
            "contacts: {sms: '+491701000002', email: p2@example.org, phone: '+491701000002'}, "
            "reach: [{by: [phone, email]}, {by: [phone], after: 6m}, {by: [sms, email], after: 8m}]"
        ),
        "contacts: {sms: '+491701000003', email: p3@example.org, phone: '+491701000003'}",
    ),
    places=(['"@primary"'], ['"@secondary"', '"@primary"'], ['"@secondary"']),
    fallback="[phone, pagerduty]",
)
@example(  # an address of two people, one of whom is spared
    people=(
        (
            "contacts: {sms: '+491701000000', phone: '+491701000000'}, repeat: false, "
            "reach: [{by: [sms, phone], after: 3m, levels: [3, 4]}]"
        ),
        "contacts: {email: p0@example.org, sms: '+491701000000', phone: '+491701000000'}",
        "contacts: {sms: '+491701000003', phone: '+491701000003'}",
    ),
    places=(['"@primary"'], ['"@primary"'], ['"@primary"', '"@secondary"']),
    fallback="[pagerduty]",
)
@example(  # people whom nothing ties to each other
    people=tuple(
        f"contacts: {{email: p{n}@example.org, sms: '+49170100000{n}', phone: '+49170100000{n}'}}, "
        f"reach: [{{by: [sms], after: {n}m}}, {{by: [phone], after: {n + 2}m}}]"
        for n in (1, 2, 3)
    ),
    places=(['"@secondary"'], ['"@secondary"'], ['"@primary"']),
    fallback="[pagerduty]",
)
@example(  # addresses that channels name too
    people=tuple(
        f"contacts: {{email: p{n}@example.org, sms: '+49170100000{n}', phone: '+49170100000{n}'}}" for n in range(3)
    ),
    places=(['"@primary"'], ['"@primary"', '"+491701000000"'], ['"@secondary"', '"+491701000001"']),
    fallback="[pagerduty]",
)
@example(  # two alike pairs, each with an address of its own
    people=tuple(f"contacts: {{sms: '+49170100000{n}'}}" for n in (7, 8, 8, 7)),
    places=(['"@primary"'], ['"@primary"', '"@secondary"'], ['"@primary"']),
    fallback="[pagerduty]",
)
@example(  # alike people, each with addresses of their own, beside unlike ones
    people=tuple(
        f"contacts: {{email: p{n}@example.org, sms: '+49170100000{n}', phone: '+49170100000{n}'}}{reach}"
        for n, reach in enumerate(("", ", reach: [{by: [sms], after: 5m}]", "", ", reach: [{by: [sms], after: 6m}]"))
    ),
    places=(['"@primary"'], ['"@primary"'], ['"@secondary"']),
    fallback="[pagerduty]",
)
def test_it_is_the_same_as_drilling_every_set(people, places, fallback):
    """People tell on their own what holds for them in every set: also people who share an address, are spared, or are a fallback."""
    named = dict(zip(TYPES, places, strict=True))
    year = walk(team(people, named, fallback), NOW, 2)
    assert decomposed(year) == joint(year)


def test_people_count_at_their_first_hour_without_a_gap():
    """Also where their first hour on call is one in which a schedule that no channel names has a gap."""
    people = (
        "contacts: {email: p0@example.org}",
        "contacts: {sms: '+491701000001'}",
        "contacts: {email: p2@example.org}",
    )
    places = {type_: ['"@primary"'] for type_ in TYPES}
    hours = ', only: [{from: "12:00", to: "20:00"}]'
    for first in range(0, 72, 24):  # each of the three begins once
        given = team(people, places, "[pagerduty]", hours=hours)
        year = walk(given, NOW + first * HOUR + 12 * HOUR, 2)
        assert decomposed(year) == joint(year)


def test_an_hour_counts_that_begins_with_a_gap():
    """At the end of a shift no person comes on call: no shift begins, and the people on call are others."""
    hours = ', only: [{from: "09:00", to: "17:00"}]'
    places = {type_: ['"@primary"'] for type_ in TYPES}
    given = team(["contacts: {sms: '+491701000001'}"], places, "[pagerduty]", schedules=("primary",), hours=hours)
    year = walk(given, NOW + 10 * HOUR, 2)
    assert decomposed(year) == joint(year)


def test_drills_grow_with_people_and_not_with_sets():
    """Of seven people of unlike `reach` in three schedules each is drilled in each place; not every set that they make."""
    people = [
        f'contacts: {{email: p{n}@example.org, sms: "+4917010001{n:02}", phone: "+4917010001{n:02}"}}, '
        f"reach: [{{by: [sms]}}, {{by: [phone], after: {n + 1}m}}]"
        for n in range(7)
    ]
    places = {"email": ['"@primary"'], "sms": ['"@secondary"'], "phone": ['"@third"']}
    found = sets(walk(team(people, places, "[pagerduty]", schedules=MORE_SCHEDULES), NOW, 60))
    assert len(found) > 150
    assert len({each.at for each in tellers(found).values()}) < 50
