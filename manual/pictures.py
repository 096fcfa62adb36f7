"""docs/images: screenshots of the messages in each medium: `python -m manual.pictures` (needs Chromium).

A mail is rendered from its own HTML. The views of Slack, PagerDuty and a telephone are imitated from the data sent.
"""

import asyncio
import io
import re
import tempfile
from collections.abc import Iterable, Mapping
from email.message import EmailMessage
from html import escape, unescape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from PIL import Image

from manual.chromium import Camera, camera
from manual.examples import SYSTEM, fire, skip_numbers
from manual.pages import ROOT
from manual.stage import POLICY, Kept, Stage
from receiver.core.events import Acknowledge, Assign, Change, Escalate, Handover, Resolve
from receiver.reports import render
from rules.policy import MINUTE

FACTS = {
    "immediate_actions_taken": "flight-control taken out of automatic landing\nThe tower was told",
    "root_cause": "A stale landing model was loaded after the restart",
    "fix_description": "Model 41 rolled back to 40",
    "lessons_learned": "Check the model's age before take-off",
}

PLACE = ROOT / "docs" / "images"
COLOURS = 20
"""The number of colours of a picture, small because the images are drawings."""

STYLE = """
  body { margin: 0; padding: 16px; background: #fff; color: #1d1c1d; font: 15px/1.45 "DejaVu Sans", Arial, sans-serif }
  p { margin: 0 0 8px; overflow-wrap: anywhere } a { color: #1264a3; text-decoration: none } code { font-size: 12px }
  .who { font-weight: bold } .app { font-size: 10px; background: #ddd; border-radius: 3px; padding: 1px 4px }
  .at, .quiet { color: #616061; font-size: 12px; font-weight: normal } h2 { font-size: 17px; margin: 6px 0 }
  .fields { display: grid; grid-template-columns: 1fr 1fr; gap: 8px 16px; margin: 0 0 8px } .fields b { display: block }
  .plain { white-space: pre-line } .mention { background: #fdf2d0; color: #7a5200; border-radius: 3px; padding: 0 2px }
  .buttons { margin: 12px 0 } .buttons .primary { background: #007a5a; border-color: #007a5a; color: #fff }
  .buttons span { border: 1px solid #bbb; border-radius: 4px; padding: 5px 12px; margin-right: 8px; font-weight: bold;
    font-size: 13px }
  .bubble { background: #e9e9eb; border-radius: 18px; padding: 10px 14px; margin: 0 60px 10px 0;
    overflow-wrap: anywhere }
  .mine { background: #0b7a34; color: #fff; margin: 0 0 10px auto; width: max-content }
  .call { border: 1px solid #ccc; border-radius: 8px; padding: 12px 16px } dl { display: grid; margin: 0;
    grid-template-columns: 9rem 1fr; gap: 3px 12px; font-size: 13px } dt { color: #616061 } dd { margin: 0 }
  .critical { background: #b3140f; color: #fff; border-radius: 3px; font-size: 12px; padding: 2px 6px }
"""


def _html(mail: EmailMessage) -> str:
    body = mail.get_body(("html",))
    assert body is not None, "each mail has HTML"
    return str(body.get_content())


async def shoot() -> None:
    """Make all pictures."""
    kept = await _play()
    async with camera() as eye:
        mail = _html(kept.mails[0])
        _save("mail", await _look(eye, mail, 480), await _look(eye, mail, 480, dark=True))
        _save("slack", await _look(eye, _page(_slack(kept.slack[0]["blocks"])), 620))
        _save("pagerduty", await _look(eye, _page(_pagerduty(kept.pagerduty[0])), 700))
        _save("sms", await _look(eye, _page(_sms(each["Body"] for each in kept.sms)), 420))
        _save("report-pages", *await _pages(eye, await _report()))
        _save("phone", await _look(eye, _page(_call(kept.calls[0]["Twiml"])), 560))
        await _shoot_later(eye, await _play_on())


async def _shoot_later(eye: Camera, moments: Mapping[str, Kept]) -> None:
    """The messages after the first page: per medium in one picture, and one picture per mail."""
    for moment, kept in moments.items():
        html = _html(kept.mails[0])
        _save(f"mail-{moment}", await _look(eye, html, 480), await _look(eye, html, 480, dark=True))
    heard = moments.values()
    slack = "<hr>".join(_slack(each["blocks"]) for kept in heard for each in kept.slack[:1])
    _save("slack-later", await _look(eye, _page(slack), 620))
    sms = "".join(f'<p class="bubble">{escape(each["Body"])}</p>' for kept in heard for each in kept.sms[:1])
    _save("sms-later", await _look(eye, _page(sms), 420))
    events = (each for kept in heard for each in kept.pagerduty[:1] if "payload" in each)
    _save("pagerduty-later", await _look(eye, _page("<hr>".join(map(_pagerduty, events))), 700))
    calls = "<p></p>".join(_call(each["Twiml"]) for kept in heard for each in kept.calls[:1])
    _save("phone-later", await _look(eye, _page(calls), 560))


async def _play_on() -> Mapping[str, Kept]:
    """The same incident without an answer; then dana acknowledges, asks for help and hands it over, and it recovers."""
    async with Stage(f"time_zone: Europe/Berlin\n{POLICY}").open() as stage:
        await skip_numbers(stage)
        await fire(stage, SYSTEM)
        stage.take()
        moments = {}
        await stage.pass_time(5 * MINUTE)
        moments["escalation"] = stage.take()
        await stage.pass_time(10 * MINUTE)
        moments["breach"] = stage.take()
        incident = next(each for each in stage.incidents() if each.labels.get("system") == SYSTEM)
        await stage.act(incident, Acknowledge(by="dana"))
        await stage.pass_time(2 * MINUTE)
        stage.take()
        await stage.act(incident, Escalate(by="dana", note="I do not know the landing model"))
        moments["help"] = stage.take()
        await stage.act(incident, Acknowledge(by="amir"))
        stage.take()
        await stage.act(incident, Handover(by="dana", to="amir", note="The model is his"))
        moments["handover"] = stage.take()
        await fire(stage, SYSTEM, over=True)
        moments["recovery"] = stage.take()
        await stage.pass_time(6 * MINUTE)
        stage.take()
        await stage.act(incident, Resolve(by="amir", note="the margin is 0.99 again"))
        moments["resolution"] = stage.take()
        return moments


async def _play() -> Kept:
    async with Stage(POLICY).open() as stage:
        await skip_numbers(stage)
        await fire(stage, SYSTEM)
        await stage.pass_time(MINUTE)
        await fire(stage, SYSTEM, over=True)
        await stage.pass_time(6 * MINUTE)
        return stage.take()


async def _report() -> str:
    """The report of a resolved, documented incident."""
    without_hook = POLICY.replace(", status-page]", "]")  # its address is local
    async with Stage(f"time_zone: Europe/Berlin\n{without_hook}").open() as stage:
        await skip_numbers(stage)
        await fire(stage, SYSTEM)
        [incident] = [each for each in stage.incidents() if each.labels.get("system") == SYSTEM]
        await stage.pass_time(3 * MINUTE)
        await stage.act(incident, Acknowledge(by="amir"))
        await stage.act(incident, Assign(by="amir", role="safety_officer", to="dana"))
        await stage.pass_time(8 * MINUTE)
        await fire(stage, SYSTEM, over=True)
        await stage.pass_time(8 * MINUTE)
        await stage.act(incident, Resolve(by="amir", note="the margin is 0.99 again"))
        await stage.act(incident, Change(by="amir", facts=FACTS))
        return render(stage.report(stage.incidents()[0], "amir"), "html")


async def _pages(eye: Camera, html: str) -> list[Image.Image]:
    """The first two printed pages."""
    await eye.show(html, 800)
    with tempfile.TemporaryDirectory() as folder:
        pdf = Path(folder) / "report.pdf"
        pdf.write_bytes(await eye.print())
        both = Image.open(io.BytesIO(await eye.leaf_through(pdf, 2))).convert("RGB")
    return [both.crop((0, top, both.width, top + both.height // 2)) for top in (0, both.height // 2)]


async def _look(eye: Camera, html: str, width: int, *, dark: bool = False) -> Image.Image:
    await eye.show(html, width, dark=dark)
    return Image.open(io.BytesIO(await eye.shoot())).convert("RGB")


def _save(name: str, *side_by_side: Image.Image) -> None:
    whole = Image.new("RGB", (sum(each.width for each in side_by_side), max(each.height for each in side_by_side)))
    left = 0
    for each in side_by_side:
        whole.paste(each, (left, 0))
        left += each.width
    path = PLACE / f"{name}.png"
    whole.quantize(COLOURS).save(path, optimize=True)
    print(path.relative_to(ROOT), path.stat().st_size)


def _page(body: str) -> str:
    return f'<!doctype html><meta charset="utf-8"><style>{STYLE}</style>{body}'


def _slack(blocks: Iterable[Mapping[str, Any]]) -> str:
    name = '<p><span class="who">Tocsin</span> <span class="app">APP</span> <span class="at">11:22</span></p>'
    return name + "".join(map(_block, blocks))


def _block(block: Mapping[str, Any]) -> str:
    match block["type"]:
        case "header":
            return f"<h2>{escape(unescape(block['text']['text']))}</h2>"
        case "actions":
            buttons = (
                f'<span class="{each.get("style", "")}">{escape(each["text"]["text"])}</span>'
                for each in block["elements"]
            )
            return f'<p class="buttons">{"".join(buttons)}</p>'
        case "context":
            return f'<p class="quiet">{" &nbsp; ".join(_marked(each["text"]) for each in block["elements"])}</p>'
        case _:
            pass
    if "fields" in block:
        fields = "".join(f"<div>{_marked(each['text'])}</div>" for each in block["fields"])
        return f'<div class="fields">{fields}</div>'
    text = block["text"]
    return (
        f'<p class="plain">{_marked(text["text"]) if text["type"] == "mrkdwn" else escape(unescape(text["text"]))}</p>'
    )


def _marked(text: str) -> str:
    """Slack's markup as its clients show it; its escapes are those of HTML."""
    text = re.sub(r"<!date\^\d+\^[^|>]*\|([^>]*?)(?: [A-Z]{3,4})?>", r"\1", text)
    text = text.replace("<!here>", '<span class="mention">@here</span>')
    text = re.sub(r"<(https?:[^|>]*)\|([^>]*)>", r'<a href="\1">\2</a>', text)
    return re.sub(r"(?m)(^|(?<= ))\*(.+)\*$", r"<b>\2</b>", text)


def _pagerduty(event: Mapping[str, Any]) -> str:
    payload = event["payload"]
    rows = "".join(_row(name, value) for name, value in payload["custom_details"].items())
    links = " &nbsp; ".join(f'<a href="{escape(each["href"])}">{escape(each["text"])}</a>' for each in event["links"])
    shown = {name: payload[name] for name in ("timestamp", "source", "class")}
    return (
        f'<p><span class="critical">{payload["severity"]}</span></p><h2>{escape(payload["summary"])}</h2><p>{links}</p>'
        f"<dl>{''.join(_row(*each) for each in shown.items())}</dl><h2>Custom details</h2><dl>{rows}</dl>"
    )


def _row(name: str, value: Any) -> str:
    match value:
        case dict():
            told = "<br>".join(f"{key}: {each}" for key, each in value.items() if not isinstance(each, list | dict))
            inner = [each for every in value.values() if isinstance(every, list) for each in every]
            told += "".join(
                f"<dl>{''.join(_row(*pair) for pair in each.items() if pair[1] != '')}</dl>" for each in inner
            )
        case list():
            told = "<br>".join(escape(str(each)) for each in value)
        case _:
            told = escape(str(value).lower() if isinstance(value, bool) else str(value))
    return f"<dt>{escape(name)}</dt><dd>{told}</dd>"


def _sms(texts: Iterable[str]) -> str:
    first, second, *_ = texts
    return (
        f'<p class="bubble">{escape(first)}</p><p class="bubble">{escape(second)}</p><p class="bubble mine">ACK 12</p>'
    )


def _call(twiml: str) -> str:
    said = ET.fromstring(twiml).findtext(".//Say") or ""  # noqa: S314 - our own document
    return f'<div class="call"><p class="quiet">Call from +1 202 555 0100</p><p>“{escape(said)}”</p></div>'


if __name__ == "__main__":
    asyncio.run(shoot())
