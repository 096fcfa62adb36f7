"""YAML text → Nodes with positions, and Problems for invalid YAML.

Called by `rules.source`. It reads libyaml's events with its own stack, because libyaml's composer recurses (deep
nesting crashes the interpreter) and lets later duplicate keys win. Scalars are read by YAML 1.2's core schema: `no` is
a text, and so are `12:30` and `.inf`; the merge key `<<` works.
"""

import re

import yaml

from rules.nodes import Mark, Node, Scalar
from rules.problems import Problem

DEEPEST = 60
MOST_NODES = 1_000_000
"""The maximum of values in one text with aliases expanded: a few hundred bytes of aliases can expand to billions."""

_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?", re.ASCII)
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq")} | {"!"}


def split_lines(text: str) -> list[str]:
    """The lines of a text as YAML counts them, without line ends."""
    return _BREAK.split(text)


class UnreadableYaml(Exception):  # noqa: N818 - it ends the reading of one text, and is a Problem rather than an error
    """The rest of this text cannot be read; carries the Problem."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.message)


def compose(text: str, path: str, first_line: int = 1, indent: int = 0) -> tuple[list[Node], list[Problem]]:
    """The documents in a text, and its problems.

    `first_line` and `indent` give the position of the text in its file (a block in Markdown).
    """
    composer = _Composer(path, first_line, indent)
    try:
        composer.read(text)
    except UnreadableYaml as stop:
        composer.problems.append(stop.problem)
    return composer.documents, composer.problems


class _Composer:
    def __init__(self, path: str, first_line: int, indent: int) -> None:
        self.path, self.first_line, self.indent = path, first_line, indent
        self.documents: list[Node] = []
        self.problems: list[Problem] = []
        self.anchors: dict[str, Node] = {}
        self.open: list[tuple[Node, str | None]] = []
        """Open collections, each with its anchor."""
        self.pending: list[tuple[str, Mark] | None] = []
        """For each open mapping the key whose value is pending."""

    def read(self, text: str) -> None:
        if found := _FORBIDDEN.search(text):
            lines = split_lines(text[: found.start()])
            mark = Mark(self.path, self.first_line + len(lines) - 1, len(lines[-1]) + 1 + self.indent)
            raise UnreadableYaml(Problem.at(mark, f"a control character (U+{ord(found[0]):04X}) cannot stand in YAML"))
        loader = yaml.CSafeLoader(text)
        try:
            while loader.check_event():
                event = loader.get_event()
                assert event is not None
                self.take(event)
        except yaml.MarkedYAMLError as error:
            raise UnreadableYaml(self.not_yaml(error, text)) from error
        finally:
            loader.dispose()

    def take(self, event: yaml.Event) -> None:
        match event:
            case yaml.ScalarEvent():
                mark = self.mark(event)
                value = _scalar(event, mark)
                end_line = self.first_line + event.end_mark.line if event.end_mark else mark.line
                self.attach(Node(mark, value, event.value, (event.style or "").strip(), end_line), event.anchor)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self.begin(event)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                node, anchor = self.open.pop()
                if isinstance(node.value, dict):
                    self.pending.pop()
                    self.fold(node)
                self.attach(node, anchor)
            case yaml.AliasEvent():
                self.alias(event)
            case yaml.DocumentStartEvent():
                self.anchors = {}
            case _:
                pass

    def begin(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> None:
        mark = self.mark(event)
        if len(self.open) >= DEEPEST:
            raise UnreadableYaml(Problem.at(mark, f"nested more than {DEEPEST} deep"))
        if event.tag is not None and event.tag not in _TAGS:
            raise UnreadableYaml(Problem.at(mark, f"the tag {event.tag} is not known here"))
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        self.open.append((Node(mark, {} if is_mapping else []), event.anchor))
        if is_mapping:
            self.pending.append(None)

    def alias(self, event: yaml.AliasEvent) -> None:
        node = self.anchors.get(event.anchor or "")
        if node is None:
            inside = any(anchor == event.anchor for _, anchor in self.open)
            why = "contains itself" if inside else "has no anchor above it"
            raise UnreadableYaml(Problem.at(self.mark(event), f"the alias *{event.anchor} {why}"))
        self.attach(node, None)

    def attach(self, node: Node, anchor: str | None) -> None:
        if anchor is not None:
            self.anchors[anchor] = node
        if not self.open:
            self.documents.append(node)
            return
        parent = self.open[-1][0]
        if isinstance(parent.value, list):
            parent.value.append(node)
        elif isinstance(parent.value, dict):
            if self.pending[-1] is None:
                self.pending[-1] = self.key(node)
                return
            key, mark = self.pending[-1]
            self.pending[-1] = None
            self.enter(parent, key, mark, node)
        parent.size += node.size
        parent.depth = max(parent.depth, node.depth + 1)
        if parent.size > MOST_NODES:
            raise UnreadableYaml(
                Problem.at(parent.mark, f"stands for more than {MOST_NODES:,} values (aliases counted)")
            )
        if parent.depth > DEEPEST:
            raise UnreadableYaml(Problem.at(parent.mark, f"nested more than {DEEPEST} deep (aliases counted)"))

    def key(self, node: Node) -> tuple[str, Mark]:
        if isinstance(node.value, dict | list):
            raise UnreadableYaml(Problem.at(node.mark, f"a key must be a word, not {node.kind}"))
        return node.raw, node.mark

    def enter(self, parent: Node, key: str, mark: Mark, node: Node) -> None:
        assert isinstance(parent.value, dict)
        if key in parent.value:
            first = parent.keys[key]
            self.problems.append(Problem.at(mark, f"the key `{key}` stands here twice (first in line {first.line})"))
            return
        parent.value[key] = node
        parent.keys[key] = mark

    def fold(self, node: Node) -> None:
        """Merge the entries of a merge key (``<<: *anchor``); explicit keys win."""
        assert isinstance(node.value, dict)
        merged = node.value.pop("<<", None)
        if merged is None:
            return
        mark = node.keys.pop("<<")
        for source in merged.items() or [merged]:
            if not isinstance(source.value, dict):
                self.problems.append(Problem.at(mark, f"`<<` needs a mapping, not {source.kind}"))
                continue
            node.value = {**source.value, **node.value}
            node.keys = {**source.keys, **node.keys}

    def mark(self, event: yaml.Event) -> Mark:
        start = event.start_mark
        assert start is not None, "libyaml marks every event"
        return Mark(self.path, self.first_line + start.line, start.column + 1 + self.indent)

    def not_yaml(self, error: yaml.MarkedYAMLError, text: str) -> Problem:
        where = error.problem_mark or error.context_mark
        line, column = (where.line, where.column) if where else (0, 0)
        lines = split_lines(text)
        if line < len(lines) and lines[line][column : column + 1] == "\t":
            message = "a tab cannot indent YAML: use spaces"
        else:
            message = f"not YAML: {error.problem or 'cannot be read'}"
            if line < len(lines) and lines[line][column : column + 1] in {"@", "`", "%"}:
                message = f'what begins with {lines[line][column]} stands in quotes in YAML, such as "@primary"'
            if error.context and error.context_mark and error.context_mark.line != line:
                message += f" ({error.context} that begins in line {self.first_line + error.context_mark.line})"
        return Problem.at(Mark(self.path, self.first_line + line, column + 1 + self.indent), message)


def _scalar(event: yaml.ScalarEvent, mark: Mark) -> Scalar:
    text: str = event.value
    if event.tag is not None and event.tag not in _TAGS:
        raise UnreadableYaml(Problem.at(mark, f"the tag {event.tag} is not known here"))
    if not event.implicit[0] and event.tag not in (None, "!", "tag:yaml.org,2002:str"):
        return _plain(text)
    return _plain(text) if event.implicit[0] else text


def _plain(text: str) -> Scalar:
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > 40 or text[0] not in "+-.0123456789":
        return text
    if _INT.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
