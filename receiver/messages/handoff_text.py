"""The message at a handoff of a schedule, to the people who came on call and went off call: the open incidents and
their owners.
"""

from dataclasses import dataclass
from datetime import tzinfo
from html import escape

from receiver.core.model import Instant
from receiver.core.shift_log import OFF, ON, HandoffMessage, OpenIncident
from receiver.messages.message import SMS_PARTS, Message
from receiver.messages.plain import line
from receiver.messages.segments import fit
from receiver.messages.times import day_and_time
from rules.policy import INFORMATIONAL

TITLE = 120
"""Maximum characters of an incident's title."""


LEAD = 1000
"""Maximum characters of the lead: room for several names and for the reason why an override is void."""


@dataclass(frozen=True, slots=True)
class HandoffText:
    """The text of one handoff message. `zone`: the reader's. `console`: Tocsin's address; empty: none is configured."""

    message: HandoffMessage
    zone: tzinfo
    console: str = ""

    @property
    def subject(self) -> str:
        """States what happened to the reader."""
        told = self.message
        if told.about == ON:
            return f"You are on call: {told.schedule}{self._until}"
        if told.about == OFF:
            return f"You are off call: {told.schedule}"
        return f"{'An' if told.source else 'Your'} override of {told.schedule} is void"

    @property
    def lead(self) -> str:
        """States the time, the shift or override, and who is on call before or after. In the past tense: true when read
        late.
        """
        told, at = self.message, day_and_time(self.message.at, self.zone)
        if told.about == ON:
            before = f" You follow {_names(told.others)}." if told.others else ""
            return f"You came on call for {told.schedule} at {at}, by {told.source}{self._until_then}.{before}"
        if told.about == OFF:
            why = f", as {told.why}" if told.why else ""
            others = f" {_names(told.others)} {_are(told.others)} on call from then on." if told.others else ""
            nobody = "" if told.others or told.why else " Nobody was on call then."
            return f"You went off call for {told.schedule} at {at}{why}.{others}{nobody}"
        return self._void

    @property
    def _void(self) -> str:
        told, change = self.message, self.message.change
        if change is None:
            return f"It puts nobody on call: {told.why}."
        first, last = (day_and_time(each, self.zone) for each in (change.starts, change.ends))
        whose = f"The override by {told.source}" if told.source else "Your override"
        return (
            f"{whose} that puts {change.person} on call for {told.schedule} from {first} until {last} is void: "
            f"{told.why}. Nobody is on call by it. Cancel it, or make another."
        )

    @property
    def _until(self) -> str:
        return f" until {day_and_time(self.message.until, self.zone)}" if self.message.until else ""

    @property
    def _until_then(self) -> str:
        return f", until {day_and_time(self.message.until, self.zone)} as planned then" if self.message.until else ""

    @property
    def lines(self) -> list[str]:
        """One line for each incident that was open at the handoff, after a line that counts them."""
        told = self.message
        if told.about not in {ON, OFF}:
            return []
        at, count = day_and_time(told.created_at, self.zone), len(told.incidents) + told.more
        if not count:
            return [f"No incident was open at {at}."]
        more = [f"and {told.more} more"] if told.more else []
        head = f"Open at {at}: {count} incident{'' if count == 1 else 's'}"
        return [head, *(self._line(each) for each in told.incidents), *more]

    def _line(self, each: OpenIncident) -> str:
        exercise = "EXERCISE " if each.exercise else ""
        whose = "you have it" if each.holder == self.message.person else f"{each.holder} has it"
        return f"#{each.number} {exercise}level {each.level}, {whose if each.holder else 'nobody has it'}: " + line(
            each.title, TITLE
        )

    def as_message(self) -> Message:
        """Returns the message for every medium."""
        subject, lead, lines = line(self.subject), line(self.lead, LEAD), self.lines
        page = self.console and f"{self.console.rstrip('/')}/on-call"
        body = "\n\n".join(filter(None, (lead, "\n".join(lines), page)))
        head = f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(subject)}</title></head>'
        return Message(
            subject=subject,
            text=f"{body}\n",
            html=f'{head}<body><div style="white-space:pre-wrap">{escape(body)}</div></body></html>',
            short=fit(f"{subject}. {lines[0] if lines else lead}", SMS_PARTS),
            speech=f"{subject}. {lead}",
            headline=subject,
            facts=(),
            paragraphs=("\n".join(lines),) if lines else (),
            links=(("On call", page),) if page else (),
            level=INFORMATIONAL,
            severity="info",
            lead=lead,
            live=False,
            instants=self._instants,
        )

    @property
    def _instants(self) -> dict[str, Instant]:
        told = self.message
        instants = (told.at, told.created_at, *((told.until,) if told.until else ()))
        return {day_and_time(each, self.zone): each for each in instants}


def _names(people: tuple[str, ...]) -> str:
    return " and ".join((", ".join(people[:-1]), people[-1]) if len(people) > 1 else people)


def _are(people: tuple[str, ...]) -> str:
    return "are" if len(people) > 1 else "is"
