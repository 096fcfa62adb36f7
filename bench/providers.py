"""Stand-ins for SMTP and Slack that take everything and say nothing: ``python -m bench.providers PORT``."""

import asyncio
import sys

from aiohttp import web
from aiosmtpd.smtp import SMTP

from receiver.demo.stand_ins import Mailbox, Providers


async def main(port: int) -> None:
    """Slack on `port`, SMTP on `port + 1`."""

    def ignore(*_: str) -> None:
        return

    handler = Mailbox(ignore)
    app = Providers(ignore).app

    async def ready(_request: web.Request) -> web.Response:
        return web.Response()

    app.router.add_get("/ready", ready)
    await asyncio.get_running_loop().create_server(lambda: SMTP(handler), "127.0.0.1", port + 1)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
