"""`tocsin watch` in a real terminal, and what the shell completes, against a receiver that listens."""

import asyncio
import os
import pty
import re
import signal
import sys

from aiohttp import web

from receiver.demo.stand_ins import start_web
from receiver.version import MARK
from tests.patience import GIVES_UP
from tests.web.conftest import Running

HEEDING = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from receiver.cli import main
main()
"""
"""The command, heeding Ctrl-C also where the tests run in the background of a shell that has it ignored."""


async def test_show_stays(receiver: Running) -> None:
    """`tocsin show --watch` tells what becomes of one incident; in a pipe each new line of the timeline once. What is
    to be typed next stands there.
    """
    await receiver.post("/api/v1/incidents", {"type": "engine_failure", "title": "Engine one smokes"})
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HEEDING, "show", "1", "--watch", "--url", receiver.url,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, start_new_session=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout
    seen = bytearray()

    async def read(stream: asyncio.StreamReader) -> None:
        while piece := await stream.read(65536):
            seen.extend(piece)

    reading = asyncio.create_task(read(process.stdout))
    await _until(seen, "declared")
    await receiver.post("/api/v1/incidents/1/notes", {"by": "ada", "text": f"smoke {'on and ' * 40}on"})
    await _until(seen, f"smoke {'on and ' * 40}on (ada)")
    os.kill(process.pid, signal.SIGINT)
    assert await asyncio.wait_for(process.wait(), GIVES_UP) == 0
    await reading
    assert seen.decode().count("smoke on") == 1
    assert "Traceback" not in seen.decode()


async def test_watch_says_why_it_is_not_live() -> None:
    """Who answers 503 in Tocsin's place, and Tocsin's own 429, are told once each in a pipe, and asked again; so is who
    hangs up.
    """
    answers = [
        web.Response(status=503, text="<h1>no upstream</h1>"),
        web.json_response({"detail": "tv has 20 pages open already"}, status=429, headers={MARK: "1"}),
        web.json_response({"detail": "tv has 20 pages open already"}, status=429, headers={MARK: "1"}),
    ]

    async def answer(request: web.Request) -> web.Response:
        if not answers:
            assert request.transport
            request.transport.abort()
        return answers.pop(0) if answers else web.Response()

    app = web.Application()
    app.router.add_get("/events", answer)
    runner, url = await start_web(app)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HEEDING, "watch", "--url", url,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert process.stderr
    told = [(await asyncio.wait_for(process.stderr.readline(), GIVES_UP)).decode() for _ in range(3)]
    assert told == [
        "tocsin: not live: a proxy answers for it (503)\n",
        "tocsin: not live: tv has 20 pages open already\n",
        "tocsin: not live: it hung up; perhaps it is https, not http\n",
    ]
    os.kill(process.pid, signal.SIGINT)
    assert await asyncio.wait_for(process.wait(), GIVES_UP) == 0
    await runner.cleanup()


async def test_watch_is_live(receiver: Running) -> None:
    """Now stands in the terminal; what is opened appears by itself with its countdown; Ctrl-C ends it well."""
    await receiver.post("/api/v1/incidents", {"type": "engine_failure", "title": "Engine one smokes"})
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "160", "LINES": "40"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HEEDING, "watch", "--url", receiver.url,
        stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    seen = bytearray()
    asyncio.get_running_loop().add_reader(ours, lambda: seen.extend(_read(ours)))
    await _until(seen, "Engine one smokes")
    await receiver.post("/api/v1/incidents", {"type": "engine_failure", "title": "Engine two [b]too[/b]"})
    await _until(seen, "Engine two [b]too[/b]")
    await _until(seen, "2 open, 0 acknowledged")
    assert re.search(r"\d+ (day|hour|minute|second)s?", seen.decode(errors="replace"))
    os.kill(process.pid, signal.SIGINT)
    assert await asyncio.wait_for(process.wait(), GIVES_UP) == 0
    asyncio.get_running_loop().remove_reader(ours)
    os.close(ours)
    assert "Traceback" not in seen.decode(errors="replace")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the terminal's other end is closed
        return b""


async def _until(seen: bytearray, words: str) -> None:
    async with asyncio.timeout(GIVES_UP):
        while words not in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", seen.decode(errors="replace")):
            await asyncio.sleep(0.05)


async def complete(receiver: Running, line: str) -> str:
    """What bash is offered for that line."""
    environment = {
        **os.environ, "_TOCSIN_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" ")),
        "TOCSIN_URL": receiver.url,
    }  # fmt: skip
    script = "import sys; from receiver.cli import main; sys.argv[0] = 'tocsin'; main()"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    said, problem = await asyncio.wait_for(process.communicate(), GIVES_UP)
    assert not problem, problem.decode()
    return said.decode()


async def test_completion(receiver: Running) -> None:
    """The shell completes incidents by number and types by name; without a receiver nothing, and no error."""
    for title in ("one", "two"):
        await receiver.post("/api/v1/incidents", {"type": "engine_failure", "title": title})
    assert (await complete(receiver, "tocsin show ")).split() == ["2", "1"]
    assert "engine_failure" in await complete(receiver, "tocsin declare engine")
    assert (await complete(receiver, "tocsin tick 1 immediate_actions.1")).split()[0] == "immediate_actions.1"
    receiver.engine.standing.accounts = frozenset({"zoe", "zora"})
    assert (await complete(receiver, "tocsin handover 1 zo")).split() == ["zoe", "zora"]
    receiver.url = "http://127.0.0.1:9"
    assert (await complete(receiver, "tocsin show ")).strip() == ""
