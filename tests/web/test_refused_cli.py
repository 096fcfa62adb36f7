"""What the receiver refuses is told by the commands in their own words: which option or argument, and what to do."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from receiver.cli import app
from receiver.web.api import requests
from receiver.web.http.problem_details import FORMS
from tests.web.conftest import Running

TOKENS = "ada:admin:token-of-ada-0001,rex:responder:token-of-rex-0001,vic:viewer:token-of-vic-0001"
LONG = "x" * 300
API_WORDS = re.compile(
    "Bad Request|Conflict:|Forbidden|Not Found|Unauthorized|what it should be|String should|Input should|Value should"
    "|Authorization|filed_at|counted_from|Errno|_ssl|Traceback"
)


async def command(*words: str) -> str:
    """What it printed, on one line; it must fail."""
    result = await asyncio.to_thread(CliRunner().invoke, app, words)
    assert result.exit_code in {1, 2}, (words, result.output)
    return " ".join(result.output.split())


REFUSED = {
    ("incidents", "--search", LONG): "--search: longer than 200 characters",
    ("incidents", "--state", "odd"): "--state: is one or several",
    ("incidents", "--level", "9"): "--level",
    ("incidents", "--limit", "0"): "--limit",
    ("acknowledge", "1", "--for", "soon"): '--for: not a duration: "soon"',
    ("acknowledge", "1", "--by", LONG): "--by: longer than 200",
    ("note", "1", ""): "TEXT: say something",
    ("note", "", "x"): "an argument is empty",
    ("declare", ""): "TYPE: missing",
    ("declare", LONG, "--type-is-new"): "TYPE: not a name of letters",
    ("declare", "engine_failure", "--title", LONG): "--title: longer than 200",
    ("tick", "1", ""): "an argument is empty",
    ("tick", "1", "immediate_actions.1", "--link", "x"): "--link: not a link that begins with https://",
    ("handover", "1", ""): "TO: empty",
    ("handover", "1", LONG): "TO: longer than 200",
    ("follow-up", "1", "x", "--due", "2026-12-24"): "--due: write a time with its offset, such as",
    ("follow-up", "1", "x", "--due", "2026-12-24T12:00"): "--due: write a time with its offset, such as",
    ("follow-up-done", "1", "f9"): "no follow-up action 'f9'; it has none",
    ("edit-notice", "1", "n9", "--text", "x"): "the incident has no notice n9; it has none",
    ("approve", "1", "n9"): "the incident has no notice n9; it has none",
    ("approve", "1", "n9", "--hash", "x"): "--hash: not a SHA-256",
    ("reject", "1", "n9"): "no notice 'n9'; it has none",
    ("close", "1", "--note", ""): "--note: empty",
    ("close", "1", "--note", "x"): "the incident is open: resolve it first",
    (
        "file-report",
        "1",
        "--obligation",
        "a",
        "--stage",
        "b",
        "--reference",
        "1",
        "--date",
        "x",
    ): "--date: write a time",
    (
        "judge-obligation",
        "1",
        "--obligation",
        "a",
        "--applies",
        "--reason",
        "r",
        "--counted-from",
        "x",
    ): "--counted-from: ",
    ("hold", "place", "1", "--reason", ""): "--reason: empty",
    ("evidence", "get", "1", "e9"): "no evidence file e9; it has none",
    ("evidence", "add", "1", "/nowhere"): "/nowhere cannot be read: there is no such file",
    ("report", "--period", "x"): "--period: not a duration",
    ("report", "1", "--version", "0"): "--version: less than 1",
    ("show", "99999"): "there is no such incident; `tocsin incidents` lists them",
    ("retire-heartbeat", "k", "--reason", "r"): "no such heartbeat; `tocsin heartbeats` lists them",
    ("overrides", "--cancel", "99"): "there is no override 99; `tocsin overrides` lists them",
    ("override", "a", "--who", "b", "--until", "x", "--reason", "r"): "no schedule 'a'; it has none",
}


async def test_refusals_name_the_option(receiver: Running) -> None:
    """Each says which option or argument is wrong, and how it is right; none speaks of fields, bodies and statuses."""
    await receiver.post("/api/v1/incidents", {"type": "engine_failure"})
    for words, said in REFUSED.items():
        told = await command(*words, "--url", receiver.url)
        assert said in told, (words, told)
        assert not API_WORDS.search(re.sub("╭.*", "", told)), (words, told)


async def test_who_may_not(start: Callable[..., Any]) -> None:
    """Without a token, with a wrong one, and with one of too low a role: what to give, and by which option."""
    receiver = await start(TOCSIN_API_TOKENS=TOKENS)
    asked = ("sign-off", "1", "--url", receiver.url)
    cure = "give one of TOCSIN_API_TOKENS with --token, or TOCSIN_TOKEN"
    assert (await command(*asked)).lower() == f"tocsin: an api token is needed; {cure}".lower()
    assert (await command(*asked, "--token", "x")).lower() == f"tocsin: unknown api token; {cure}".lower()
    told = await command(*asked, "--token", "token-of-vic-0001")
    assert "vic is a viewer; this needs an approver; give the token of such a person with --token" in told
    told = await command("evidence", "redact", "1", "e1", "--reason", "r", *asked[2:], "--token", "token-of-rex-0001")
    assert "rex is a responder; this needs an admin" in told


async def test_another_path(receiver: Running) -> None:
    """A URL with a path that is not Tocsin's is named by its option."""
    assert "--url (TOCSIN_URL) right?" in await command("show", "1", "--url", f"{receiver.url}/elsewhere")


async def test_a_line_that_is_no_tls(receiver: Running) -> None:
    """https where http is spoken, and http where https is, are told as what they probably are."""
    told = await command("show", "1", "--url", receiver.url.replace("http", "https"))
    assert "perhaps it is http, not https" in told
    async with await asyncio.start_server(_hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        told = await command("show", "1", "--url", f"http://127.0.0.1:{port}")
    assert "it hung up; perhaps it is https, not http" in told


async def _hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def test_every_form_has_words() -> None:
    """No pattern of the API's fields is told as a regular expression."""
    patterns = set(re.findall(r'pattern=r?"((?:[^"\\]|\\.)*)"', _source()))
    assert patterns
    assert patterns <= FORMS.keys()


def _source() -> str:
    return Path(requests.__file__).read_text()


@pytest.mark.parametrize("words", [("audit", "verify"), ("audit", "list"), ("database", "status")])
async def test_a_database_that_is_not_there(tmp_path: Any, words: tuple[str, ...]) -> None:
    """It is not made, and its log is not called unchanged."""
    told = await command(*words, "--database", f"sqlite:///{tmp_path}/none.db")
    assert "TOCSIN_DATABASE (--database): there is no database" in told
    assert not (tmp_path / "none.db").exists()
