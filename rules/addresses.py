"""The parser of e-mail addresses: `check` validates recipients with it, and the sender addresses mail with it.

Rules: a returned address can be sent to (as ASCII, or by SMTPUTF8 if the local part has other letters); any other is
refused with a position. The domain is in punycode by IDNA 2008 (the standard library's codec is of 2003 and turns
straße.de into strasse.de, another owner's domain). Quoted names and address literals (``user@[10.0.0.1]``) are refused:
they are unused in practice, and typing errors look like them.
"""

import re
from dataclasses import dataclass

import idna

_LOCAL_LIMIT, _DOMAIN_LIMIT, _LIMIT = 64, 253, 254
"""Octets: RFC 5321."""

_MARKS = frozenset("!#$%&'*+-/=?^_`{|}~.")
"""Characters allowed before the @ besides letters and digits; dots have further restrictions."""

_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?", re.ASCII)


class AddressError(ValueError):
    """Not an e-mail address; `offset` is the position of the fault, in characters."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


@dataclass(frozen=True, slots=True)
class MailAddress:
    """An address in the form for mail servers."""

    local: str
    """Before the @; may contain letters beyond ASCII."""
    domain: str
    """ASCII."""

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"

    @property
    def needs_utf8(self) -> bool:
        """Whether it requires a mail server with SMTPUTF8."""
        return not self.local.isascii()


def parse_address(text: str, *, within: bool = False) -> MailAddress:
    """Parse an address; `within` allows internal hosts (``tocsin@localhost``). Raises AddressError."""
    local, at, domain = text.rpartition("@")
    if not at:
        raise AddressError("it has no @")
    _require_local(local)
    start = len(local) + 1
    if not domain:
        raise AddressError("nothing stands after the @", start)
    if "." not in domain and not within:
        raise AddressError(f"the domain {domain!r} has no dot", start)
    found = MailAddress(local, _domain(domain, start))
    if len(str(found).encode()) > _LIMIT:
        raise AddressError(f"it is longer than {_LIMIT} octets")
    return found


def _require_local(local: str) -> None:
    if not local:
        raise AddressError("nothing stands before the @")
    for place, char in enumerate(local):
        if not (char.isalnum() or char in _MARKS or (not char.isascii() and char.isprintable() and not char.isspace())):
            raise AddressError(f"{char!r} cannot stand before the @", place)
        if char == "." and (place in {0, len(local) - 1} or local[place - 1] == "."):
            raise AddressError("before the @ a dot stands between other characters, never two in a row", place)
    if len(local.encode()) > _LOCAL_LIMIT:
        raise AddressError(f"the part before the @ is longer than {_LOCAL_LIMIT} octets")


def _domain(domain: str, start: int) -> str:
    """The domain in ASCII. Raises AddressError; `start`: its offset in the address."""
    place = start
    for label in domain.split("."):
        if not label:
            raise AddressError(
                "a dot of the domain has nothing before or after it", min(place, start + len(domain) - 1)
            )
        if label.isascii() and not _LABEL.fullmatch(label):
            raise AddressError(f"{label!r} cannot be a part of a domain", place)
        place += len(label) + 1
    try:
        found = domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
    except idna.IDNAError as error:
        raise AddressError(f"the domain {domain!r} cannot be registered ({error})", start) from None
    if not all(found.split(".")):  # a character that IDNA drops or maps, such as a soft hyphen or another script's dot
        raise AddressError(f"the domain {domain!r} has a part of which nothing is left in DNS", start)
    if len(found) > _DOMAIN_LIMIT:
        raise AddressError(f"the domain is longer than {_DOMAIN_LIMIT} octets", start)
    return found
