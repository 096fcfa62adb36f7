"""The hashed and stored content of a report: the same text gives the same bytes.

An approved version is stored whole, with drawings, and read back unchanged. Its SHA-256 is of the content as JSON with
sorted keys and without whitespace. `content` has the members; docs/reports.md describes how to check it elsewhere.
"""

from dataclasses import asdict, replace
from hashlib import sha256
from typing import Any

import msgspec
import orjson

from receiver.reports.report import Report, SectionContent


def content(report: Report) -> dict[str, Any]:
    """Returns the hashed content: sections and fields by their names, in the report's order."""
    return {
        "title": report.title,
        "subtitle": report.subtitle,
        "exercise": report.exercise,
        "organisation": report.organisation,
        "version": report.version,
        "changes": list(report.changes),
        "summary": _section(report.summary) if report.summary else None,
        "sections": [_section(section) for section in report.sections],
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


def _section(section: SectionContent) -> dict[str, Any]:
    return {
        "name": section.name,
        "title": section.title,
        "parts": [
            {"title": part.title, "fields": {field.name: list(field.values) for field in part.fields}}
            for part in section.parts
        ],
        "tables": [asdict(table) for table in section.tables],
    }
