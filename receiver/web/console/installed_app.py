"""What a browser needs to keep Tocsin as an app: the manifest, the icons, the worker, and the offline page.

None of it says anything of an incident, so all of it is for whoever asks. There is one worker for the whole console: it
shows what is pushed, and where Tocsin does not answer, the page `/offline` with Now as it was seen last. An icon has
the number of the worst open level on it, so that it is not told by its colour alone.
"""

from collections.abc import Callable

import orjson
from aiohttp import web

from receiver.core.model import Instant
from receiver.web.console.pages import draw, static_file, static_name
from receiver.web.http.problem_details import Handler

WORKER = "/push/worker.js"
"""The worker's script. Its scope is the whole console; browsers that turned notifications on under an earlier release
have a registration for ``/push/`` alone, which goes on showing what is pushed."""

WORKER_POLICY = "default-src 'none'; connect-src 'self'"
"""What the worker may do: ask us. It acknowledges, and keeps the offline page."""

COLOURS = ("#c2410c", "#45617f", "#8a5a00", "#b8400a", "#a3132b")
"""Of the icon, by the worst open level; 0: none is open."""

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
    """What the app is called and looks like. Its addresses are relative, so it is right below any path."""
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
    """The bell; with a level, in its colour and with its number. Browsers ask for ``/favicon.ico`` by themselves."""
    level = int(request.match_info.get("level", "0"))
    bell = static_file("mark.svg").replace(COLOURS[0].encode(), COLOURS[level].encode())
    number = (
        f'<text x="16" y="20.500" font-family="sans-serif" font-size="15" font-weight="700" fill="#fff" '
        f'text-anchor="middle">{level}</text></svg>'
    )
    drawn = bell.replace(b"</svg>", number.encode()) if level else bell
    return web.Response(body=drawn, content_type="image/svg+xml", headers={"Cache-Control": ICON_LASTS})


async def serve_worker(_request: web.Request) -> web.Response:
    """The worker's script, which may stand for all that lies beside its folder."""
    headers = {
        "Cache-Control": "no-cache",
        "Service-Worker-Allowed": "../",
        "Content-Security-Policy": WORKER_POLICY,
    }
    return web.Response(body=static_file("worker.js"), content_type="text/javascript", charset="utf-8", headers=headers)
