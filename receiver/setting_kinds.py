"""The types of settings: parsing of addresses, URLs, lists and durations from a variable's text.

`receiver.settings` uses them for its fields. Each raises ValueError with the expected format, without the value.
"""

import re
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr

from rules.durations import parse


def split_address(listen: str) -> tuple[str, int]:
    """Host and port of ``host:port``; an empty host means all interfaces. Raises ValueError."""
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ValueError("write host:port, for example 127.0.0.1:8095")
    return host.removeprefix("[").removesuffix("]"), int(port)


def address(listen: str) -> str:
    split_address(listen)
    return listen


def url_of(*schemes: str) -> AfterValidator:
    return AfterValidator(lambda url: _require_url(url, schemes).rstrip("/"))


def secret_url_of(*schemes: str) -> AfterValidator:
    return AfterValidator(lambda url: SecretStr(_require_url(url.get_secret_value(), schemes)))


def _require_url(url: str, schemes: tuple[str, ...]) -> str:
    parts = urlsplit(url)
    if parts.scheme not in schemes or not parts.hostname:
        raise ValueError(f"must be a URL that begins with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    return url


def database_url(url: str) -> str:
    if url.partition(":")[0].partition("+")[0] not in {"sqlite", "postgresql"}:
        raise ValueError("write sqlite:///path/to/file, sqlite:// (memory) or postgresql://user:password@host/name")
    return url


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def networks(value: object) -> object:
    return tuple(map(ip_network, _parts(value))) if isinstance(value, str) else value


def commas(value: object) -> object:
    return _parts(value) if isinstance(value, str) else value


def duration(value: object) -> object:
    return parse(value) if isinstance(value, str) else value


HttpUrl = Annotated[str, url_of("http", "https")]

_PATH = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)*", re.ASCII)


def place(url: str | None) -> str | None:
    """A URL with only a host and optionally a path, because other paths are appended to it."""
    parts = urlsplit(url or "")
    if parts.query or parts.fragment or parts.username or not _PATH.fullmatch(parts.path):
        raise ValueError("must be a host and perhaps a plain path: https://example.com or https://example.com/tocsin")
    return url


def private(url: str | None) -> str | None:
    """A URL that uses plain HTTP only on this machine, because secrets and identities are sent to it."""
    parts = urlsplit(url or "")
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ValueError("must begin with https://")
    return url


@lru_cache(256)  # called for every webhook
def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's loopback."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
