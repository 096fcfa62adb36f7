"""`/people/NAME/devices`: where a person turns notifications on in this browser (Web Push), sees their devices, and
removes one. Only the person may add one, or an admin: whoever has a device of theirs gets their pages.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import quote, urlsplit

from aiohttp import web

from receiver.channels import Senders
from receiver.channels.configured import SeveralWays
from receiver.channels.push_encryption import Subscription, point, sender_key, to_base64
from receiver.channels.webpush import DeviceList, WebPushSender
from receiver.core.devices import Device
from receiver.core.model import Instant
from receiver.engine.queue import CommandQueue
from receiver.messages.plain import line, web_address
from receiver.on_call.references import whose_name
from receiver.settings import Role
from receiver.store import SqlStore
from receiver.web.console.pages import Frame, Visit, go_to
from receiver.web.http.problem_details import HttpProblem
from rules.policy import Person, Policy

MOST = 20
"""Devices of one person."""


@dataclass(frozen=True, slots=True)
class DevicesPage:
    """The page."""

    frame: Frame
    queue: CommandQueue
    store: SqlStore
    policy: Callable[[], Policy]
    key: str
    """Of it the key is made by which push services know us."""

    def attach(self, senders: Senders) -> None:
        """Give the sender the devices that this service keeps."""
        several = senders.get("webpush")
        sender = several.common if isinstance(several, SeveralWays) else several
        if isinstance(sender, WebPushSender):
            sender.known.devices = DeviceList(self._of, self._lose, sender_key(self.key))

    async def _of(self, person: str) -> list[Device]:
        return await self.queue.read(self.store.devices.of, person)

    async def _lose(self, device: Device) -> None:
        await self.queue.run(self.store.devices.lose, device, self.queue.clock())

    async def show(self, visit: Visit) -> web.Response:
        """The page. Raises HttpProblem."""
        person = self._person(visit)
        return self.frame.page(
            visit,
            "devices.html",
            person=person,
            devices=await self._of(person.name),
            server_key=to_base64(point(sender_key(self.key).public_key())),
            has_contact=person.contact("webpush") is not None,
        )

    async def add(self, visit: Visit) -> web.Response:
        """A browser subscribed. Raises HttpProblem."""
        person, form = self._person(visit), visit.form
        device = make_device(person.name, form, visit.now)
        if len(await self._of(person.name)) >= MOST:
            raise HttpProblem(409, f"{person.name} has {MOST} devices: remove one first")
        await self.queue.run(self.store.devices.keep, device)
        return go_to(_path(person))

    async def remove(self, visit: Visit) -> web.Response:
        """A device is not wanted any more. Raises HttpProblem."""
        person = self._person(visit)
        await self.queue.run(self.store.devices.forget, person.name, visit.form.get("device", ""))
        return go_to(_path(person))

    def _person(self, visit: Visit) -> Person:
        """Whose devices these are. Raises HttpProblem where they are not the visitor's."""
        policy = self.policy()
        person = policy.person(visit.request.match_info["person"])
        if person is None:
            raise HttpProblem(404, "the policy has nobody of that name")
        if visit.caller.role < Role.ADMIN and whose_name(policy, visit.caller.name) != person:
            raise HttpProblem(403, f"these are the devices of {person.name}: only they and admins may see them")
        return person


def make_device(person: str, form: Mapping[str, str], now: Instant) -> Device:
    """Of what a browser sent. Raises HttpProblem for what is no subscription."""
    endpoint, p256dh, auth = (form.get(name, "").strip() for name in ("endpoint", "p256dh", "auth"))
    if not web_address(endpoint) or not urlsplit(endpoint).path.strip("/"):
        raise HttpProblem(400, "this is no address of a push service")
    try:
        Subscription.parse(p256dh, auth)
    except ValueError as error:
        raise HttpProblem(400, f"this is no subscription of a browser: {error}") from None
    label = line(form.get("label", ""), 60) or "a browser"
    identity = sha256(endpoint.encode()).hexdigest()[:32]
    return Device(id=identity, person=person, endpoint=endpoint, p256dh=p256dh, auth=auth, label=label, added_at=now)


def _path(person: Person) -> str:
    return f"/people/{quote(person.name, safe='')}/devices"
