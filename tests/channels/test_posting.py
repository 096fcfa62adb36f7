"""One POST and its answer: bounded in length, and told as far as it came."""

import asyncio

from aiohttp import web

from receiver.channels.posting import MAX_ANSWER, Answer, Poster, excerpt
from receiver.demo.stand_ins import start_web
from tests.channels.servers import wire
from tests.channels.servers.wire import Reply, Wire
from tests.patience import GIVES_UP


async def test_answer_is_read_up_to_a_cap():
    """An answer without end is cut at a length, and known not to be whole."""
    async with Wire(lambda request: Reply(200)) as server:
        server.faults.append(wire.endless(200))
        poster = Poster(20)
        answer = await poster.post(server.url, b"", {})
        await poster.close()
    assert isinstance(answer, Answer)
    assert len(answer.body) == MAX_ANSWER
    assert not answer.whole


async def test_broken_answer_keeps_its_status():
    """An answer that breaks off has said its status all the same."""
    async with Wire(lambda request: Reply(200)) as server:
        server.faults.append(wire.broken_off(418))
        poster = Poster(20)
        answer = await poster.post(server.url, b"", {})
        await poster.close()
    assert isinstance(answer, Answer)
    assert (answer.status, answer.body, answer.whole) == (418, b'{"sid":', False)


def test_excerpt_blots_out_before_it_cuts():
    """A secret at the cut does not show its first half."""
    shown = excerpt("x" * 190 + "0123456789abcdef" * 2, ["0123456789abcdef0123456789abcdef"])
    assert "0123" not in shown
    assert excerpt("a\r\nb\x1b[31m\u2028c", []) == "a b [31m c"


async def test_one_that_hangs_takes_no_connection_from_another():
    """However many requests hang at one destination, the next to another leaves at once."""
    hanging, may_answer = asyncio.Semaphore(0), asyncio.Event()

    async def hang(_request: web.Request) -> web.Response:
        hanging.release()
        await may_answer.wait()
        return web.Response()

    app = web.Application()
    app.router.add_post("/", hang)
    runner, slow = await start_web(app)
    poster, many = Poster(60), 128
    async with Wire(lambda request: Reply(200)) as quick:
        posts = [asyncio.create_task(poster.post(slow, b"", {})) for _ in range(many)]
        async with asyncio.timeout(GIVES_UP):
            for _ in range(many):
                await hanging.acquire()
            assert isinstance(await poster.post(quick.url, b"", {}), Answer)
        may_answer.set()
        await asyncio.gather(*posts)
    await poster.close()
    await runner.cleanup()
