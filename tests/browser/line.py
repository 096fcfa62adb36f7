"""A line between browser and service that hangs or breaks when it is told to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Line:
    """Carries bytes both ways. `GET /hang`, `/gone` and `/go` on its `control` say what becomes of them."""

    host: str
    port: int
    flows: asyncio.Event = field(default_factory=asyncio.Event)
    is_gone: bool = False
    writers: set[asyncio.StreamWriter] = field(default_factory=set)
    url: str = ""
    control: str = ""

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of the browser."""
        if self.is_gone:
            writer.close()
            return
        there, back = await asyncio.open_connection(self.host, self.port)
        self.writers |= {writer, back}
        await asyncio.gather(self._pump(reader, back), self._pump(there, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                await self.flows.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def obey(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request to the control."""
        asked = (await reader.readline()).split()[1].decode()
        self.is_gone = asked == "/gone"
        self.flows.clear() if asked == "/hang" else self.flows.set()
        if self.is_gone:
            for each in self.writers:
                each.transport.abort()
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()


@asynccontextmanager
async def line_to(address: str) -> AsyncIterator[Line]:
    """A line to the service at ``http://127.0.0.1:PORT``."""
    host, _, port = address.removeprefix("http://").partition(":")
    line = Line(host, int(port))
    line.flows.set()
    async with (
        await asyncio.start_server(line.carry, host, 0) as carrier,
        await asyncio.start_server(line.obey, host, 0) as control,
    ):
        line.url, line.control = (f"http://{host}:{each.sockets[0].getsockname()[1]}" for each in (carrier, control))
        yield line
        carrier.close()
        control.close()
        for each in line.writers:
            each.transport.abort()
