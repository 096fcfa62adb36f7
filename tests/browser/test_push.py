"""Web Push from Tocsin's sender to a real browser's worker, and back: see push.mjs."""

import asyncio
import socket
import time

from aiohttp import web

from receiver.channels.push_encryption import sender_key, to_base64
from receiver.service import Service
from rules.load import load_text
from tests.browser.conftest import Browser
from tests.browser.test_night import PEOPLE, TOKEN, receiver, run
from tests.channels.servers.push_service import Browser as Subscriber
from tests.channels.servers.push_service import PushService
from tests.web.test_devices import KEY, POLICY


class Pushed(asyncio.Queue[dict]):
    """What the push service decrypted, for who waits for it."""

    append = asyncio.Queue.put_nowait


async def test_a_push_acknowledges_in_a_real_browser(browser: Browser) -> None:
    """Turned on in the console, an emergency comes as a notification with its actions; *open* opens it, *acknowledge*
    acknowledges in the person's name and says so.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    settings = receiver(
        **PEOPLE | {"TOCSIN_LISTEN": address, "TOCSIN_EXTERNAL_URL": f"http://{address}", "TOCSIN_SECRET_KEY": KEY}
    )
    service = PushService(int(time.time()), sender_key(KEY).public_key())
    own, pushed = Subscriber(), Pushed()
    own.shown = pushed
    service.browsers["dana"] = own
    async with service.wire, Service(settings, (), load_text(POLICY).policy) as tocsin:
        app = web.Application()

        async def tell(_request: web.Request) -> web.Response:
            return web.json_response(await pushed.get())

        app.router.add_get("/pushed", tell)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            subscription = {
                "endpoint": service.endpoint("dana"),
                "keys": {"p256dh": own.p256dh, "auth": to_base64(own.auth)},
            }
            control = "http://{}:{}/pushed".format(*runner.addresses[0])
            await run(browser, "push", "desktop-light", tocsin.address, own=subscription, pushed=control, token=TOKEN)
        finally:
            await runner.cleanup()
