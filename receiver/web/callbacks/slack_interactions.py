"""Slack's callbacks: the buttons on a message, the command `/tocsin`, notes, and the Home tab.

Each person who can see the message or type the command may act: the channel's members are the responders. Rules: the
signature is checked over the raw bytes; the response is sent within three seconds; the outbox updates the message
itself, so here only the acting person is told the state.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any, assert_never
from urllib.parse import urlsplit

import orjson
import structlog
from aiohttp import web
from slack_sdk.signature import Clock, SignatureVerifier

from receiver.accounts import Role
from receiver.channels.posting import Poster
from receiver.channels.slack_blocks import ACKNOWLEDGE_ALL, SIGN_OFF, literal
from receiver.clients.egress import Egress
from receiver.core.audit_log import Origin
from receiver.core.classify import incident_key
from receiver.core.events import (
    Acknowledge,
    Action,
    Close,
    Declare,
    Escalate,
    GiveBack,
    Note,
    OpenRoom,
    Resolve,
    SignOff,
    Withdraw,
)
from receiver.core.model import Incident, Instant, State
from receiver.messages.on_call_text import who_is_on_call
from receiver.messages.plain import line
from receiver.on_call.references import owner_of
from receiver.settings import Settings
from receiver.web.api.rosters import RosterReader
from receiver.web.callbacks.actions import LATER, CallbackActions, Outcome
from receiver.web.callbacks.replies import VERBS, Verb, read_reply
from receiver.web.callbacks.slack_calls import SlackCalls
from receiver.web.callbacks.slack_home import home, opened_by
from receiver.web.callbacks.slack_notes import ThreadNote, mark, read_message, read_note, read_reaction
from receiver.web.http.problem_details import JSON, Handler, HttpProblem
from receiver.web.http.request_body import parse_form, read_strangers_body
from rules.policy import SECOND

MOST_LISTED = 20
TEXT = 3000
LONGEST_NUMBER = 10
"""Digits of an incident's number, plus one."""
MOST_NOTE = 1000
HOOKS = "https://hooks.slack.com/"
HELP = (
    "`/tocsin oncall` (who is on call), `/tocsin incidents`, `/tocsin ack 12` (or several), "
    "`/tocsin escalate 12` (asks for help), `/tocsin withdraw 12` (asks no more), `/tocsin back 12` (gives it back), "
    "`/tocsin resolve 12`, `/tocsin note 12 what happened` (or `!note` in its thread), "
    "`/tocsin channel 12` (opens its own channel, and invites who is on call), "
    "`/tocsin signoff 12` (a second person, who may close it), `/tocsin close 12 why`, "
    "`/tocsin declare TYPE what happened` (`declare-new` where the type is new on purpose)"
)
WHICH = "There is no incident {}. /tocsin incidents lists them."

log = structlog.get_logger()


class SlackCallbacks:
    """Handlers of Slack's buttons and commands."""

    def __init__(
        self,
        queue: CallbackActions,
        rosters: RosterReader,
        secret: str,
        settings: Settings,
        clock: Callable[[], Instant],
    ) -> None:
        """`secret`: verifies Slack's signature; empty: posted requests are not accepted.

        Answers go to Slack's host, or that of the API's URL in `settings`.
        """
        self._queue = queue
        self._rosters = rosters
        self._clock = clock
        self._verifier = SignatureVerifier(secret, _Seconds(clock)) if secret else None
        self._role_of = settings.role_of
        own = urlsplit(settings.slack_api_url)
        self._answers = (HOOKS, f"{own.scheme}://{own.netloc}/")
        self._poster = Poster(10.0, Egress.of(settings))
        self._calls = SlackCalls(settings)
        self._telling: set[asyncio.Task[None]] = set()

    def routes(self) -> tuple[tuple[str, str, Handler], ...]:
        """Method, path, handler; empty without a signing secret."""
        if self._verifier is None:
            return ()
        return (
            ("POST", "/callbacks/slack/actions", self.press),
            ("POST", "/callbacks/slack/commands", self.command),
            ("POST", "/callbacks/slack/events", self.event),
        )

    async def close(self, _app: web.Application) -> None:
        """Waits for the last answers, and closes the connections."""
        if self._telling:
            await asyncio.wait(self._telling, timeout=2)
        await self._poster.close()

    async def press(self, request: web.Request) -> web.Response:
        """Takes a press of a button."""
        form, reference = await self._believe(request)
        await self.pressed(_payload(form.get("payload", "")), reference)
        return web.Response()

    async def pressed(self, payload: Mapping[str, Any], reference: str) -> None:
        """Runs the action of a verified press; `reference`: the request's id."""
        origin = self._origin(payload.get("user"), reference)
        answer_to = str(payload.get("response_url", ""))
        bundle = _pressed_bundle(payload)
        wanted = _pressed(payload, origin.who)
        if bundle:
            self._tell(answer_to, await self._acknowledge_all(bundle, origin))
        elif wanted is not None:
            incident_id, action = wanted
            refused = self._refuse_signature(origin) if isinstance(action, SignOff) else ""
            self._tell(answer_to, refused or (await self._queue.act(incident_id, action, origin)).words)

    async def _acknowledge_all(self, bundle: str, origin: Origin) -> str:
        """Acknowledges the incidents of a message about several."""
        pages = await self._queue.message(bundle)
        answer = await self._queue.answer(
            pages, origin, lambda page: Acknowledge(origin.who, expects=State.OPEN, answers=page.page)
        )
        return " ".join(answer.words("Acknowledged")) if answer else LATER

    async def command(self, request: web.Request) -> web.Response:
        """Takes a /tocsin command."""
        form, reference = await self._believe(request)
        return web.Response(body=orjson.dumps(await self.commanded(form, reference)), content_type=JSON)

    async def event(self, request: web.Request) -> web.Response:
        """Takes an event, and the question with which Slack tests the URL."""
        payload = _payload((await self._signed(request)).decode("utf-8", "replace"))
        if payload.get("type") == "url_verification":
            return web.Response(text=str(payload.get("challenge", "")))
        await self.happened(payload)
        return web.Response()

    async def happened(self, payload: Mapping[str, Any]) -> None:
        """Acts on a verified event. Raises HttpProblem 503: Slack sends the event again."""
        event = payload.get("event")
        if user := opened_by(event):
            view = home(await self._list(), await self._on_call(), self._clock())
            self._begin(self._calls.tell("views.publish", "the app's Home tab", user_id=user, view=view))
            return
        reaction = read_reaction(event)
        note = await read_message(self._calls, reaction) if reaction else read_note(event)
        if note is not None:
            await self._keep(note)

    async def _keep(self, note: ThreadNote) -> None:
        """Stores a note, once for each message."""
        incident_id = await self._queue.incident_of(str(note.thread))
        if not incident_id:
            return
        origin = self._origin({"id": note.user}, f"slack {note.thread.channel} {note.ts}")
        wrote = f"{self._origin({'id': note.author}, '').who} wrote: " if note.author else ""
        outcome = await self._queue.act(incident_id, Note(origin.who, wrote + note.text), origin)
        if outcome.again:
            raise HttpProblem(503, outcome.words)
        if outcome.done:
            self._begin(mark(self._calls, note))

    async def commanded(self, form: Mapping[str, str], reference: str) -> dict[str, str]:
        """Runs a verified command and returns the answer; `reference`: the request's id."""
        user = {"id": form.get("user_id", ""), "username": form.get("user_name", "")}
        text = form.get("text", "").strip()
        verb, _, rest = text.partition(" ")
        origin = self._origin(user, reference)
        reply = read_reply(text)
        if reply is not None and reply.numbers:
            return _say("\n".join([await self._do(reply.verb, number, origin) for number in reply.numbers]))
        match verb.lower():
            case "incidents" if not rest:
                return _answer(await self._list())
            case "oncall" if not rest:
                return _say(await self._on_call())
            case ("signoff" | "sign-off" | "close") as how if rest.strip():
                return _say(await self._conclude(how, rest.strip(), origin))
            case "channel" if rest.strip():
                return _say(await self._open_room(rest.strip(), origin))
            case "note" if rest.strip():
                return _say(await self._note(rest.strip(), origin))
            case ("declare" | "declare-new") as how if rest.strip():
                outcome = await self._declare(rest.strip(), origin, new_type=how == "declare-new")
                return _say(outcome.words, to_all=outcome.done)
            case _:
                return _answer(HELP)

    async def _believe(self, request: web.Request) -> tuple[dict[str, str], str]:
        """The verified form and the request's id. Raises HttpProblem 401 for an invalid signature."""
        body = await self._signed(request)
        return parse_form(body), f"slack {request.headers.get('X-Slack-Signature', '')}"

    async def _signed(self, request: web.Request) -> bytes:
        """The body that Slack signed. Raises HttpProblem 401 for an invalid signature."""
        body = await read_strangers_body(request)
        try:
            is_slack = bool(self._verifier and self._verifier.is_valid_request(body, dict(request.headers)))
        except Exception:  # noqa: BLE001 - the verifier raises on invalid input: non-numeric times, non-ASCII …
            is_slack = False
        if not is_slack:
            log.warning("callback refused: not signed by Slack, or too old", path=request.path)
            raise HttpProblem(401, "this is not signed by Slack, or too old")
        return body

    async def _list(self) -> str:
        found = await self._queue.live(MOST_LISTED)
        lines = (
            f"• *#{each.number}* level {each.level} {each.state}: {literal(line(each.title), 120)}" for each in found
        )
        return "\n".join(lines) or "No open incidents."

    async def _on_call(self) -> str:
        now = self._clock()
        rosters = await self._rosters.about(now)
        return "\n".join(f"• {who_is_on_call(each, now)}" for each in rosters) or "The policy has no schedule."

    async def _do(self, verb: Verb, number: int, origin: Origin) -> str:
        """Runs the verb for one number; returns the incident's state in words."""
        incident = await self._queue.by_number(number)
        if incident is None:
            return WHICH.format(number)
        if verb == "acknowledge" and incident.state is State.ACKNOWLEDGED and incident.acknowledged_by != origin.who:
            log.info("acknowledgement taken over", incident=incident.number)
        once = replace(origin, reference=f"{origin.reference} {number}")
        return (await self._queue.act(incident.id, _action(verb, origin.who), once)).words

    async def _conclude(self, how: str, rest: str, origin: Origin) -> str:
        """Signs an incident off, or closes it with a reason: `12 what there is to say`."""
        found = await self._read_numbered(rest)
        if isinstance(found, str):
            return found
        incident, note = found
        action = Close(origin.who, note) if how == "close" else SignOff(origin.who, note)
        return self._refuse_signature(origin) or (await self._queue.act(incident.id, action, origin)).words

    async def _note(self, rest: str, origin: Origin) -> str:
        """Adds a note: `12 text`."""
        found = await self._read_numbered(rest)
        if isinstance(found, str) or not found[1]:
            return found if isinstance(found, str) else HELP
        outcome = await self._queue.act(found[0].id, Note(origin.who, found[1]), origin)
        return f"Noted. {outcome.words}" if outcome.done else outcome.words

    async def _open_room(self, rest: str, origin: Origin) -> str:
        """Asks for the incident's own channel: `12`."""
        found = await self._read_numbered(rest)
        if isinstance(found, str):
            return found
        outcome = await self._queue.act(found[0].id, OpenRoom(origin.who), origin)
        room = outcome.incident.response.room if outcome.done and outcome.incident else None
        return f"Its channel #{room.name} is being opened. {outcome.words}" if room else outcome.words

    async def _read_numbered(self, rest: str) -> tuple[Incident, str] | str:
        """Incident and text of `12 text`; or why not, in words."""
        named, _, text = rest.partition(" ")
        number = named.removeprefix("#")
        if not (number.isascii() and number.isdigit() and len(number) < LONGEST_NUMBER):
            return HELP
        incident = await self._queue.by_number(int(number))
        return (incident, line(text.strip(), MOST_NOTE)) if incident else WHICH.format(int(number))

    def _refuse_signature(self, origin: Origin) -> str:
        """Why the person may not sign off or close, in words; empty: they may.

        Both need an approver, identified by the Slack id of a person in the policy: names in Slack can be chosen
        freely.
        """
        person = self._queue.policy.person(origin.who)
        if person is None or person.contact("slack") != origin.address:
            return (
                "Nothing was done: this is for approvers, and Tocsin does not know who you are. "
                f"Name your Slack id {origin.address} in the policy's `people`, or do it in Tocsin."
            )
        role = self._role_of((person.name, *person.aliases))
        if role is None or role < Role.APPROVER:
            return (
                f"Nothing was done: this is for approvers, and {person.name} "
                + ("has no account of that name in Tocsin's settings" if role is None else f"is a {role.name.lower()}")
                + ". Do it in Tocsin, if you may there."
            )
        return ""

    async def _declare(self, text: str, origin: Origin, *, new_type: bool) -> Outcome:
        type_, _, title = text.partition(" ")
        key = incident_key(("declared", origin.reference))
        title, type_ = line(title, 200), line(type_, 200)
        declare = Declare(key=key, type=type_, by=origin.who, title=title, new_type=new_type)
        return await self._queue.declare(declare, origin)

    def _origin(self, user: object, reference: str) -> Origin:
        """The acting person: the policy's person with that Slack id, else their name in Slack.

        A Slack name can be chosen freely: one that equals a name in the policy gets its Slack id added.
        """
        known = user if isinstance(user, dict) else {}
        slack_id = line(str(known.get("id", "")), 40)
        said = line(str(known.get("username") or known.get("name") or slack_id or "somebody in Slack"), 80)
        person = owner_of(self._queue.policy, slack_id, ("slack",)) if slack_id else ""
        people = self._queue.policy.people
        is_taken = said.casefold() in {name.casefold() for each in people for name in (each.name, *each.aliases)}
        return Origin(person or (f"{said} (Slack {slack_id})" if is_taken else said), "slack", slack_id, reference)

    def _tell(self, url: str, words: str) -> None:
        """Sends the answer in the background, since Slack does not wait for it."""
        if not url.startswith(self._answers):
            return
        self._begin(self._post(url, words))

    def _begin(self, telling: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(telling)
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _post(self, url: str, words: str) -> None:
        body = {"response_type": "ephemeral", "replace_original": False, "text": literal(words, TEXT)}
        await self._poster.post(url, orjson.dumps(body), {"Content-Type": JSON})


class _Seconds(Clock):
    """The service's clock, as Slack's verifier needs it."""

    def __init__(self, clock: Callable[[], Instant]) -> None:
        self._clock = clock

    def now(self) -> float:
        return self._clock() / SECOND


def _payload(text: str) -> Mapping[str, Any]:
    try:
        payload = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise HttpProblem(400, "the payload is no JSON") from None
    if not isinstance(payload, dict):
        raise HttpProblem(400, "the payload is no object")
    return payload


def _pressed(payload: Mapping[str, Any], by: str) -> tuple[str, Action] | None:
    """Incident id and action, with the state that the person saw; None: not a button of Tocsin's."""
    match payload:
        case {"actions": [{"action_id": str(name), "value": str(incident_id), **rest}, *_]}:
            seen = str(rest.get("block_id", "")).removeprefix("state:").partition(":")[0]
            expects = State(seen) if seen in set(State) else None
            if name == SIGN_OFF:
                return incident_id, SignOff(by)
            verb = next((each for each in VERBS.values() if each == name), None)
            return None if verb is None else (incident_id, _action(verb, by, expects))
        case _:
            return None


def _pressed_bundle(payload: Mapping[str, Any]) -> str:
    """The message's name of an acknowledge-all button; empty: another button."""
    match payload:
        case {"actions": [{"action_id": str(name), "value": str(bundle)}, *_]} if name == ACKNOWLEDGE_ALL:
            return bundle
        case _:
            return ""


def _action(verb: Verb, by: str, expects: State | None = None) -> Action:
    match verb:
        case "acknowledge":
            return Acknowledge(by, expects=expects)
        case "escalate":
            return Escalate(by, expects=expects)
        case "withdraw":
            return Withdraw(by)
        case "give_back":
            return GiveBack(by, expects=expects)
        case "resolve":
            return Resolve(by, expects=expects)
        case _:
            assert_never(verb)


def _say(text: str, *, to_all: bool = False) -> dict[str, str]:
    return _answer(literal(text, TEXT), to_all=to_all)


def _answer(markup: str, *, to_all: bool = False) -> dict[str, str]:
    return {"response_type": "in_channel" if to_all else "ephemeral", "text": markup}
