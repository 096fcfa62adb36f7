"""A report as Markdown, HTML or JSON. Foreign text is escaped for each: nothing in it becomes markup."""

import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import cache
from hashlib import sha256
from typing import Literal, get_args

import orjson
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from receiver.messages import PICTURE_ID, Message
from receiver.reports.report import Part, Report, SectionContent, Table
from rules.placeholders import UNKNOWN

Format = Literal["md", "html", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)
CONTENT_TYPES: dict[Format, str] = {"md": "text/markdown", "html": "text/html", "json": "application/json"}

EXERCISE = "EXERCISE: nobody was in danger."
_MARKS = re.compile(r"([\\`*\[\]|~]|<(?! )|&(?=[#\w])|(?<![^\W_])_|_(?![^\W_])|^[-+>]|^#(?=[# ]))")
"""What could be markup where it stands: the report is mailed as Markdown, and read by people as it is."""


def render(report: Report, form: Format, picture: str = "") -> str:
    """The report in that format, as text. `picture`: what the picture shows that a mail carries beside it."""
    match form:
        case "md":
            return "\n".join(_markdown(report)).strip() + "\n"
        case "html":
            return _html(report, picture)
        case "json":
            return orjson.dumps(_data(report), option=orjson.OPT_INDENT_2).decode() + "\n"


def mail(report: Report, message: Message) -> Message:
    """The message that carries a report. Mail programs show no SVG, but its words in a heap: the picture has it."""
    undrawn = replace(report, sections=tuple(replace(each, drawings=()) for each in report.sections))
    shown = message.picture.words if message.picture else ""
    return replace(message, text=render(undrawn, "md"), html=render(undrawn, "html", shown))


@cache
def style_hash() -> str:
    """What a Content-Security-Policy calls the HTML form's one style sheet."""
    empty = Report("", "", exercise=False, sections=())
    style = re.search(r"<style>(.*?)</style>", _html(empty, ""), re.DOTALL)
    assert style, "the template has a style sheet"
    return f"'sha256-{b64encode(sha256(style[1].encode()).digest()).decode()}'"


def _html(report: Report, picture: str) -> str:
    words = {"exercise": EXERCISE, "unknown": UNKNOWN, "picture": picture, "picture_id": PICTURE_ID}
    return _environment().get_template("report.html").render(report=report, **words)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("templates", "reports"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _markdown(report: Report) -> Iterator[str]:
    yield f"# {_safe(report.title)}\n"
    if report.exercise:
        yield f"**{EXERCISE}**\n"
    yield f"{_safe(report.subtitle)}\n"
    for section in report.sections:
        yield f"\n## {_safe(section.title)}\n"
        for part in section.parts:
            yield from _part(part)
        for table in section.tables:
            yield from _table(table)


def _part(part: Part) -> Iterator[str]:
    if part.title:
        yield f"### {_safe(part.title)}\n"
    for field in part.fields:
        values = field.values or (UNKNOWN,)
        if len(values) == 1:
            yield f"- **{_safe(field.label)}:** {_safe(values[0])}"
        else:
            yield f"- **{_safe(field.label)}:**"
            yield from (f"  - {_safe(value)}" for value in values)
    yield ""


def _table(table: Table) -> Iterator[str]:
    if table.title:
        yield f"### {_safe(table.title)}\n"
    yield f"| {' | '.join(map(_safe, table.columns))} |"
    yield f"|{'---|' * len(table.columns)}"
    yield from (f"| {' | '.join(map(_safe, row))} |" for row in table.rows)
    yield ""


def _safe(text: str) -> str:
    return _MARKS.sub(r"\\\1", text.replace("\n", " "))


def _data(report: Report) -> dict[str, object]:
    """For programs: sections and fields by their names, in the order of the report. Drawings are for people."""
    return {
        "title": report.title,
        "subtitle": report.subtitle,
        "exercise": report.exercise,
        "sections": [_section_data(section) for section in report.sections],
    }


def _section_data(section: SectionContent) -> dict[str, object]:
    return {
        "name": section.name,
        "title": section.title,
        "parts": [
            {"title": part.title, "fields": {field.name: list(field.values) for field in part.fields}}
            for part in section.parts
        ],
        "tables": [asdict(table) for table in section.tables],
    }
