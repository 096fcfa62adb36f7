"""`/people/NAME/devices`: enables Web Push in this browser, lists and removes the person's devices.

Only the person or an admin may use it, because a device receives the person's pages.
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
    """Handlers of a person's page of Web Push devices."""

    frame: Frame
    queue: CommandQueue
    store: SqlStore
    policy: Callable[[], Policy]
    key: str
    """The key from which the VAPID key for push services is derived."""

    def attach(self, senders: Senders) -> None:
        """Connects the Web Push sender to the stored devices."""
        several = senders.get("webpush")
        sender = several.common if isinstance(several, SeveralWays) else several
        if isinstance(sender, WebPushSender):
            sender.known.devices = DeviceList(self._of, self._lose, sender_key(self.key))

    async def _of(self, person: str) -> list[Device]:
        return await self.queue.read(self.store.devices.of, person)

    async def _lose(self, device: Device) -> None:
        await self.queue.run(self.store.devices.lose, device, self.queue.clock())

    async def show(self, visit: Visit) -> web.Response:
        """Shows the page. Raises HttpProblem."""
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
        """Stores a browser's subscription. Raises HttpProblem."""
        person, form = self._person(visit), visit.form
        device = make_device(person.name, form, visit.now)
        if len(await self._of(person.name)) >= MOST:
            raise HttpProblem(409, f"{person.name} has {MOST} devices: remove one first")
        await self.queue.run(self.store.devices.keep, device)
        return go_to(_path(person))

    async def remove(self, visit: Visit) -> web.Response:
        """Removes a device. Raises HttpProblem."""
        person = self._person(visit)
        await self.queue.run(self.store.devices.forget, person.name, visit.form.get("device", ""))
        return go_to(_path(person))

    def _person(self, visit: Visit) -> Person:
        """The person of the page. Raises HttpProblem 404, or 403 if the visitor is neither that person nor an admin."""
        policy = self.policy()
        person = policy.person(visit.request.match_info["person"])
        if person is None:
            raise HttpProblem(404, "the policy has nobody of that name")
        if visit.caller.role < Role.ADMIN and whose_name(policy, visit.caller.name) != person:
            raise HttpProblem(403, f"these are the devices of {person.name}: only they and admins may see them")
        return person


def make_device(person: str, form: Mapping[str, str], now: Instant) -> Device:
    """A device from a browser's form. Raises HttpProblem 400 for an invalid subscription."""
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
