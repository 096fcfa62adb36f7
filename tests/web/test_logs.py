"""Logs: one event a line, an incident bound, nothing secret."""

import errno
import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from receiver.core.model import Entry, Fact, Incident, Instant
from receiver.telemetry.logs import LONGEST, configure_logs, log_entries

INCIDENT = Incident("abc", "key", "policy", 3, "engine_failure", "secret title", Instant(0), Instant(0), number=12)
PAGED = Entry("abc", 1, Instant(0), Fact.PAGED, data={"channels": "sms"})


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    """Where the log goes; the process's own logging is restored afterwards."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield io.StringIO()
    root.handlers[:], root.level = before
    structlog.reset_defaults()


def test_json(out: io.StringIO) -> None:
    """JSON has the event, the level, the instant, and the incident that it is about."""
    configure_logs("json", out)
    log_entries([(INCIDENT, PAGED)])
    structlog.get_logger().info("idle")
    first, second = (json.loads(line) for line in out.getvalue().splitlines())
    assert first | {"timestamp": ""} == {
        "event": "incident paged", "level": "info", "timestamp": "", "level_now": 3, "by_a_person": False,
        "channels": "sms", "incident": 12, "incident_id": "abc",
    }  # fmt: skip
    assert "incident" not in second


@pytest.mark.parametrize("style", ["text", "json"])
def test_secrets(out: io.StringIO, style: str) -> None:
    """What is named like a secret is blotted out, from libraries too, and a title is not logged with an incident."""
    configure_logs(style, out)
    log_entries([(INCIDENT, PAGED)])
    structlog.get_logger().warning("refused", slack_token="hunter2", Authorization="Bearer hunter2")
    assert "hunter2" not in out.getvalue()
    assert "secret title" not in out.getvalue()


@pytest.mark.parametrize("style", ["text", "json"])
def test_one_line(out: io.StringIO, style: str) -> None:
    """Any event stays one line, with no control character."""
    configure_logs(style, out)
    structlog.get_logger().info("odd", reason="a\nlevel=critical \x1b[31m\u2028")
    logging.getLogger("aiohttp").warning("also\nodd")
    lines = out.getvalue().split("\n")
    assert len(lines) == 3
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize("style", ["text", "json"])
def test_exceptions(out: io.StringIO, style: str) -> None:
    """An exception is logged with its traceback, on the same line."""
    configure_logs(style, out)
    try:
        int("boom")
    except ValueError:
        structlog.get_logger().exception("failed")
    assert "ValueError" in out.getvalue()
    assert out.getvalue().count("\n") == 1


@pytest.mark.parametrize("style", ["text", "json"])
@pytest.mark.parametrize("logger", [structlog.get_logger, logging.getLogger])
def test_errors_are_bounded(out: io.StringIO, style: str, logger: Callable[[], Any]) -> None:
    """An error that quotes a whole message, comes from deep within, or has many causes is a line of some kB, which begins
    and ends as the error does; so is any other long value.
    """

    def fail(depth: int) -> None:
        try:
            raise ValueError(f"first words {'x' * 5_000_000} last words") if depth == 0 else fail(depth - 1)
        except ValueError as error:
            raise ValueError("in between") from error

    configure_logs(style, out)
    try:
        fail(200)
    except ValueError:
        logger().exception("failed")
    structlog.get_logger().warning("long", reason=f"begins{'y' * 5_000_000}ends")
    failed, long = out.getvalue().splitlines()
    assert len(failed) < 3 * LONGEST
    assert "first words" in failed
    assert "ValueError: in between" in failed[-200:]
    assert len(long) < 2 * LONGEST
    assert "begins" in long
    assert "ends" in long


class FullDisk(io.StringIO):
    """A file on a disk that is full at times."""

    is_full = True

    def write(self, text: str) -> int:
        if self.is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)


@pytest.mark.usefixtures("out")
@pytest.mark.parametrize("style", ["text", "json"])
def test_a_full_disk_fails_nobody(style: str) -> None:
    """A line that cannot be written refuses no webhook; how many were lost is said when it goes again."""
    disk = FullDisk()
    configure_logs(style, disk)
    structlog.get_logger().warning("lost")
    logging.getLogger("aiohttp").warning("lost too")
    disk.is_full = False
    structlog.get_logger().info("written")
    assert "written" in disk.getvalue()
    assert re.search(r'lines_lost"?[=:]2', disk.getvalue())
