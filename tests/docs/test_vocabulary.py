"""The words that code and documents may not use where a noun exists: checked in docstrings, comments, logs and
pages; outside of what speaks to people at night also in errors, descriptions of fields, lints and metrics, in which
"nobody is told" is a fact. Made pages come from the code.
"""

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = ("receiver", "rules", "templates", "bench", "manual", "tests")
MADE = {"policy-reference.md", "words.md", "states.md", "channel-types.md", "stories"}
"""Pages that are made from the code (`python -m manual`)."""

PLAIN = (
    *("rules", "templates", "bench", "manual", "receiver/accounts.py", "receiver/clients", "receiver/engine"),
    *("receiver/jobs", "receiver/on_call", "receiver/settings.py", "receiver/store", "receiver/telemetry"),
    *("receiver/web/api", "receiver/web/auth", "receiver/web/http", "receiver/writer"),
)
"""Where every string is read; the others write to people: messages, reports, console, terminal."""

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

ALLOWED = ("somebody@example.org", "nobody is on call", "nobody on call", "nobody has acknowledged")
"""Terms of the field: the state of a schedule without a person, and what a page says of an incident."""

_WORD = re.compile(rf"\b({'|'.join(BANNED)})\b", re.IGNORECASE)
_TERM = re.compile("|".join(ALLOWED), re.IGNORECASE)
_QUOTED = re.compile(r"`[^`]*`|\"[^\"\n]*\"|“[^”]*”")
_FACT = re.compile(r"\bnobody\b", re.IGNORECASE)
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


def strings(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of each string of a module, without the fact that `nobody` is told."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, _FACT.sub("", node.value)


def files(folders: tuple[str, ...], pattern: str) -> list[Path]:
    """The files of those folders, without history."""
    every = (path for folder in folders for path in sorted((ROOT / folder).rglob(pattern)))
    whole = (ROOT / folder for folder in folders if folder.endswith(".py"))
    return [path for path in (*every, *whole) if not FROZEN & set(path.relative_to(ROOT).parts)]


def _wrong(folders: tuple[str, ...], read: Callable[[str], Iterator[tuple[int, str]]]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{line}: {word}: {BANNED[word]}"
        for path in files(folders, "*.py")
        for line, text in read(path.read_text(encoding="utf-8"))
        for word in found(text)
    ]


def test_the_check_finds_what_it_looks_for() -> None:
    """A banned word is found in a docstring, a comment and a log event, beside apostrophes too; a quotation is not read."""
    source = (
        '"""The owner\'s page, or whoever\'s."""\n# for nobody\nlog.info("somebody waits")\n"""It says `nobody`."""\n'
    )
    assert sorted(word for _, text in texts(source) for word in found(text)) == ["nobody", "somebody", "whoever"]
    assert [word for _, text in strings('raise E(f"nobody is told; ask whoever {x}")') for word in found(text)] == [
        "whoever"
    ]


@pytest.mark.parametrize("place", PLAIN)
def test_strings_are_written_in_plain_words(place: str) -> None:
    """Errors, descriptions, lints and metrics do so too."""
    assert _wrong((place,), strings) == []


@pytest.mark.parametrize("folder", CODE)
def test_code_is_written_in_plain_words(folder: str) -> None:
    """Docstrings, comments and logs name who and what they mean."""
    assert _wrong((folder,), texts) == []


def test_documents_are_written_in_plain_words() -> None:
    """So do the pages and the README; code blocks and quotations are not read."""
    wrong = []
    for path in [*files(("docs",), "*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]:
        prose = re.sub(
            r"^```.*?^```",
            lambda block: "\n" * block[0].count("\n"),
            path.read_text(encoding="utf-8"),
            flags=re.MULTILINE | re.DOTALL,
        )
        for number, line in enumerate(prose.splitlines(), 1):
            read = _FACT.sub("", line) if line.startswith(("|", "#")) else line
            wrong += [f"{path.relative_to(ROOT)}:{number}: {word}: {BANNED[word]}" for word in found(read)]
    assert wrong == [], "\n".join(wrong)
