"""Controls Chromium for screenshots of HTML, in light or dark mode, and for printing."""

import asyncio
import base64
import itertools
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

PAGE_WIDTH, PAGE = 560, 794
"""Width of a printed page (A4), and its height with the gap below it, in pixels."""
DRAWN_AFTER = 4.0
"""Seconds after which the viewer of printed pages has finished drawing."""

START = 30.0
"""The maximum of seconds for its start."""


class Camera:
    """A page of a running Chromium, by its DevTools protocol."""

    def __init__(self, wire: aiohttp.ClientWebSocketResponse) -> None:
        self._wire = wire
        self._serial = itertools.count(1)

    async def show(self, html: str, width: int, *, dark: bool = False, scale: float = 1) -> None:
        """Load and lay out the document, in a window of that width (CSS pixels)."""
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        await self.ask("Emulation.setEmulatedMedia", media="screen", features=scheme)
        await self.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=10, deviceScaleFactor=scale, mobile=False
        )
        tree = await self.ask("Page.getFrameTree")
        await self.ask("Page.setDocumentContent", frameId=tree["frameTree"]["frame"]["id"], html=html)
        await self.ask("Runtime.evaluate", expression="document.fonts.ready.then(() => 0)", awaitPromise=True)

    async def shoot(self) -> bytes:
        """The whole page as PNG."""
        size = (await self.ask("Page.getLayoutMetrics"))["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        shot = await self.ask("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        return base64.b64decode(shot["data"])

    async def leaf_through(self, pdf: Path, pages: int) -> bytes:
        """The first pages of a printed document as PNG, one below the other. Each is PAGE high, including a gap."""
        await self.ask("Page.navigate", url=f"{pdf.as_uri()}#toolbar=0&navpanes=0&view=FitH")
        await self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=PAGE_WIDTH, height=PAGE * pages, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        await asyncio.sleep(DRAWN_AFTER)  # the viewer does not report the end of drawing
        shot = await self.ask("Page.captureScreenshot", format="png")
        return base64.b64decode(shot["data"])

    async def print(self) -> bytes:
        """The document's pages as PDF, with the margins of its own style."""
        await self.ask("Emulation.setEmulatedMedia", media="print")
        made = await self.ask("Page.printToPDF", preferCSSPageSize=True, printBackground=True)
        return base64.b64decode(made["data"])

    async def ask(self, method: str, **params: Any) -> Any:
        """Send a command; returns its answer. Raises RuntimeError if it is refused."""
        number = next(self._serial)
        await self._wire.send_json({"id": number, "method": method, "params": params})
        while True:
            answer = await self._wire.receive_json(timeout=START)
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]


@asynccontextmanager
async def camera() -> AsyncIterator[Camera]:
    """Run Chromium during the block."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        process = await asyncio.create_subprocess_exec(
            "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            "--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank",
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            port = await _port(Path(folder) / "DevToolsActivePort")
            async with aiohttp.ClientSession() as http:
                async with http.get(f"http://127.0.0.1:{port}/json/list") as answer:
                    [page] = [each for each in await answer.json() if each["type"] == "page"]
                async with http.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0) as wire:
                    yield Camera(wire)
        finally:
            process.terminate()
            await process.wait()


async def _port(file: Path) -> int:
    """The port on which it listens, once it is known."""
    async with asyncio.timeout(START):
        while not (said := _read(file)):  # noqa: ASYNC110 - Chromium announces it only in this file
            await asyncio.sleep(0.05)
    return int(said.splitlines()[0])


def _read(file: Path) -> str:
    return file.read_text() if file.exists() else ""
