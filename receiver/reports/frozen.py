"""What of a report is hashed and kept: its content, the same bytes for the same words.

An approved version is kept whole, drawings too, and read again as it was. Its SHA-256 is of the content as JSON with
sorted keys and without blanks: `hashed` says which members those are, and docs/reports.md how to check it elsewhere.
"""

from dataclasses import asdict, replace
from hashlib import sha256
from typing import Any

import msgspec
import orjson

from receiver.reports.report import Report, SectionContent


def content(report: Report) -> dict[str, Any]:
    """What is hashed, for programs: sections and fields by their names, in the order of the report."""
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
    """SHA-256 of the content, 64 hexadecimal digits."""
    return sha256(orjson.dumps(content(report), option=orjson.OPT_SORT_KEYS)).hexdigest()


def says_the_same(report: Report, other: Report) -> bool:
    """Whether they differ in nothing but their versions."""
    bare, others = (replace(each, version=0, changes=()) for each in (report, other))
    return content(bare) == content(others)


def freeze(report: Report) -> str:
    """The report whole, to be kept."""
    return msgspec.json.encode(report).decode()


def thaw(document: str) -> Report:
    """What `freeze` wrote. Raises msgspec.MsgspecError where it is damaged."""
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
