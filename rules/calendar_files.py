"""Calendar files beside the policy: read together with it, so that a policy version is complete."""

from dataclasses import replace
from pathlib import Path

from rules.calendar_text import calendars_in
from rules.nodes import Node
from rules.policy import OnCallSchedule, Policy
from rules.problems import Problem
from rules.validate import place_of
from rules.whole_files import read_whole

LARGEST = 4 * 1024 * 1024
"""Bytes."""


def with_calendars(policy: Policy, root: Node, problems: list[Problem]) -> Policy:
    """The policy with the text of each calendar that is a file."""
    schedules = tuple(
        _read(each, index, root, problems) if each.calendar and not each.is_fetched else each
        for index, each in enumerate(policy.schedules)
    )
    return replace(policy, schedules=schedules) if schedules != policy.schedules else policy


def _read(schedule: OnCallSchedule, index: int, root: Node, problems: list[Problem]) -> OnCallSchedule:
    place = place_of(root, "schedules", index, "calendar")
    file = Path(place.path).parent / schedule.calendar
    try:
        text = read_whole(file, LARGEST).decode("utf-8-sig")
        fault = _fault(text)
    except FileNotFoundError:
        text, fault = "", "does not lie beside the policy"
    except OSError as error:
        text, fault = "", f"cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        text, fault = "", "is not UTF-8"
    if fault:
        problems.append(Problem.at(place, f"calendar: {file} {fault}"))
    return replace(schedule, calendar_text=text)


def _fault(text: str) -> str:
    """Why the text is not a valid calendar; empty: it is."""
    try:
        calendars_in(text)
    except ValueError as error:
        return str(error)
    return ""
