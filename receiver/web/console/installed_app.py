"""Parts of the installable web app: manifest, icons, service worker, offline page.

They contain no incident data and need no login. One worker serves the whole console: it shows push notifications, and
without a connection the page `/offline` with the last view of Now. The icon shows the worst open level as a number, not
by colour alone.
"""

from collections.abc import Callable

import orjson
from aiohttp import web

from receiver.core.model import Instant
from receiver.web.console.pages import draw, static_file, static_name
from receiver.web.http.problem_details import Handler

WORKER = "/push/worker.js"
"""Path of the worker's script. Its scope is the whole console; browsers that enabled notifications with an earlier
release also have a registration for ``/push/``, which keeps showing them.
"""

WORKER_POLICY = "default-src 'none'; connect-src 'self'"
"""The worker may only send requests to Tocsin: it acknowledges, and stores the offline page."""

COLOURS = ("#c2410c", "#45617f", "#8a5a00", "#b8400a", "#a3132b")
"""Colours of the icon, by the worst open level; 0: none is open."""

ICON_LASTS = "public, max-age=86400"

_PNGS = (("icon-192.png", 192, "any"), ("icon-512.png", 512, "any"), ("icon-maskable-512.png", 512, "maskable"))


def app_routes(clock: Callable[[], Instant]) -> tuple[tuple[str, str, Handler], ...]:
    """Method, path, handler."""

    async def show_offline(_request: web.Request) -> web.Response:
        return draw("offline.html", clock())

    return (
        ("GET", "/offline", show_offline),
        ("GET", "/app.webmanifest", serve_manifest),
        ("GET", r"/icon-{level:[0-4]}.svg", serve_icon),
        ("GET", "/favicon.ico", serve_icon),
        ("GET", WORKER, serve_worker),
    )


async def serve_manifest(_request: web.Request) -> web.Response:
    """The web app manifest. Its URLs are relative, so it works below any path."""
    icons = [
        {"src": f"static/{static_name(name)}", "sizes": f"{size}x{size}", "type": "image/png", "purpose": purpose}
        for name, size, purpose in _PNGS
    ]
    whole = {"src": "icon-0.svg", "sizes": "any", "type": "image/svg+xml", "purpose": "any"}
    manifest = {
        "name": "Tocsin",
        "short_name": "Tocsin",
        "description": "Incidents: who has them, until when, and what to do",
        "start_url": "./",
        "scope": "./",
        "display": "standalone",
        "background_color": "#f7f6f3",
        "theme_color": "#f7f6f3",
        "icons": [*icons, whole],
        "shortcuts": [{"name": "Who is on call", "url": "on-call"}, {"name": "History", "url": "history"}],
    }
    return web.Response(
        body=orjson.dumps(manifest),
        content_type="application/manifest+json",
        headers={"Cache-Control": ICON_LASTS},
    )


async def serve_icon(request: web.Request) -> web.Response:
    """The bell; for a level, in its colour and with its number. Browsers request ``/favicon.ico`` by themselves."""
    level = int(request.match_info.get("level", "0"))
    bell = static_file("mark.svg").replace(COLOURS[0].encode(), COLOURS[level].encode())
    number = (
        f'<text x="16" y="20.500" font-family="sans-serif" font-size="15" font-weight="700" fill="#fff" '
        f'text-anchor="middle">{level}</text></svg>'
    )
    drawn = bell.replace(b"</svg>", number.encode()) if level else bell
    return web.Response(body=drawn, content_type="image/svg+xml", headers={"Cache-Control": ICON_LASTS})


async def serve_worker(_request: web.Request) -> web.Response:
    """The worker's script, with permission for a scope above its folder."""
    headers = {
        "Cache-Control": "no-cache",
        "Service-Worker-Allowed": "../",
        "Content-Security-Policy": WORKER_POLICY,
    }
    return web.Response(body=static_file("worker.js"), content_type="text/javascript", charset="utf-8", headers=headers)
