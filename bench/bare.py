"""The limit: an aiohttp handler that only reads and validates the webhook: ``python -m bench.bare PORT READER``."""

import sys
from collections.abc import Callable

import msgspec
import uvloop
from aiohttp import web
from pydantic import TypeAdapter

from receiver.clients.alert_payload import WebhookDocument

READERS: dict[str, Callable[[bytes], object]] = {
    "pydantic": TypeAdapter(WebhookDocument).validate_json,
    "msgspec": msgspec.json.Decoder(WebhookDocument).decode,
}
read = READERS[sys.argv[2]]


async def take(request: web.Request) -> web.Response:
    """Read, validate, answer."""
    read(await request.read())
    return web.Response()


async def ready(_request: web.Request) -> web.Response:
    """Readiness probe."""
    return web.Response()


if __name__ == "__main__":
    app = web.Application(client_max_size=16 * 2**20)
    app.router.add_post("/webhook", take)
    app.router.add_get("/ready", ready)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None, loop=uvloop.new_event_loop())
