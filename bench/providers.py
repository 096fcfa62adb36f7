"""Stand-ins for SMTP and Slack that accept everything: ``python -m bench.providers SLACK SMTP``."""

import asyncio
import sys

from aiohttp import web
from aiosmtpd.smtp import SMTP

from receiver.demo.stand_ins import Mailbox, Providers


async def main(slack: int, smtp: int) -> None:
    """Serve each on its local port."""

    def ignore(*_: str) -> None:
        return

    handler = Mailbox(ignore)
    app = Providers(ignore).app

    async def ready(_request: web.Request) -> web.Response:
        return web.Response()

    app.router.add_get("/ready", ready)
    await asyncio.get_running_loop().create_server(lambda: SMTP(handler), "127.0.0.1", smtp)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", slack).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
