"""Checks passwords and limits failed logins.

Rules: argon2 is slow by design, so hashes are computed on threads, two at a time; an unknown name takes as long as a
known one. Failures are counted by address and by name at an address, never by name alone: otherwise an attacker could
lock a responder out. A browser with an earlier login has its own count, because attackers may share its address.
"""

import asyncio
from collections.abc import Callable, Iterable

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from receiver.core.model import Instant
from receiver.settings import User
from rules.policy import MINUTE

AT_ONCE = 2
"""Hashes computed at a time: each takes 64 MiB and a core."""

WINDOW = 10 * MINUTE
BY_PAIR, BY_ADDRESS = 10, 30
"""Failed logins per WINDOW before refusal: for a name at an address (or browser), for an address."""

REMEMBERED = 10_000
"""Failure counters kept; the least recently updated is dropped first."""

NAME_LIMIT = 200
"""Characters of a name that are compared for counting."""

_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2E$RdescudvJCsgt3ub+b27W8RL+XGfb8RhyS6nJ7zmAyg"
"""A hash that matches no password; checked for unknown names, so that they take the same time."""


def hash_password(password: str) -> str:
    """The argon2id hash of a password, for TOCSIN_USERS_FILE."""
    return PasswordHasher().hash(password)


class Passwords:
    """Verifies the users' passwords."""

    def __init__(self, users: Iterable[User]) -> None:
        self._users = {user.name: user for user in users}
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def user(self, name: str, password: str) -> User | None:
        """The user of that name; None for an unknown name or a wrong password."""
        user = self._users.get(name)
        hashed = user.password_hash.get_secret_value() if user else _NOBODY
        async with self._turn:
            fits = await asyncio.to_thread(_fits, hashed, password)
        return user if fits else None


def _fits(hashed: str, password: str) -> bool:
    try:
        return PasswordHasher().verify(hashed, password)
    except (Argon2Error, InvalidHashError):
        return False


class Failures:
    """Counts failed logins, in windows of WINDOW."""

    def __init__(self, clock: Callable[[], Instant]) -> None:
        self._clock = clock
        self._counts: dict[tuple[str, str], tuple[Instant, int]] = {}

    def too_many(self, address: str, name: str, browser: str = "") -> bool:
        """Whether the limit is reached. `browser`: id of a browser where that name has logged in before, else empty."""
        return any(self._count(key)[1] >= limit for key, limit in _limits(address, name, browser))

    def note(self, address: str, name: str, failed: int = 1, browser: str = "") -> None:
        """Adds `failed` to the counts. A try is counted before its outcome is known, and -1 takes it back.

        Counting afterwards would let many simultaneous tries pass.
        """
        for key, _ in _limits(address, name, browser):
            since, count = self._count(key)
            self._counts.pop(key, None)
            self._counts[key] = (since, count + failed)
        while len(self._counts) > REMEMBERED:
            del self._counts[next(iter(self._counts))]

    def _count(self, key: tuple[str, str]) -> tuple[Instant, int]:
        """Start of the current window, and its count."""
        now = self._clock()
        since, count = self._counts.get(key, (now, 0))
        return (since, count) if since + WINDOW > now else (now, 0)


def _limits(address: str, name: str, browser: str) -> tuple[tuple[tuple[str, str], int], ...]:
    if browser:
        return (((browser, name), BY_PAIR),)
    return ((address, name[:NAME_LIMIT]), BY_PAIR), ((address, ""), BY_ADDRESS)
