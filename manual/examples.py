"""docs/channels: messages that a real receiver sent to local servers; each block follows its mark."""

import asyncio
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import orjson

from manual.stage import POLICY, Stage
from receiver.core.events import Declare, Resolve
from rules.channel_types import CHANNEL_TYPES
from rules.policy import MINUTE

FIRST = 12
"""The number of the incident in the documents."""
STORM = 51
"""The number of incidents in a storm; twenty of them get messages of their own."""
WIDTH = 120
"""The maximum width of a line in the documents, in characters."""
SYSTEM, RULE = "flight-control", "safety_critical_failure"

_BLOCK = re.compile(r"(<!-- made: (?P<name>[\w-]+) -->\n\n?```\w+\n).*?(?=```\n)", re.DOTALL)


def pages(root: Path) -> Iterator[tuple[str, str]]:
    """(path, text) of each page with regenerated examples."""
    for name in CHANNEL_TYPES:
        place = f"docs/channels/{name}.md"
        text = (root / place).read_text(encoding="utf-8")
        yield place, _BLOCK.sub(lambda found: f"{found[1]}{examples()[found['name']].rstrip()}\n", text)


@cache
def examples() -> Mapping[str, str]:
    """Each example by the name in its mark."""
    return asyncio.run(_play())


async def _play() -> Mapping[str, str]:
    async with Stage(POLICY).open() as stage:
        await skip_numbers(stage)
        await fire(stage, SYSTEM)
        opened = stage.take()
        await stage.pass_time(MINUTE)
        await fire(stage, SYSTEM, over=True)
        await stage.pass_time(6 * MINUTE)
        recovered = stage.take()
        storm, news = await _storm(stage)
    return {
        "mail": _mail(opened.mails[0]),
        "slack": read_blocks(opened.slack[0]["blocks"]),
        "pagerduty": _event(opened.pagerduty[0]),
        "sms": opened.sms[0]["Body"],
        "sms-recovered": recovered.sms[0]["Body"],
        "sms-storm": storm,
        "sms-news": news,
        "teams": read_card(opened.cards[0]),
        "mattermost": read_post(opened.mattermost[0]),
        "telegram": read_telegram(opened.telegram[0]),
        "apprise": f"{opened.ntfy[0]['title']}\n\n{opened.ntfy[0]['message']}",
        "phone": _spoken(opened.calls[0]["Twiml"]),
        "webhook-head": _head(opened.webhooks[0][0]),
        "webhook": orjson.dumps(opened.webhooks[0][1], option=orjson.OPT_INDENT_2).decode(),
    }


async def _storm(stage: Stage) -> tuple[str, str]:
    """The last SMS of many incidents that open within a minute, and that of their resolution within another."""
    await fire(stage, *(f"landing-{each}" for each in range(1, STORM + 1)))
    await stage.pass_time(MINUTE)
    opened = stage.take()
    for each in stage.incidents()[:STORM]:
        await stage.act(each, Resolve(by="dana", note="a test of the sensors", force=True))
    await stage.pass_time(MINUTE)
    return opened.sms[-1]["Body"], stage.take().sms[-1]["Body"]


async def skip_numbers(stage: Stage) -> None:
    """Make incidents without messages in the documents, so that the next has the number FIRST."""
    while len(stage.incidents()) < FIRST - 1:
        await stage.declare(
            Declare(key=str(len(stage.incidents())), type="practice", by="dana", level=1, new_type=True)
        )
        await stage.act(stage.incidents()[0], Resolve(by="dana"))
        await stage.pass_time(2 * MINUTE)
    stage.take()


async def fire(stage: Stage, *systems: str, value: float = 0.91, over: bool = False) -> None:
    """Fire (or clear) the rule's alert on each of these systems."""
    await stage.alert(*(stage.compiled(RULE, value, {"system": each}, over=over) for each in systems))


def _mail(mail: Any) -> str:
    body = mail.get_body(("plain",)).get_content().replace("\r\n", "\n")
    return f"Subject: {mail['Subject']}\n\n{body}"


def _event(event: Mapping[str, Any]) -> str:
    shown = {name: value for name, value in event.items() if name != "routing_key"}
    return orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode()


def _head(headers: Mapping[str, str]) -> str:
    shown = (f"{name}: {value}" for name, value in headers.items() if name.startswith(("X-", "Content-Type")))
    return "\n".join(("POST /hooks/tocsin", *shown))


def read_blocks(blocks: Iterable[Mapping[str, Any]]) -> str:
    """The visible text of Slack's blocks."""
    return "\n".join(filter(None, map(_block, blocks)))


def _block(block: Mapping[str, Any]) -> str:
    """The visible text of a block, without its markup; fields are in two columns."""
    match block["type"]:
        case "actions":
            return " ".join(f"[{each['text']['text']}]" for each in block["elements"])
        case "context":
            return " · ".join(re.sub(r"<[^|>]*\|([^>]*)>", r"\1", each["text"]) for each in block["elements"])
        case _:
            pass
    fields = [_read(each["text"]).replace("\n", ": ", 1) for each in block.get("fields", ())]
    return _read(block["text"]["text"]) if not fields else "\n".join(fields)


def _read(text: str) -> str:
    dated = re.sub(r"<!date\^\d+\^[^|>]*\|([^>]*)>", r"\1", text)
    return unescape(dated.replace("<!here>", "@here").replace("*", ""))


def read_card(card: Mapping[str, Any]) -> str:
    """The visible text of an Adaptive Card."""
    lines = []
    for element in card["body"]:
        lines += [f"{each['title']}: {each['value']}" for each in element.get("facts", ())]
        lines += [each["inlines"][0]["text"] for each in element.get("items", ())]
    return "\n".join((*lines, " ".join(f"[{each['title']}]" for each in card["actions"])))


def read_post(post: Mapping[str, Any]) -> str:
    """The visible text of a post in Mattermost."""
    shown = post["props"]["attachments"][0]
    text = re.sub(r"\[([^]]*)\]\(<[^>]*>\)", r"\1", f"{post['message']}\n\n{shown['text']}").replace("**", "")
    fields = "\n".join(f"{each['title']}: {each['value']}" for each in shown["fields"])
    return "\n".join((text, fields, *(f"[{each['name']}]" for each in shown["actions"])))


def read_telegram(message: Mapping[str, Any]) -> str:
    """The visible text of a message in Telegram, and its buttons."""
    buttons = [each["text"] for row in message["reply_markup"]["inline_keyboard"] for each in row]
    return "\n".join((message["text"], *(f"[{each}]" for each in buttons)))


def _spoken(twiml: str) -> str:
    said = ET.fromstring(twiml).findtext(".//Say") or ""  # noqa: S314 - our own document
    return textwrap.fill(said, WIDTH)
