"""Slack's Web API as far as a bot that posts needs it: what it accepts, refuses, and what people then see."""

import asyncio
import json
import re
from urllib.parse import parse_qs, parse_qsl

from tests.channels.servers.wire import Reply, Request, Wire

CHANNEL = "C024BE91L"


class SlackWorkspace:
    """One workspace with one channel; `messages` maps ts to the message as it is shown now."""

    def __init__(self, token: str, channel: str = "#incident-response") -> None:
        self.token, self.channel = token, channel
        self.messages: dict[str, dict] = {}
        self.error = ""
        """The answer to every call, if set."""
        self.refuses_blocks = False
        self.takes_files = True
        self.uploads: dict[str, bytes] = {}
        self.pictures: list[tuple[str, bytes]] = []
        """(thread, picture)."""
        self.readable = True
        """Whether the app may read channels."""
        self.rooms: dict[str, dict] = {}
        """Channels that the bot made: id → name, created, members, pins, archived."""
        self.taken: set[str] = set()
        """Names of other channels."""
        self.strangers: dict[str, str] = {}
        """User whom Slack does not let into a channel → the error."""
        self.errors: dict[str, str] = {}
        """Method → the answer to its calls, once."""
        self.homes: asyncio.Queue[tuple[str, dict]] = asyncio.Queue()
        """(user, Home tab) as it is published."""
        self.marks: asyncio.Queue[dict] = asyncio.Queue()
        """The reactions."""
        self.answers: dict[str, dict] = {}
        """Method → what is answered in place of the truth."""
        self.limited = ""
        """The method whose limit is reached."""
        self.loses: set[str] = set()
        """Methods that are carried out once, and answered by a proxy that lost the answer."""
        self.written = {
            "conversations.create": self.create,
            "conversations.invite": self.invite,
            "conversations.archive": self.archive,
            "pins.add": self.pin,
            "views.publish": self.publish,
            "reactions.add": self.mark,
        }
        self.wire = Wire(self.answer)

    def answer(self, request: Request) -> Reply:
        if request.path.startswith("/upload/"):
            self.uploads[request.path.removeprefix("/upload/")] = request.body
            return Reply(200, b"OK")
        method = request.path.partition("?")[0].removeprefix("/api/")
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return self.refuse("invalid_auth")
        if self.error:
            return self.refuse(self.error)
        if method.startswith("files."):
            return self.file(method, request)
        if request.method == "GET":
            return self.read(method, request.path.partition("?")[2])
        words = json.loads(request.body)
        if method == self.limited:
            return Reply(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": "7"})
        if error := self.errors.pop(method, ""):
            return self.refuse(error, "channels:manage")
        if method in self.answers:
            return Reply(200, self.answers[method])
        if method in self.written:
            answer = self.written[method](words)
            if method in self.loses:
                self.loses.remove(method)
                return Reply(502, b"bad gateway")
            return answer
        if fault := self.fault(words):
            return self.refuse(fault)
        return {"chat.postMessage": self.post, "chat.update": self.update}[method](words)

    def read(self, method, query) -> Reply:
        """What apps with the scopes for it may read."""
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        if not self.readable:
            return self.refuse("missing_scope")
        if method == "conversations.list":
            beginning = "cursor" not in asked
            named = {"id": "C0OTHER01", "name": "lobby"} if beginning else {"id": CHANNEL, "name": self.channel[1:]}
            more = {"next_cursor": "2" if beginning else ""}
            made = [] if beginning else [self.shown_room(each) for each in self.rooms]
            return Reply(200, {"ok": True, "channels": [named, *made], "response_metadata": more})
        if asked["channel"] not in {CHANNEL, *self.rooms} or asked["include_all_metadata"] != "true":
            return self.refuse("channel_not_found")
        told = [
            {"ts": ts, **{name: words[name] for name in ("text", "metadata", "user", "thread_ts") if name in words}}
            for ts, words in self.messages.items()
            if asked["channel"] == words["channel"] or asked["channel"] == CHANNEL
            if float(asked.get("oldest", 0)) <= float(ts) <= float(asked.get("latest", "inf"))
            if method == "conversations.history" or asked["ts"] in {ts, words.get("thread_ts")}
        ]
        return Reply(200, {"ok": True, "messages": told[: int(asked.get("limit", 100))]})

    def post(self, words) -> Reply:
        if words["channel"] not in {self.channel, CHANNEL, *self.rooms}:
            return self.refuse("channel_not_found")
        if "thread_ts" in words and words["thread_ts"] not in self.messages:
            return self.refuse("thread_not_found")
        ts = f"1795435320.{len(self.messages) + 1:06}"
        self.messages[ts] = words
        channel = words["channel"] if words["channel"] in self.rooms else CHANNEL
        return Reply(200, {"ok": True, "channel": channel, "ts": ts, "message": {"text": words["text"]}})

    def update(self, words) -> Reply:
        if words["channel"] not in {CHANNEL, *self.rooms}:
            return self.refuse("channel_not_found")
        if words["ts"] not in self.messages:
            return self.refuse("message_not_found")
        self.messages[words["ts"]] |= {"text": words["text"], "blocks": words["blocks"]}
        return Reply(200, {"ok": True, "channel": CHANNEL, "ts": words["ts"]})

    def create(self, words) -> Reply:
        """Names as docs.slack.dev has them: lower-case letters, digits, hyphens and underscores, 80 at most."""
        name = words["name"]
        if len(name) > 80:
            return self.refuse("invalid_name_maxlength")
        if not re.fullmatch(r"[a-z0-9_-]+", name):
            return self.refuse("invalid_name_specials")
        if name in self.taken or any(each["name"] == name for each in self.rooms.values()):
            return self.refuse("name_taken")
        id_ = f"C0ROOM{len(self.rooms):04}"
        self.rooms[id_] = {"name": name, "created": 1795435320, "members": {"UBOT"}, "pins": [], "archived": False}
        return Reply(200, {"ok": True, "channel": self.shown_room(id_)})

    def shown_room(self, id_) -> dict:
        room = self.rooms[id_]
        return {"id": id_, "name": room["name"], "created": room["created"], "is_member": True}

    def invite(self, words) -> Reply:
        """With `force` those are let in who can be; the others are listed."""
        room, asked = self.rooms[words["channel"]], words["users"].split(",")
        faults = {each: self.strangers.get(each) or self._unneeded(room, each) for each in asked}
        errors = [{"user": each, "ok": False, "error": why} for each, why in faults.items() if why]
        if words["force"] or not errors:
            room["members"] |= {each for each, why in faults.items() if not why}
        if not errors:
            return Reply(200, {"ok": True, "channel": self.shown_room(words["channel"])})
        return Reply(200, {"ok": False, "error": errors[0]["error"], "errors": errors})

    def _unneeded(self, room, user) -> str:
        return "cant_invite_self" if user == "UBOT" else "already_in_channel" if user in room["members"] else ""

    def archive(self, words) -> Reply:
        room = self.rooms.get(words["channel"])
        if room is None:
            return self.refuse("channel_not_found")
        if room["archived"]:
            return self.refuse("already_archived")
        room["archived"] = True
        return Reply(200, {"ok": True})

    def pin(self, words) -> Reply:
        room = self.rooms[words["channel"]]
        if words["timestamp"] not in self.messages:
            return self.refuse("message_not_found")
        if words["timestamp"] in room["pins"]:
            return self.refuse("already_pinned")
        room["pins"].append(words["timestamp"])
        return Reply(200, {"ok": True})

    def publish(self, words) -> Reply:
        self.homes.put_nowait((words["user_id"], words["view"]))
        return Reply(200, {"ok": True})

    def mark(self, words) -> Reply:
        self.marks.put_nowait(words)
        return Reply(200, {"ok": True})

    def file(self, method: str, request: Request) -> Reply:
        """The two calls around an upload."""
        if not self.takes_files:
            return Reply(
                200, {"ok": False, "error": "missing_scope", "needed": "files:write", "provided": "chat:write"}
            )
        said = dict(parse_qsl(request.path.partition("?")[2])) | dict(parse_qsl(request.body.decode()))
        if method == "files.getUploadURLExternal":
            name = f"F{len(self.uploads) + 1}"
            return Reply(200, {"ok": True, "file_id": name, "upload_url": f"{self.wire.url}/upload/{name}"})
        (file,) = json.loads(said["files"])
        if said["channel_id"] != CHANNEL or said["thread_ts"] not in self.messages:
            return self.refuse("invalid_channel")
        self.pictures.append((said["thread_ts"], self.uploads[file["id"]]))
        return Reply(200, {"ok": True, "files": [{"id": file["id"]}]})

    def fault(self, words) -> str:
        """What Slack would refuse it for."""
        blocks = words.get("blocks", [])
        if len(words["text"]) > 40_000:
            return "msg_too_long"
        if blocks and (self.refuses_blocks or len(blocks) > 50 or not all(map(self.block_is_valid, blocks))):
            return "invalid_blocks"
        if sum(len(json.dumps(block, ensure_ascii=False)) for block in blocks) > 16_000:
            return "msg_blocks_too_long"
        return ""

    def block_is_valid(self, block) -> bool:
        match block:
            case {"type": "header", "text": {"type": "plain_text", "text": text}}:
                return 0 < len(text) <= 150
            case {"type": "section", "text": {"text": text}}:
                return 0 < len(text) <= 3000
            case {"type": "section", "fields": fields}:
                return 0 < len(fields) <= 10 and all(0 < len(field["text"]) <= 2000 for field in fields)
            case {"type": "actions", "elements": elements}:
                return all(len(each["text"]["text"]) <= 75 and len(each["value"]) <= 2000 for each in elements)
            case {"type": "context", "elements": elements}:
                return 0 < len(elements) <= 10 and all(0 < len(each["text"]) <= 3000 for each in elements)
        return False

    def refuse(self, error: str, needed: str = "chat:write") -> Reply:
        return Reply(200, {"ok": False, "error": error, "needed": needed, "provided": "identify"})

    @property
    def shown(self) -> list[dict]:
        """The messages in order."""
        return list(self.messages.values())


def mentions(message) -> set[str]:
    """Everything in a message that Slack would take for a mention or a link."""
    return set(re.findall(r"<[^>]*>", json.dumps(message, ensure_ascii=False)))
