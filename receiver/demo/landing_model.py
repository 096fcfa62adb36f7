"""The demo's exporter as a process, for the compose file: ``python -m receiver.demo.landing_model [PORT]``."""

import sys

from aiohttp import web

from receiver.demo.exporter import Exporter

PORT = 8000


def main(port: int = PORT) -> None:
    """Serve until the process is told to stop."""
    web.run_app(Exporter().app, port=port, print=None, shutdown_timeout=1)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
