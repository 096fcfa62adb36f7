"""Policy files → documents with positions: finds and reads the files, and extracts YAML from Markdown.

Called by `rules.load`. Input is untrusted: a file may be missing, huge, binary, empty or a device. Each such case is a
Problem, and the other files are still read.
"""

import os
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from rules.composer import compose, split_lines
from rules.nodes import Node
from rules.problems import Problem
from rules.whole_files import read_whole

LARGEST = 4 * 1024 * 1024
"""The maximum size of a file, in bytes: the guide has 18 KB, 10,000 rules 1.5 MB."""

STANDARD_INPUT = "-"

SUFFIXES = (".yaml", ".yml", ".md")
_FENCE = re.compile(r"(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})[ \t]*(?P<info>[^`]*)")


@dataclass(slots=True)
class Sources:
    """The documents read, their faults, and the source lines to show with faults."""

    documents: list[Node] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    lines: dict[str, list[str]] = field(default_factory=dict)

    def line(self, path: str, number: int) -> str:
        """A line (from 1) of a file that was read; empty if there is none."""
        lines = self.lines.get(path, [])
        return lines[number - 1] if 0 < number <= len(lines) else ""

    def refuse(self, path: str, message: str) -> None:
        """Report that a whole file is unusable."""
        self.problems.append(Problem(path, 0, 0, message))

    def add(self, path: str, text: str, *, lenient: bool = False) -> None:
        """Read a text as YAML, or the fenced blocks of Markdown if the path ends in ``.md``.

        `lenient`: Markdown without a YAML block is not a fault (a README in a folder).
        """
        self.lines[path] = split_lines(text)
        is_markdown = path.lower().endswith(".md")
        before, faults = len(self.documents), len(self.problems)
        for block, first_line, indent in self._blocks(path) if is_markdown else [(text, 1, 0)]:
            self._compose(block, path, first_line, indent)
        if len(self.documents) == before and len(self.problems) == faults and not (is_markdown and lenient):
            self.refuse(path, "no ```yaml block in this Markdown" if is_markdown else "the file is empty")

    def _compose(self, text: str, path: str, first_line: int, indent: int) -> None:
        documents, problems = compose(text, path, first_line, indent)
        self.problems += problems
        for document in documents:
            if isinstance(document.value, dict):
                self.documents.append(document)
            elif document.value is not None:
                mark = document.mark
                message = f"a policy is a mapping of sections, such as `incident_response:`; this is {document.kind}"
                self.problems.append(Problem(mark.path, mark.line, mark.column, message))

    def _blocks(self, path: str) -> Iterable[tuple[str, int, int]]:
        """The fenced ``yaml`` blocks of a Markdown file: text, first line, indent removed."""
        fence, indent, wanted, first, block = "", "", False, 0, list[str]()
        for number, line in enumerate(self.lines[path], 1):
            if not fence:
                if opening := _FENCE.fullmatch(line):
                    fence, indent, first, block = opening["fence"], opening["indent"], number + 1, []
                    wanted = opening["info"].split(maxsplit=1)[:1] in (["yaml"], ["yml"])
            elif line.strip().startswith(fence) and not line.strip().strip(fence[0]):
                if wanted:
                    yield "\n".join([*block, ""]), first, len(indent)
                fence = ""
            else:
                block.append(line.removeprefix(indent))
        if fence and wanted:
            self.problems.append(Problem(path, first - 1, len(indent) + 1, "this block is never closed"))


def read(paths: Sequence[Path]) -> Sources:
    """Read files and folders (not their subfolders); duplicates are read once; ``-`` is standard input."""
    sources = Sources()
    seen: set[str] = set()
    for path in dict.fromkeys(paths):
        if str(path) == STANDARD_INPUT:
            _take(sys.stdin.buffer.read(LARGEST + 1), "<stdin>", sources)
            continue
        for file in _files(path, sources):
            if (real := os.path.realpath(file)) not in seen:  # unlike `resolve` it accepts circular links
                seen.add(real)
                _read_file(file, str(file), sources, lenient=file != path)
    return sources


def fingerprint(paths: Sequence[Path]) -> str:
    """A hash of the content of files and folders; a change means that `read` may return another result."""
    found = sha256()
    files = [file for path in paths for file in _files(path, Sources())]
    for file in (*files, *calendars_beside(files)):
        try:
            content = sha256(read_whole(file, LARGEST)).hexdigest()
        except OSError as error:
            content = f"error {error.errno}"
        found.update(f"{file}\0{content}\0".encode(errors="surrogateescape"))
    return found.hexdigest()


def calendars_beside(files: Iterable[Path]) -> list[Path]:
    """The calendar files in the folders of policy files."""
    folders = sorted({file.parent for file in files})
    return [each for folder in folders if folder.is_dir() for each in sorted(folder.glob("*.ics"))]


def read_packs(folder: Path) -> Sources:
    """Read the shipped packs; their paths begin with ``packs/`` regardless of the installation folder."""
    sources = Sources()
    for file in sorted(folder.glob("*.yaml")):
        _read_file(file, f"packs/{file.name}", sources)
    return sources


def _files(path: Path, sources: Sources) -> list[Path]:
    try:
        if not path.is_dir():
            return [path]
        # Hidden entries belong to editors and Kubernetes (`..data` in a mounted ConfigMap).
        files = sorted(
            entry for entry in path.iterdir() if entry.suffix.lower() in SUFFIXES and not entry.name.startswith(".")
        )
    except OSError as error:
        sources.refuse(str(path), f"cannot be read: {error.strerror}")
        return []
    if not files:
        sources.refuse(str(path), "no policy in this folder: looked for *.yaml, *.yml and *.md")
    return files


def _read_file(file: Path, path: str, sources: Sources, *, lenient: bool = False) -> None:
    try:
        data = read_whole(file, LARGEST)
    except FileNotFoundError:
        sources.refuse(path, "no such file or folder")
        return
    except OSError as error:
        sources.refuse(path, f"cannot be read: {error.strerror}")
        return
    _take(data, path, sources, lenient=lenient)


def _take(data: bytes, path: str, sources: Sources, *, lenient: bool = False) -> None:
    if len(data) > LARGEST:
        sources.refuse(path, f"it is larger than {LARGEST >> 20} MiB")
        return
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        lines = split_lines(data[: error.start].decode("utf-8-sig", "replace"))
        message = f"not UTF-8 (byte 0x{data[error.start]:02X}): save the file as UTF-8"
        sources.problems.append(Problem(path, len(lines), len(lines[-1]) + 1, message))
        return
    sources.add(path, text, lenient=lenient)
