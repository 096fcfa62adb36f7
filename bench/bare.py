"""The limit: an aiohttp handler that only reads and validates the webhook: ``python -m bench.bare PORT``."""

import sys

import uvloop
from aiohttp import web
from pydantic import TypeAdapter

from receiver.clients.alert_payload import WebhookDocument

BODY = TypeAdapter(WebhookDocument)


async def take(request: web.Request) -> web.Response:
    """Read, validate, answer."""
    BODY.validate_json(await request.read())
    return web.Response()


async def ready(_request: web.Request) -> web.Response:
    """For whoever waits."""
    return web.Response()


if __name__ == "__main__":
    app = web.Application(client_max_size=16 * 2**20)
    app.router.add_post("/webhook", take)
    app.router.add_get("/ready", ready)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None, loop=uvloop.new_event_loop())
