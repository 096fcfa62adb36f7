"""Errors and doubts about people and schedules as written; the receiver checks who is on call when."""

from collections.abc import Iterator

from rules.document import PolicyDocument
from rules.durations import format_duration
from rules.lint_catalog import doubt
from rules.nodes import Node, Step, render
from rules.policy import Place, Policy
from rules.problems import Problem
from rules.time_zones import fixed_zone
from rules.validate import place_of


def find(policy: Policy, document: PolicyDocument, root: Node) -> Iterator[Problem]:
    """All faults of people and schedules."""
    yield from _names(document, root)
    yield from _reaches(policy, document, root)
    yield from _without_at(policy)
    yield from _zones(root)


def _zones(node: Node, *way: Step) -> Iterator[Problem]:
    """All elements with a time zone: the policy, people, schedules, layers, channels."""
    if isinstance(node.value, list):
        for index, each in enumerate(node.value):
            yield from _zones(each, *way, index)
    elif isinstance(node.value, dict):
        for key, each in node.value.items():
            if key == "time_zone" and (found := fixed_zone(str(each.value))):
                mark = node.keys[key]
                yield doubt("fixed-zone", Place(mark.path, mark.line, mark.column, render((*way, key))), _fixed(*found))
            elif not key.startswith("x-"):
                yield from _zones(each, *way, key)


def _fixed(offset: str, place: str) -> str:
    meant = f"write `{place}` for the time there" if place else "write the place, such as `Asia/Karachi`"
    return f"this zone is {offset} all year, in summer too: {meant}, or `UTC` for no place's"


def _without_at(policy: Policy) -> Iterator[Problem]:
    """A recipient that is a plain name is a person to be called by hand; a reference needs an @ before it."""
    known = {*(each.name for each in policy.people), *(each.name for each in policy.schedules)}
    for channel in policy.channels:
        for name in (each for each in channel.recipients if channel.facts.called_by_hand and each in known):
            message = f'"{name}" is a name to be called by hand here: write "@{name}" for the one of the policy'
            yield doubt("name-without-at", channel.place, message)


def _names(document: PolicyDocument, root: Node) -> Iterator[Problem]:
    """A reference must identify one person or schedule, and a calendar's name one person."""
    people = {each.name for each in document.people}
    for index, schedule in enumerate(document.schedules):
        if schedule.name in people:
            message = f'"{schedule.name}" is a person too: nobody could tell whom `@{schedule.name}` means'
            yield Problem.at(place_of(root, "schedules", index, "name"), message)
    known = {each.name.casefold(): each.name for each in document.people}
    for index, person in enumerate(document.people):
        for number, alias in enumerate(person.aliases):
            owner = known.setdefault(alias.casefold(), person.name)
            if owner != person.name:
                message = f'"{alias}" is {owner} already: a calendar that says so would mean two people'
                yield Problem.at(place_of(root, "people", index, "aliases", number), message)


def _reaches(policy: Policy, document: PolicyDocument, root: Node) -> Iterator[Problem]:
    offered = {channel.type for channel in policy.channels if channel.enabled}
    for index, person in enumerate(document.people):
        if not person.repeat:
            message = f"{person.name} is told once, and not again at an escalation"
            yield doubt("not-repeated", place_of(root, "people", index, "repeat"), message)
        for number, step in enumerate(person.reach):
            if missing := [each for each in step.by if each not in offered]:
                message = f"no channel of type {' or '.join(missing)} is enabled: {person.name} is not told that way"
                yield doubt("reach-without-channel", place_of(root, "people", index, "reach", number, "by"), message)
            levels = [level for level in policy.levels if not step.levels or level.level in step.levels]
            late = [str(level.level) for level in levels if step.after and step.after >= level.escalation_time]
            if late:
                message = (
                    f"{person.name} is told by {', '.join(step.by)} {format_duration(step.after)} after the page, when "
                    f"level {' and '.join(late)} has escalated already"
                )
                yield doubt("late-reach", place_of(root, "people", index, "reach", number, "after"), message)
