"""The words that code and documents may not use where a noun exists: checked in docstrings, comments, logs and
pages. Messages and errors are for people, and may be warm; made pages come from the code; a table's rows quote.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = ("receiver", "rules", "templates", "bench", "manual", "tests")
MADE = {"policy-reference.md", "words.md", "states.md", "channel-types.md", "stories"}
"""Pages that are made from the code (`python -m manual`)."""

FROZEN = {"migrations", ".venv", "build", *MADE}
"""What is not read: history, what is installed or built, made pages."""

BANNED = {
    "somebody": "name the role: the owner, a responder, the caller",
    "someone": "name the role: the owner, a responder, the caller",
    "anybody": "name the role, or say 'unauthenticated'",
    "anyone": "name the role, or say 'unauthenticated'",
    "whoever": "name the role: the recipient who, the person who",
    "whatever": "say 'any', 'all', or name the thing",
    "nobody": "say 'no one' with what is missing: 'unacknowledged', 'no person is on call', 'unused'",
}
"""Word: what to write instead."""

ALLOWED = ("nobody is on call", "nobody on call", "nobody has acknowledged")
"""Terms of the field: the state of a schedule without a person, and what a page says of an incident."""

_WORD = re.compile(rf"\b({'|'.join(BANNED)})\b", re.IGNORECASE)
_TERM = re.compile("|".join(ALLOWED), re.IGNORECASE)
_QUOTED = re.compile(r"`[^`]*`|\"[^\"\n]*\"|“[^”]*”")
LOGS = {"debug", "info", "warning", "error", "exception"}


def found(text: str) -> list[str]:
    """The banned words of a text, without what it quotes."""
    return [word.lower() for word in _WORD.findall(_TERM.sub("", _QUOTED.sub("", text)))]


def texts(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of each docstring, comment and log event of a module."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Expr(ast.Constant(value=str() as text)):
                yield node.lineno, text
            case ast.Call(func=ast.Attribute(attr=name), args=[ast.Constant(value=str() as text), *_]) if name in LOGS:
                yield node.lineno, text
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def files(folders: tuple[str, ...], pattern: str) -> list[Path]:
    """The files of those folders, without history."""
    every = (path for folder in folders for path in sorted((ROOT / folder).rglob(pattern)))
    return [path for path in every if not FROZEN & set(path.relative_to(ROOT).parts)]


def test_the_check_finds_what_it_looks_for() -> None:
    """A banned word is found in a docstring, a comment and a log event, beside apostrophes too; a quotation is not read."""
    source = (
        '"""The owner\'s page, or whoever\'s."""\n# for nobody\nlog.info("somebody waits")\n"""It says `nobody`."""\n'
    )
    assert sorted(word for _, text in texts(source) for word in found(text)) == ["nobody", "somebody", "whoever"]


@pytest.mark.parametrize("folder", CODE)
def test_code_is_written_in_plain_words(folder: str) -> None:
    """Docstrings, comments and logs name who and what they mean."""
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {word}: {BANNED[word]}"
        for path in files((folder,), "*.py")
        for line, text in texts(path.read_text(encoding="utf-8"))
        for word in found(text)
    ]
    assert wrong == [], "\n".join(wrong)


def test_documents_are_written_in_plain_words() -> None:
    """So do the pages and the README; code blocks, tables, headings and quotations are not read."""
    wrong = []
    for path in [*files(("docs",), "*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]:
        prose = re.sub(
            r"^```.*?^```",
            lambda block: "\n" * block[0].count("\n"),
            path.read_text(encoding="utf-8"),
            flags=re.MULTILINE | re.DOTALL,
        )
        for number, line in enumerate(prose.splitlines(), 1):
            if line.startswith(("|", "#")):
                continue
            wrong += [f"{path.relative_to(ROOT)}:{number}: {word}: {BANNED[word]}" for word in found(line)]
    assert wrong == [], "\n".join(wrong)
