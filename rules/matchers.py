"""Label matchers in text form: ``namespace="prod"``, ``env!="test", pod=~"a.*"``.

Used wherever a policy or an option selects alerts or series by labels. The text is that of PromQL and Alertmanager;
braces around it and single quotes are accepted as well. Expressions are in RE2's syntax, as in Prometheus and
Alertmanager; RE2 takes time linear in the value's length, because values are untrusted.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import re2

Matcher = tuple[str, str, str]
"""(label, operator, value), the operator one of ``= != =~ !~``."""

EXAMPLE = 'namespace="prod"'

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_OPERATOR = re.compile(r"=~|!~|!=|=(?!=)")
_VALUE = re.compile(r""""((?:[^"\\\n]|\\.)*)"|'((?:[^'\\\n]|\\.)*)'""")
_ESCAPE = re.compile(r"\\(.)")
_SPACE = re.compile(r"\s*")


class MatcherError(ValueError):
    """Text that is not a list of matchers: `str()` gives the reason, `offset` (characters from 0) the position."""

    def __init__(self, message: str, offset: int) -> None:
        """Keep the offset beside the message, so that a caret can be set."""
        super().__init__(message)
        self.offset = offset

    def shown(self, text: str) -> str:
        """The message above the text, with a caret at the fault."""
        line = " ".join(text.splitlines())
        return f"{self}\n    {line}\n    {' ' * self.offset}^"


def parse(text: str) -> tuple[Matcher, ...]:
    """The matchers, in the order written. Raises MatcherError, also if there are none."""
    reader = _Reader(text)
    closing = reader.skip("{")
    found = [reader.matcher()]
    while reader.skip(","):
        if reader.is_at("}", ""):
            break
        found.append(reader.matcher())
    if closing and not reader.skip("}"):
        raise MatcherError("a closing } is missing", reader.position)
    if not reader.is_at(""):
        raise MatcherError("a comma or the end is expected here", reader.position)
    return tuple(found)


def quoted(value: str) -> str:
    """The value as a PromQL string."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def matches(matcher: tuple[str, str, str], value: str) -> bool:
    """Whether a label's value satisfies (label, operator, asked); an absent label has the empty value."""
    _, operator, asked = matcher
    if operator in {"=", "!="}:
        return (value == asked) is (operator == "=")
    found = _expression(asked).fullmatch(value.encode(errors="surrogatepass"))
    return (found is not None) is (operator == "=~")


def full_match(expression: str, value: str) -> dict[str, str] | None:
    """The groups of a full match of an RE2 expression, by number and by name ("0" is all of it); None: no match."""
    found = _expression(expression).fullmatch(value.encode(errors="surrogatepass"))
    if found is None:
        return None
    numbered = {str(number): found.group(number) for number in range(len(found.groups()) + 1)}
    return {
        name: (text or b"").decode(errors="surrogatepass") for name, text in {**numbered, **found.groupdict()}.items()
    }


def written(matchers: Iterable[Matcher]) -> str:
    """The matchers in PromQL's form, without braces."""
    return ",".join(f"{label}{operator}{quoted(value)}" for label, operator, value in matchers)


def match(matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
    """Whether all matchers match the labels; an absent label has the empty value."""
    return all(matches(each, labels.get(each[0], "")) for each in matchers)


class _Reader:
    """A position in a text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.position = 0
        self._take(_SPACE)

    def is_at(self, *words: str) -> bool:
        """Whether one of the words is next; the empty word is the end."""
        rest = self._text[self.position :]
        return any(rest.startswith(word) if word else not rest for word in words)

    def skip(self, word: str) -> bool:
        """Skip a word; returns False if it is absent."""
        if not self.is_at(word):
            return False
        self.position += len(word)
        self._take(_SPACE)
        return True

    def matcher(self) -> Matcher:
        """Read one matcher."""
        label = self._expect(_NAME, f"a label's name is expected here, as in {EXAMPLE}")[0]
        operator = self._expect(_OPERATOR, "one of = != =~ !~ is expected here")[0]
        begins = self.position
        value = self._expect(_VALUE, f"a value in quotes is expected here, as in {EXAMPLE}")
        said = _ESCAPE.sub(lambda escape: {"n": "\n", "t": "\t"}.get(escape[1], escape[1]), value[1] or value[2] or "")
        if operator.endswith("~"):
            _require_expression(said, begins + 1)
        return label, operator, said

    def _expect(self, pattern: re.Pattern[str], message: str) -> re.Match[str]:
        found = self._take(pattern)
        if found is None:
            raise MatcherError(message, self.position)
        self._take(_SPACE)
        return found

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._text, self.position)
        if found:
            self.position = found.end()
        return found


@lru_cache(256)
def _expression(value: str) -> Any:
    """The compiled expression. Raises re2.error."""
    options = re2.Options()
    options.log_errors = False  # else it writes them to stderr
    return re2.compile(value.encode(errors="surrogatepass"), options)


def _require_expression(value: str, offset: int) -> None:
    try:
        _expression(value)
    except re2.error as error:
        said = error.args[0]
        reason = said.decode(errors="replace") if isinstance(said, bytes) else said
        raise MatcherError(f"{value!r} is no regular expression that Prometheus reads: {reason}", offset) from None
