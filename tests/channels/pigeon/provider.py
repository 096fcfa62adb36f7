"""A pigeon post that takes notes, each key once, from callers with the token."""

import json
from contextlib import asynccontextmanager

from receiver.channels.pigeon import PigeonSender
from tests.channels.outgoings import outgoing
from tests.channels.providers import Provider, over_http
from tests.channels.servers.wire import Reply, Request, Wire


class PigeonPost:
    """Keeps the notes by their key."""

    def __init__(self, token: str) -> None:
        self._token = token
        self.notes: dict[str, dict] = {}
        self.wire = Wire(self.answer)

    def answer(self, request: Request) -> Reply:
        if request.headers.get("authorization") != f"Bearer {self._token}":
            return Reply(401)
        note = json.loads(request.body)
        self.notes[note["key"]] = note
        return Reply(202)


@asynccontextmanager
async def provider(patience):
    token = "token-of-the-pigeon-post"
    post = PigeonPost(token)
    async with post.wire:
        yield Provider(
            PigeonSender(post.wire.url, token, patience),
            outgoing("pigeon", "loft-7/ring-21"),
            (token,),
            over_http(post.wire, Reply(400, token.encode()), Reply(401, token.encode())),
            lambda: len(post.notes),
            advice="TOCSIN_PIGEON_TOKEN",
        )
