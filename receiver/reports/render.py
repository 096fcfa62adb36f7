"""Renders a report as Markdown, HTML or JSON, and freezes it: the same text gives the same bytes.

Text from outside is escaped and never becomes markup. An approved version is stored whole, with drawings, and read back
unchanged. Its SHA-256 is of the content as JSON with sorted keys and without whitespace. `content` has the members;
docs/reports.md describes how to check it elsewhere.
"""

import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import cache
from hashlib import sha256
from typing import Any, Literal, get_args

import msgspec
import orjson
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from receiver.messages import PICTURE_ID, Message
from receiver.messages.plain import cut
from receiver.reports.report import Part, Report, SectionContent, Table
from rules.placeholders import UNKNOWN

Format = Literal["md", "html", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)
CONTENT_TYPES: dict[Format, str] = {"md": "text/markdown", "html": "text/html", "json": "application/json"}

NOT_KNOWN = UNKNOWN.capitalize()

MARGIN = 90
"""Maximum characters in the margin of a printed page."""

EXERCISE = "EXERCISE: nobody was in danger."
_MARKS = re.compile(r"([\\`*\[\]|~]|<(?! )|&(?=[#\w])|(?<![^\W_])_|_(?![^\W_])|^[-+>]|^#(?=[# ]))")
"""Possible Markdown markup. Only these are escaped: people also read the mailed Markdown as plain text."""


def render(report: Report, form: Format, picture: str = "", back: str = "") -> str:
    """Returns the report as text in that format. `picture`: description of the picture attached to the mail; `back`:
    path of the page that linked here.
    """
    match form:
        case "md":
            return "\n".join(_markdown(report)).strip() + "\n"
        case "html":
            return _html(report, picture, back)
        case "json":
            return orjson.dumps(_data(report), option=orjson.OPT_INDENT_2).decode() + "\n"


def mail(report: Report, message: Message, revision: str = "") -> Message:
    """Returns the message with the report as its text. Drawings are removed: mail programs show the SVG's words without
    the drawing, and the picture is attached.

    `revision`: its number, if an earlier revision was mailed.
    """
    cover = replace(report.cover, revision=revision)
    undrawn = replace(report, cover=cover, sections=tuple(replace(each, drawings=()) for each in report.sections))
    shown = message.picture.words if message.picture else ""
    return replace(message, text=render(undrawn, "md"), html=render(undrawn, "html", shown))


def style_hash(page: str) -> str:
    """Returns the Content-Security-Policy source of the style sheet of an HTML report; it differs between reports,
    because the margins contain the report's name.
    """
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style, "the template has a style sheet"
    return f"'sha256-{b64encode(sha256(style[1].encode()).digest()).decode()}'"


def _html(report: Report, picture: str, back: str) -> str:
    words = {"exercise": EXERCISE, "unknown": UNKNOWN, "picture": picture, "picture_id": PICTURE_ID, "back": back}
    return _environment().get_template("report.html").render(report=report, cover=_cover(report), **words)


def _cover(report: Report) -> list[tuple[str, str]]:
    """Returns (label, value) of the cover: organisation, authors, approval, and hashes."""
    cover = report.cover
    role = f" ({cover.approved_as})" if cover.approved_as else ""
    approved = f"{cover.approved_by}{role}, {cover.approved_at}" if cover.approved_by else "nobody yet"
    position, _, link = cover.audit_head.partition(":")
    told = [
        ("Organisation", report.organisation),
        ("Version", report.standing.removeprefix("version ")),
        ("Revision", cover.revision),
        ("Prepared by", f"{cover.prepared_by}, {cover.as_of}" if cover.prepared_by else ""),
        ("Approved by", approved if report.version else ""),
        ("SHA-256", content_hash(report)),
        ("Audit log", f"ended at entry {position}, {link}" if link else ""),
    ]
    return [(name, value) for name, value in told if value]


def _in_style(text: str) -> str:
    """Returns text as a CSS string: all characters except ASCII letters and digits are escaped by number."""
    letters = (each if each.isascii() and each.isalnum() else f"\\{ord(each):06x}" for each in cut(text, MARGIN))
    return f'"{"".join(letters)}"'


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("templates", "reports"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["in_style"] = lambda text: Markup(_in_style(text))  # noqa: S704 - letters and digits are left
    return environment


def _markdown(report: Report) -> Iterator[str]:
    yield f"# {_safe(report.title)}\n"
    if report.exercise:
        yield f"**{EXERCISE}**\n"
    yield f"{_safe(report.subtitle)}\n"
    yield from (f"- **{name}:** {_safe(value)}" for name, value in _cover(report))
    yield ""
    if report.summary:
        yield from _section(report.summary)
    if report.changes:
        yield f"\n## Changed since version {report.version - 1}\n"
        yield from (f"- {_safe(change)}" for change in report.changes)
        yield ""
    for section in report.sections:
        yield from _section(section)


def _section(section: SectionContent) -> Iterator[str]:
    if section.is_empty:
        of = f" ({', '.join(map(_safe, section.unknown))})" if section.unknown else ""
        yield f"\n## {_safe(section.title)}: {UNKNOWN}{of}\n"
        return
    yield f"\n## {_safe(section.title)}\n"
    for part in section.parts:
        yield from _part(part)
    for table in section.tables:
        yield from _table(table)


def _part(part: Part) -> Iterator[str]:
    if part.title:
        yield f"### {_safe(part.title)}\n"
    for field in part.known:
        if len(field.values) == 1:
            yield f"- **{_safe(field.label)}:** {_safe(field.values[0])}"
        else:
            yield f"- **{_safe(field.label)}:**"
            yield from (f"  - {_safe(value)}" for value in field.values)
    if part.unknown:
        yield f"- **{NOT_KNOWN}:** {', '.join(map(_safe, part.unknown))}"
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
    """Returns the content and the cover. Drawings are left out."""
    return content(report) | {"sha256": content_hash(report), "cover": asdict(report.cover)}


def content(report: Report) -> dict[str, Any]:
    """Returns the hashed content: sections and fields by their names, in the report's order."""
    return {
        "title": report.title,
        "subtitle": report.subtitle,
        "exercise": report.exercise,
        "organisation": report.organisation,
        "version": report.version,
        "changes": list(report.changes),
        "summary": _section_content(report.summary) if report.summary else None,
        "sections": [_section_content(section) for section in report.sections],
    }


def content_hash(report: Report) -> str:
    """Returns the SHA-256 of the content, 64 hexadecimal digits."""
    return sha256(orjson.dumps(content(report), option=orjson.OPT_SORT_KEYS)).hexdigest()


def says_the_same(report: Report, other: Report) -> bool:
    """Whether the reports differ only in their versions."""
    bare, others = (replace(each, version=0, changes=()) for each in (report, other))
    return content(bare) == content(others)


def freeze(report: Report) -> str:
    """Returns the whole report, for storage."""
    return msgspec.json.encode(report).decode()


def thaw(document: str) -> Report:
    """Returns what `freeze` wrote. Raises msgspec.MsgspecError if it is damaged."""
    return msgspec.json.decode(document, type=Report)


def _section_content(section: SectionContent) -> dict[str, Any]:
    return {
        "name": section.name,
        "title": section.title,
        "parts": [
            {"title": part.title, "fields": {field.name: list(field.values) for field in part.fields}}
            for part in section.parts
        ],
        "tables": [asdict(table) for table in section.tables],
    }
