"""Parses and fills a policy's Jinja2 templates in a separate process, under limits.

A template is untrusted code, and a thread that runs it cannot be stopped; even parsing executes parts of it, because
Jinja2 evaluates constants. So `placeholders` and `fill_jinja` pass it to another process (`rules.rendering.__main__`),
which the kernel ends after too much processor time; its memory and its output are limited too. Called by
`rules.document` and `rules.samples` (``tocsin check`` and all other loading of policies) and by `receiver.messages`. It
blocks: never call it on an event loop.

Rules: the process starts with the first template, gets no environment variables (no tokens), and ends with its parent.
A template that exceeded a limit is not retried before a restart, because in a storm each page would wait for it.
"""

import atexit
import json
import os
import re
import select
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import Any

from rules.placeholders import PLACEHOLDERS, TemplateError, kind

OUTPUT_LIMIT = 20_000
"""The maximum length of a filled template, in characters."""

SECONDS = 1.0
"""The maximum processor time for one template; typical ones take milliseconds."""

CHECKED_SECONDS = 0.25
"""The limit when a policy is loaded; lower, so that accepted templates also pass on a slower machine."""

HUNG = 5.0
"""Seconds without an answer after which the process is killed, regardless of its processor time."""

REMEMBERED = 64
"""The maximum of remembered templates that exceeded a limit."""

_BRACED = re.compile(r"\{([^{}\s\"',:]+)\}")
_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_INHERITED = ("PATH", "PYTHONPATH", "SYSTEMROOT")


class _Renderer:
    """The process; it handles one template at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._beyond: dict[str, TemplateError] = {}

    def fill(self, text: str, filling: Mapping[str, str], seconds: float) -> str:
        question = {"text": text, "filling": dict(filling), "seconds": seconds, "limit": OUTPUT_LIMIT}
        return str(self._answer(text, question)["filled"])

    def names(self, text: str) -> list[str]:
        return list(self._answer(text, {"text": text, "seconds": CHECKED_SECONDS})["names"])

    def _answer(self, text: str, question: Mapping[str, object]) -> dict[str, Any]:
        """Raises TemplateError."""
        with self._lock:
            if text in self._beyond:
                raise self._beyond[text]
            answer = self._ask(question)
            if "error" not in answer:
                return answer
            error = TemplateError(str(answer["error"]), answer.get("line", 1))
            if answer.get("beyond"):
                if len(self._beyond) >= REMEMBERED:
                    self._beyond.clear()
                self._beyond[text] = error
            raise error

    def close(self) -> None:
        """End the process; the next template starts another."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def _ask(self, question: Mapping[str, object]) -> dict[str, Any]:
        try:
            process = self._started()
            process.stdin.write(json.dumps(question).encode() + b"\n")  # type: ignore[union-attr] # it is a pipe
            process.stdin.flush()  # type: ignore[union-attr]
            line = process.stdout.readline() if _is_readable(process) else None  # type: ignore[union-attr]
        except OSError as error:
            self.close()
            return {"error": f"the process that fills templates cannot be used ({type(error).__name__})"}
        if line:
            return dict(json.loads(line))
        self.close()
        if line is None:
            return {"error": f"filling it took longer than {HUNG:g} s", "beyond": True}
        return {"error": "filling it was stopped: it takes too much time or memory", "beyond": True}

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "rules.rendering"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={name: os.environ[name] for name in _INHERITED if name in os.environ},
                start_new_session=True,
            )
        return self._process


def _is_readable(process: subprocess.Popen[bytes]) -> bool:
    """Whether the answer, or the process's end, comes in time. An answer is written at once."""
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], HUNG)
    return bool(ready)


_renderer = _Renderer()
atexit.register(_renderer.close)


def placeholders(text: str) -> tuple[str, ...]:
    """The placeholders that a text names, sorted by name (Jinja2) or in order of mention.

    Raises TemplateError for Jinja2 that does not parse, or that also has ``{placeholder}``.
    """
    if kind(text) == "braces":
        return tuple(dict.fromkeys(_BRACED.findall(text)))
    named = _renderer.names(text)
    for braced in _BRACED.findall(_JINJA.sub("", text)):
        if braced in PLACEHOLDERS:
            message = f"{{{braced}}} in a Jinja2 text would stay as it is: write {{{{ {braced} }}}}"
            raise TemplateError(message, word=f"{{{braced}}}")
    return tuple(named)


def fill_jinja(text: str, filling: Mapping[str, str], seconds: float = SECONDS) -> str:
    """A Jinja2 text filled with these values, at most OUTPUT_LIMIT characters long.

    `seconds`: of processor time. Raises TemplateError with the line within the text, if known.
    """
    return _renderer.fill(text, filling, seconds)
