"""The document models of people and on-call schedules by layers or by a calendar."""

import re
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, create_model, model_validator

from rules.addresses import AddressError
from rules.channel_types import CHANNEL_FACTS, ChannelType
from rules.document.values import (
    DurationOrNone,
    LevelNumber,
    Name,
    PersonName,
    Section,
    Text,
    TimeZone,
    refusal,
    suggest,
)
from rules.policy import QUIET_WAYS, Micros
from rules.rota import DAYS, EVERY_FORM, TIME_FORM, Weekday, parse_every, parse_start, parse_time

CALENDAR_URL = re.compile(r"https://[^\s/]\S*|http://(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?(/\S*)?")
"""Plain http only to the local machine: control of the fetched data is control over who is paged."""
_WEBCAL = re.compile(r"^webcals?://", re.IGNORECASE)
"""The scheme with which calendar programs open calendars; the same data is fetched over https."""
SLACK_USER = re.compile(r"[UW][A-Z0-9]{7,}", re.ASCII)
"""A Slack member's id: the address of direct messages, and the identity of a person who acknowledges in Slack."""
_SLACK_WORDS = "Slack user's id, such as U024BE7LH (in Slack: the person's profile, ⋮, Copy member ID)"
_PLAIN_FILE = re.compile(r"[^/\\\x00-\x1f]+")


def _written(value: object) -> object:
    """The value as text: a number in the notation of its type."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _turn(value: str) -> str:
    try:
        parse_every(value)
    except ValueError as error:
        raise refusal(str(error)) from None
    return value.strip()


def _start(value: str) -> str:
    try:
        return parse_start(value).isoformat(timespec="minutes")
    except ValueError as error:
        raise refusal(str(error)) from None


def _time(value: str) -> str:
    try:
        parse_time(value)
    except ValueError as error:
        raise refusal(str(error)) from None
    return value.strip()


def _calendar(value: str) -> str:
    value = _WEBCAL.sub("https://", value)
    if CALENDAR_URL.fullmatch(value):
        return value
    if "://" in value:
        raise refusal("a calendar is read from a URL that begins with https:// or webcal://, or from a file")
    if not _PLAIN_FILE.fullmatch(value) or value in {".", ".."}:
        raise refusal("names a file that lies beside the policy, such as `oncall.ics`, without a folder")
    return value


def _day(value: object) -> object:
    if not isinstance(value, str):
        return value
    word = value.strip().lower()
    if word in DAYS:
        return word
    if word in _LONG_DAYS:
        return word[:3]
    hint = suggest(word, DAYS) if word.isalpha() else ""
    if "did you mean" not in hint:
        hint = f": write each day that is meant, of {', '.join(DAYS)}"
    raise refusal(f'"{value}" is no day{hint}')


_LONG_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

TurnLength = Annotated[
    Text,
    BeforeValidator(_written),
    AfterValidator(_turn),
    WithJsonSchema({"type": "string", "pattern": EVERY_FORM, "examples": ["1w"]}),
]
LocalStart = Annotated[
    Text,
    BeforeValidator(_written),
    AfterValidator(_start),
    WithJsonSchema({"type": "string", "examples": ["2026-10-01T09:00"]}),
]
TimeOfDay = Annotated[
    Text,
    BeforeValidator(_written),
    AfterValidator(_time),
    WithJsonSchema({"type": "string", "pattern": TIME_FORM, "examples": ["09:00"]}),
]
CalendarPlace = Annotated[Text, AfterValidator(_calendar)]
Day = Annotated[Weekday, BeforeValidator(_day)]


class ReachStepSpec(Section):
    """One step of a person's notification preferences."""

    by: tuple[ChannelType, ...] = Field(
        min_length=1, description="The ways of this step; the person has a contact for each."
    )
    after: DurationOrNone = Field(
        Micros(0), description="So long after the page, unless a person acknowledged meanwhile."
    )
    levels: tuple[LevelNumber, ...] = Field(
        (), description="For incidents of these levels only; left out: all, but 3 and 4 for what wakes (phone, SMS)."
    )


class PersonSpec(Section):
    """A person who can be on call. A recipient `@NAME` stands for the person."""

    name: Name = Field(description="How schedules and `@NAME` name the person.")
    contacts: dict[ChannelType, Text] = Field(
        {},
        description="Channel type → address: an e-mail address, a number, a Slack user's id.",
    )
    time_zone: TimeZone | None = Field(None, description="Where the person lives; left out: the policy's zone.")
    aliases: tuple[Text, ...] = Field((), description="Other names, under which a calendar may name the person.")
    reach: tuple[ReachStepSpec, ...] = Field(
        (), description="How this person wants to be told; left out: by all contacts that the step's channels offer."
    )
    repeat: bool = Field(
        True,
        description="False: who was told already is not told again at an escalation, until the response time is over.",
    )

    @model_validator(mode="after")
    def _can_be_reached(self) -> Self:
        for kind, address in self.contacts.items():
            self._accept(kind, address)
        for index, step in enumerate(self.reach):
            for place, kind in enumerate(step.by):
                if kind not in self.contacts:
                    message = f"{self.name} has no contact for {kind}; there are {', '.join(self.contacts) or 'none'}"
                    raise refusal(message, way=("reach", index, "by", place))
        return self

    def _accept(self, kind: ChannelType, address: str) -> None:
        facts = CHANNEL_FACTS[kind]
        personal = facts.address.is_personal
        if facts.is_program:
            raise refusal(f"a {facts.name} reaches a program, not a person", way=("contacts", kind))
        try:
            fits = SLACK_USER.fullmatch(address) if kind == "slack" else facts.address.fits(address)
            fits = fits and (personal is None or personal(address))
        except AddressError as error:
            words = f'"{address}" is no {facts.address.words}: {error}'
            raise refusal(words, way=("contacts", kind), offset=error.offset) from error
        if not fits or address.startswith("@"):
            words = _SLACK_WORDS if kind == "slack" else facts.address.words
            raise refusal(f'"{facts.quoted(address)}" is no {words}', way=("contacts", kind))


if TYPE_CHECKING:
    _WithFrom = Section
else:  # `from` is a Python keyword
    _WithFrom = create_model(
        "_WithFrom",
        __base__=Section,
        **{"from": (TimeOfDay, Field("00:00", description="Wall time of the layer's zone."))},
    )


class DutyHoursSpec(_WithFrom):
    """Hours on some days of the week. `from` later than `to` reaches into the next day, and belongs to its first."""

    to: TimeOfDay = Field("24:00", description="Wall time; up to 24:00.")
    days: tuple[Day, ...] = Field(DAYS, min_length=1, description="The days on which they begin; left out: all.")

    @property
    def begins(self) -> str:
        """The value of `from`."""
        return str(getattr(self, "from"))

    @model_validator(mode="after")
    def _is_some_time(self) -> Self:
        if parse_time(self.begins) == parse_time(self.to):
            raise refusal('is the same as `from`; a whole day is from "00:00" to "24:00"', key="to")
        if self.begins == "24:00":
            raise refusal('hours begin at "00:00" at the earliest, and before "24:00"', key="from")
        return self


class LayerSpec(Section):
    """A rotation. Later layers go over earlier ones."""

    people: tuple[PersonName, ...] = Field(min_length=1, description="Who takes turns, in order.")
    starts: LocalStart = Field(
        description="Local time of the first turn, and the handoffs' time of day. Before it there is a gap."
    )
    every: TurnLength = Field(description="How long a turn lasts: 12h, 1d, 1w, 2w, 1month. Below a day it divides it.")
    only: tuple[DutyHoursSpec, ...] = Field(
        (),
        description="The hours in which the layer has a person on call; left out: always. Days that it has not are no "
        "turns.",
    )
    time_zone: TimeZone | None = Field(None, description="The layer's own zone; left out: the schedule's.")


class HandoffSpec(Section):
    """How people are notified that they come on call or go off: only by channels that do not wake, since it may be
    night.
    """

    by: tuple[ChannelType, ...] = Field(
        QUIET_WAYS, description="The first of these ways that a person has; `[]` tells nobody."
    )

    @model_validator(mode="after")
    def _wakes_nobody(self) -> Self:
        for place, kind in enumerate(self.by):
            if kind not in QUIET_WAYS:
                ways = " or ".join(QUIET_WAYS)
                raise refusal(f"a handoff wakes nobody and is for people: {ways}", way=("by", place))
        return self


class ScheduleSpec(Section):
    """An on-call schedule, by layers or by a calendar. A recipient `@NAME` stands for the person on call."""

    name: Name = Field(description="How `@NAME` names it.")
    time_zone: TimeZone | None = Field(None, description="Its zone; left out: the policy's.")
    layers: tuple[LayerSpec, ...] = Field((), description="Rotations, the later over the earlier.")
    calendar: CalendarPlace | None = Field(
        None,
        description="Instead of layers an iCalendar: a file beside the policy, or an https or webcal URL. Its events' "
        "summaries name people.",
    )
    nights: int = Field(7, ge=1, description="`check` doubts more nights in a row for one person.")

    handoff: HandoffSpec = Field(
        default_factory=lambda: HandoffSpec(by=QUIET_WAYS),
        description="The message to the person who comes on call and the one who goes off.",
    )

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if self.layers and self.calendar is not None:
            raise refusal("stands beside layers: a schedule has the one or the other", key="calendar")
        if not self.layers and self.calendar is None:
            raise refusal("a schedule needs `layers` or a `calendar`")
        return self
