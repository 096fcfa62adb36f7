"""A report as data: titled sections of fields, tables and drawings, the same for every format."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that is told. `values` empty: nobody knows it yet."""

    name: str
    """As the policy's templates call it: ``root_cause``."""
    values: tuple[str, ...]

    @property
    def label(self) -> str:
        """For people: ``Root cause``."""
        return label(self.name)


@dataclass(frozen=True, slots=True)
class Part:
    """Fields under one title; the title may be empty."""

    title: str
    fields: tuple[Field, ...]

    @property
    def known(self) -> tuple[Field, ...]:
        """The fields that have an answer."""
        return tuple(field for field in self.fields if field.values)

    @property
    def unknown(self) -> tuple[str, ...]:
        """The others, for people: told in one line."""
        return tuple(field.label for field in self.fields if not field.values)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of plain text."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture, as SVG of our own making, and what it shows in words."""

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
        """For people: ``Root cause analysis``."""
        return label(self.name)

    @property
    def is_empty(self) -> bool:
        """Whether it has nothing to say yet: it is told in one line."""
        fields = (field for part in self.parts for field in part.fields)
        return not (self.tables or self.drawings or any(field.values for field in fields))

    @property
    def unknown(self) -> tuple[str, ...]:
        """The fields of an empty section that are not called as itself, for people."""
        names = dict.fromkeys(field.name for part in self.parts for field in part.fields)
        return tuple(label(each) for each in names if each != self.name)


@dataclass(frozen=True, slots=True)
class Cover:
    """How a report came to be, beside what it says: its content's hash does not cover this."""

    as_of: str = ""
    """When it was made."""
    prepared_by: str = ""
    """Who asked for it."""
    approved_by: str = ""
    """Empty: nobody has approved it."""
    approved_as: str = ""
    """Their role, where the policy names one for it."""
    approved_at: str = ""
    audit_head: str = ""
    """Where the audit log ended then, ``POSITION:HASH``."""
    revision: str = ""
    """Which revision this is of the report that was mailed first, and what changed; empty: it is none."""


@dataclass(frozen=True, slots=True)
class Report:
    """A finished report. All but its cover and its drawings is its content, of which the SHA-256 is told."""

    title: str
    subtitle: str
    exercise: bool
    """Wholly about exercises: every format says so at its top."""
    sections: tuple[SectionContent, ...]
    summary: SectionContent | None = None
    """What a director reads; before all sections."""
    organisation: str = ""
    """Whose it is; empty: the policy does not say."""
    version: int = 0
    """From 1; 0: it has none (the report of a period)."""
    changes: tuple[str, ...] = ()
    """What is different from the version before, which was approved."""
    cover: Cover = Cover()

    @property
    def told(self) -> tuple[SectionContent, ...]:
        """All that is read, in its order."""
        return self.sections if self.summary is None else (self.summary, *self.sections)

    @property
    def standing(self) -> str:
        """For people: which version it is, and whether anybody approved it; empty: it has no versions."""
        if not self.version:
            return ""
        told = "approved" if self.cover.approved_by else "draft, not approved"
        return f"version {self.version}, {told}"


def label(name: str) -> str:
    """A policy's name in words."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def counted(number: int, noun: str) -> str:
    """``1 page``, ``3 pages``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
