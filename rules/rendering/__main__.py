"""The process that parses and fills templates: one question per line of standard input, one answer per line of output.

It has two time limits: a signal that becomes a Python error with the line, and a second later one that ends the
process, for operations that never return to Python (a huge power, a text of a gigabyte). It ends at the end of its
input.
"""

import json
import resource
import signal
import sys
from contextlib import suppress
from functools import lru_cache
from types import FrameType
from typing import Any

import jinja2
import jinja2.meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

MEMORY = 128 << 20
"""The limit of the process's data, in bytes."""

GRACE = 0.5
"""Seconds of processor time between the two limits."""

_ENVIRONMENT = ImmutableSandboxedEnvironment(
    autoescape=False, undefined=jinja2.StrictUndefined, keep_trailing_newline=True
)


class _TimeIsOverError(Exception):
    """The time is over. If the template catches this, the second limit ends the process."""


def main() -> None:
    """Answer questions until the end of input."""
    _limit_memory()
    signal.signal(signal.SIGVTALRM, _end)
    for line in sys.stdin.buffer:
        answer = json.dumps(_answer(json.loads(line))).encode() + b"\n"
        sys.stdout.buffer.write(answer)
        sys.stdout.buffer.flush()


def _limit_memory() -> None:
    with suppress(ValueError, OSError):  # unsupported, or a lower limit already set
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))


def _end(_signal: int, _frame: FrameType | None) -> None:
    raise _TimeIsOverError


def _answer(question: dict[str, Any]) -> dict[str, Any]:
    seconds = question["seconds"]
    try:
        signal.setitimer(signal.ITIMER_PROF, seconds + GRACE)
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
        if "filling" not in question:
            return {"names": _names(question["text"])}
        return _fill(question["text"], question["filling"], question["limit"])
    except _TimeIsOverError as error:
        return {"error": f"filling it takes more than {seconds:g} s", "line": _line(error), "beyond": True}
    except MemoryError as error:
        return {"error": f"filling it takes more than {MEMORY >> 20} MB", "line": _line(error), "beyond": True}
    except RecursionError as error:
        return {"error": "it is nested too deep", "line": _line(error), "beyond": True}
    except jinja2.TemplateSyntaxError as error:
        return {"error": f"not Jinja2: {error.message}"[:500], "line": error.lineno}
    except Exception as error:  # noqa: BLE001 - an untrusted template may raise any error
        return {"error": f"{type(error).__name__}: {error}"[:500], "line": _line(error)}
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)


def _names(text: str) -> list[str]:
    """The names in a template. Jinja2 evaluates constants in the process, so this needs the limits as filling does."""
    return sorted(jinja2.meta.find_undeclared_variables(_ENVIRONMENT.parse(text)))


def _fill(text: str, filling: dict[str, str], limit: int) -> dict[str, Any]:
    parts, length = [], 0
    for part in _compiled(text).generate(filling):
        parts.append(part)
        length += len(part)
        if length > limit:
            return {"error": f"filled, it has more than {limit:,} characters", "beyond": True}
    return {"filled": "".join(parts)}


@lru_cache(maxsize=64)
def _compiled(text: str) -> jinja2.Template:
    return _ENVIRONMENT.from_string(text)


def _line(error: BaseException) -> int:
    """The template's line at the error; 1 if unknown."""
    step, found = error.__traceback__, 1
    while step is not None:
        if step.tb_frame.f_code.co_filename == "<template>":
            found = step.tb_lineno
        step = step.tb_next
    return found


if __name__ == "__main__":
    main()
