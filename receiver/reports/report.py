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


@dataclass(frozen=True, slots=True)
class Report:
    """A finished report."""

    title: str
    subtitle: str
    exercise: bool
    """Wholly about exercises: every format says so at its top."""
    sections: tuple[SectionContent, ...]


def label(name: str) -> str:
    """A policy's name in words."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def counted(number: int, noun: str) -> str:
    """``1 page``, ``3 pages``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
