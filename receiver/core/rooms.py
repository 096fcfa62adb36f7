"""The incident channel: a chat channel of one incident, opened when a person asks and archived when it closes.

A notification of kind ROOM asks the provider for it, so that it is retried and given up like each message. Its
recipient is the name that the channel is to have; later news of the incident goes to the same target.
"""

import re

from msgspec.structs import replace

from receiver.core.draft import Draft, RefusedError
from receiver.core.events import Delivered, OpenRoom
from receiver.core.model import Fact, Incident, Kind, Notification, Reason, State, Target
from receiver.core.response import Room
from receiver.on_call.references import whose_name
from rules.policy import Person

LONGEST_NAME = 60
"""Characters of a name: Slack takes 80, and may need some to make it unique."""


def open_room(draft: Draft, action: OpenRoom) -> None:
    """Ask for the incident's channel, and who is to be invited to it. Raises RefusedError."""
    known, context = draft.incident.response.room, draft.context
    if draft.incident.state is State.CLOSED:
        raise RefusedError("the incident is closed")
    if known is not None:
        raise RefusedError(f"it has the channel #{known.name}" if known.is_open else f"#{known.name} is being opened")
    channels = context.current.channels.items()
    name = next((name for name, each in channels if each.facts.has_rooms and context.is_set_up(name)), None)
    if name is None:
        raise RefusedError("no Slack channel of the policy is enabled and configured; an incident channel needs one")
    room = Room(name, _name(draft.incident), action.by, draft.now)
    address = {
        each.name: each.contact(context.current.channels[name].type) or "" for each in _concerned(draft, action.by)
    }
    invited = {person: contact for person, contact in address.items() if contact}
    without = ", ".join(person for person, contact in address.items() if not contact)
    draft.respond(room=room)
    draft.enter(Fact.ROOM_ASKED, action.by, name=room.name, people=", ".join(invited), without=without)
    words = {"by": action.by, "invite": "\n".join(f"{contact} {person}" for person, contact in invited.items())}
    draft.notify(Kind.ROOM, Reason.ACTION, [_target(room)], words)


def _name(incident: Incident) -> str:
    """Lower-case letters, digits and hyphens: ``inc-12-flight-control``."""
    about = "-".join(re.findall(r"[a-z0-9]+", (incident.system or incident.type).lower()))
    return f"{'exercise' if incident.exercise else 'inc'}-{incident.number}-{about}"[:LONGEST_NAME].rstrip("-")


def _concerned(draft: Draft, by: str) -> tuple[Person, ...]:
    """Who is on call for it now, wants the channel, has it, asked for help, or holds a role in it."""
    incident, context = draft.incident, draft.context
    response = incident.response
    channels = dict.fromkeys((*draft.plan.channels, *incident.page.told))
    on_call = (
        person for name in channels for each in context.recipients(name) for person in context.people(each) or ()
    )
    named = (by, incident.holder, *response.asked_by, *response.roles.values())
    found = (*on_call, *(whose_name(context.current.policy, each) for each in named if each))
    return tuple(dict.fromkeys(each for each in found if each is not None))


def note_done(draft: Draft, notification: Notification, done: Delivered) -> None:
    """The provider opened or archived the channel. One that opens after the incident has closed is archived."""
    room = draft.incident.response.room
    if room is None:
        return
    if notification.reason is Reason.CLOSED:
        draft.enter(Fact.ROOM_ARCHIVED, name=room.name)
        return
    opened = replace(room, name=done.made.get("name", room.name), asked_as=room.name, link=done.made.get("link", ""))
    draft.respond(room=opened)
    draft.enter(Fact.ROOM_OPENED, name=opened.name, link=opened.link, unmet=done.made.get("unmet", ""))
    if draft.incident.state is State.CLOSED:
        archive(draft)


def note_failed(draft: Draft, notification: Notification) -> None:
    """The provider did not open the channel: a person may ask again."""
    if notification.reason is Reason.ACTION:
        draft.respond(room=None)


def archive(draft: Draft) -> None:
    """The incident is closed: archive its channel."""
    room = draft.incident.response.room
    if room is not None and room.is_open:
        draft.notify(Kind.ROOM, Reason.CLOSED, [_target(room)])


def room_of(incident: Incident) -> tuple[Target, ...]:
    """The target of the incident's open channel, for news; empty: it has none."""
    room = incident.response.room
    return (_target(room),) if room is not None and room.is_open and incident.state is not State.CLOSED else ()


def _target(room: Room) -> Target:
    return Target(room.channel, f"#{room.asked_as or room.name}")
