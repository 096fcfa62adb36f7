"""A report as data: titled sections of fields, tables and drawings, independent of the format."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Field:
    """One labelled value. `values` empty: not yet known."""

    name: str
    """Name as in the policy's templates: ``root_cause``."""
    values: tuple[str, ...]

    @property
    def label(self) -> str:
        """The label: ``Root cause``."""
        return label(self.name)


@dataclass(frozen=True, slots=True)
class Part:
    """Fields under one title; the title may be empty."""

    title: str
    fields: tuple[Field, ...]

    @property
    def known(self) -> tuple[Field, ...]:
        """The fields that have values."""
        return tuple(field for field in self.fields if field.values)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Labels of the fields without values; shown in one line."""
        return tuple(field.label for field in self.fields if not field.values)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of plain text."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Drawing:
    """A generated SVG, and its description."""

    words: str
    svg: str


@dataclass(frozen=True, slots=True)
class SectionContent:
    """One section of the report's structure."""

    name: str
    parts: tuple[Part, ...] = ()
    tables: tuple[Table, ...] = ()
    drawings: tuple[Drawing, ...] = ()

    @property
    def title(self) -> str:
        """The title: ``Root cause analysis``."""
        return label(self.name)

    @property
    def is_empty(self) -> bool:
        """Whether it has no values yet; such a section is shown in one line."""
        fields = (field for part in self.parts for field in part.fields)
        return not (self.tables or self.drawings or any(field.values for field in fields))

    @property
    def unknown(self) -> tuple[str, ...]:
        """Labels of the fields of an empty section, without the one that has the section's own name."""
        names = dict.fromkeys(field.name for part in self.parts for field in part.fields)
        return tuple(label(each) for each in names if each != self.name)


@dataclass(frozen=True, slots=True)
class Cover:
    """How the report was made. The content's hash does not cover it."""

    as_of: str = ""
    """When it was made."""
    prepared_by: str = ""
    """The person who asked for it."""
    approved_by: str = ""
    """The approver; empty: not approved."""
    approved_as: str = ""
    """The approver's role, if the policy names one for it."""
    approved_at: str = ""
    audit_head: str = ""
    """The end of the audit log at that time, ``POSITION:HASH``."""
    revision: str = ""
    """The revision of the report that was mailed first, and what changed; empty: not a revision."""


@dataclass(frozen=True, slots=True)
class Report:
    """A finished report. Its content, which the SHA-256 covers, is all but its cover and drawings."""

    title: str
    subtitle: str
    exercise: bool
    """Only exercises: every format states that at the top."""
    sections: tuple[SectionContent, ...]
    summary: SectionContent | None = None
    """The executive summary, before all sections."""
    organisation: str = ""
    """The report's owner; empty: not in the policy."""
    version: int = 0
    """From 1; 0: no version (the report of a period)."""
    changes: tuple[str, ...] = ()
    """Differences from the preceding approved version."""
    cover: Cover = Cover()

    @property
    def told(self) -> tuple[SectionContent, ...]:
        """All sections in reading order."""
        return self.sections if self.summary is None else (self.summary, *self.sections)

    @property
    def standing(self) -> str:
        """Version and approval in words; empty: the report has no versions."""
        if not self.version:
            return ""
        told = "approved" if self.cover.approved_by else "draft, not approved"
        return f"version {self.version}, {told}"


def label(name: str) -> str:
    """Returns a policy's name in words."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def counted(number: int, noun: str) -> str:
    """Returns ``1 page``, ``3 pages``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
