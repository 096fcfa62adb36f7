"""`serve --record FILE`: records webhooks to replay them against another policy, and reads recordings.

Rules: a record has only what `payload.parse` reads, without headers; apparent secrets are blotted out. A webhook never
waits for the recording: a full queue, a full disk or a full file loses records, which is logged.
"""

import re
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from queue import Full, Queue
from typing import Any

import orjson
import structlog
from pydantic import TypeAdapter, ValidationError

from receiver.clients.alert_payload import instant, parse
from receiver.core.model import Instant
from receiver.drill.first_pages import RecordedWebhook
from receiver.errors import SettingsError
from receiver.messages.times import rfc3339
from receiver.telemetry.logs import BLOTTED, SECRET_WORDS
from rules.whole_files import read_whole, require_file

QUEUE_LIMIT = 1000
"""Webhooks that may wait to be written."""

SIZE_LIMIT = 256 * 1024 * 1024
"""Bytes; a file of this size is not extended."""

KEPT = ("alerts", "groupLabels", "truncatedAlerts")
_WORDS = "|".join((*SECRET_WORDS, "passwd", "api_?key", "credential", "signature"))
_NAMED = re.compile(_WORDS, re.IGNORECASE)
_USERINFO = re.compile(r"(?<=://)[^/\s@]+@")
_GIVEN = re.compile(rf"((?:{_WORDS})[\w-]*\s*[=:]\s*)[^\s&;,\"']+", re.IGNORECASE)
_BEARER = re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]+", re.IGNORECASE)
_SLACK = re.compile(r"(hooks\.slack\.com/(?:services|workflows)/)\S+|\b(?:xox[a-z]|xapp)-[\w-]+")
_INSTANT = TypeAdapter(datetime)

log = structlog.get_logger()


class Recorder:
    """Writes webhooks into a file, on its own thread."""

    def __init__(self, path: Path, limit: int = SIZE_LIMIT) -> None:
        """Appends to the file, which only its owner may read. Raises SettingsError if it cannot be written."""
        try:
            path.touch(mode=0o600)
            require_file(path)
            self._file = path.open("ab")
        except OSError as error:
            raise SettingsError(f"--record: {path} cannot be written: {error.strerror}; name another file") from None
        self._room = limit - self._file.tell()
        self._queue: Queue[tuple[Instant, str, bytes] | None] = Queue(QUEUE_LIMIT)
        self.lost = 0
        """Webhooks that were not recorded."""
        self._thread = threading.Thread(target=self._write_all, name="tocsin-record", daemon=True)
        self._thread.start()

    def take(self, at: Instant, source: str, body: bytes) -> None:
        """Queues a webhook, if there is room; never waits."""
        try:
            self._queue.put_nowait((at, source, body))
        except Full:
            self._lose("webhooks come faster than they can be recorded")

    def close(self) -> None:
        """Writes the queued webhooks and closes the file."""
        self._queue.put(None)
        self._thread.join()
        self._file.close()

    def _write_all(self) -> None:
        while (taken := self._queue.get()) is not None:
            try:
                self._write(line(*taken))
            except (OSError, ValueError) as error:
                self._lose(str(error))

    def _write(self, written: bytes) -> None:
        if len(written) > self._room:
            self._room = 0
            self._lose("the file is as large as it may be")
            return
        self._file.write(written)
        self._file.flush()
        self._room -= len(written)

    def _lose(self, reason: str) -> None:
        self.lost += 1
        if self.lost == 1:
            log.warning("webhooks are missing from the recording from now on", reason=reason)


def line(at: Instant, source: str, body: bytes) -> bytes:
    """One record as a JSON line."""
    document = orjson.loads(body)
    kept = {name: clean(document[name]) for name in KEPT if name in document}
    return orjson.dumps({"received_at": rfc3339(at, "microseconds"), "source": source, "body": kept}) + b"\n"


def clean(value: Any) -> Any:
    """The value with apparent secrets blotted out, by their name or their form."""
    if isinstance(value, dict):
        return {name: BLOTTED if _NAMED.search(name) else clean(each) for name, each in value.items()}
    if isinstance(value, list):
        return [clean(each) for each in value]
    return _clean_text(value) if isinstance(value, str) else value


def _clean_text(text: str) -> str:
    text = _USERINFO.sub(f"{BLOTTED}@", text)
    text = _SLACK.sub(lambda found: f"{found[1] or ''}{BLOTTED}", text)
    text = _BEARER.sub(rf"\1 {BLOTTED}", text)
    return _GIVEN.sub(rf"\1{BLOTTED}", text)


def read(path: Path) -> Iterator[RecordedWebhook]:
    """The webhooks of a recording, in order. Raises ValueError with the invalid line, OSError."""
    for number, written in enumerate(read_whole(path, SIZE_LIMIT).splitlines(), 1):
        if not written.strip():
            continue
        try:
            record = orjson.loads(written)
            at = _INSTANT.validate_python(record["received_at"])
            payload = parse(orjson.dumps(record["body"]), instant(at))
        except (KeyError, TypeError, ValidationError, orjson.JSONDecodeError) as error:
            raise ValueError(f"{path}:{number}: this is no recorded webhook: {error}") from None
        source = str(record.get("source", ""))
        yield RecordedWebhook(
            instant(at), source, payload.alerts, payload.group_labels, truncated=payload.truncated > 0
        )
