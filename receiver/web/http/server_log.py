"""Reduces aiohttp's log of invalid or broken requests to one line without their content."""

import logging

from aiohttp.http import HttpProcessingError


class _Strangers(logging.Filter):
    """aiohttp logs an invalid request as an error, with a traceback that quotes it; this makes it a warning."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError | ConnectionError):
            record.levelno, record.levelname, record.exc_info = logging.WARNING, "WARNING", None
            record.msg, record.args = f"a request was no HTTP, or broke off: {type(error).__name__}", ()
        return True


def server_log() -> logging.Logger:
    """The logger for aiohttp's server."""
    log = logging.getLogger("aiohttp.server")
    if not any(isinstance(each, _Strangers) for each in log.filters):
        log.addFilter(_Strangers())
    return log
