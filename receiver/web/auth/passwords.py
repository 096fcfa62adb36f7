"""Passwords: whether a name and a password belong together, and how often somebody may be wrong.

Rules: argon2 takes long on purpose, so it runs beside the loop, two at a time; an unknown name takes as long as a
known one; failures are counted by address and by name from one address, never by name alone, or a stranger could keep
a responder out. A browser where somebody has logged in before is counted for itself: strangers may share its address.
"""

import asyncio
from collections.abc import Callable, Iterable

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from receiver.core.model import Instant
from receiver.settings import User
from rules.policy import MINUTE

AT_ONCE = 2
"""Hashes that are computed at a time: each takes 64 MiB and a core."""

WINDOW = 10 * MINUTE
BY_PAIR, BY_ADDRESS = 10, 30
"""Failures within a window after which no more are heard: of a name at an address (or browser), of an address."""

REMEMBERED = 10_000
"""Addresses and names that failures are counted of."""

NAME_LIMIT = 200
"""Characters of a name that are told apart."""

_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2E$RdescudvJCsgt3ub+b27W8RL+XGfb8RhyS6nJ7zmAyg"
"""A hash of nothing, so that a name nobody has takes its time too."""


def hash_password(password: str) -> str:
    """The argon2id hash that TOCSIN_USERS_FILE has for a password."""
    return PasswordHasher().hash(password)


class Passwords:
    """The users' passwords."""

    def __init__(self, users: Iterable[User]) -> None:
        self._users = {user.name: user for user in users}
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def user(self, name: str, password: str) -> User | None:
        """The user of that name, if the password is theirs."""
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
    """Counts failed logins."""

    def __init__(self, clock: Callable[[], Instant]) -> None:
        self._clock = clock
        self._counts: dict[tuple[str, str], tuple[Instant, int]] = {}

    def too_many(self, address: str, name: str, browser: str = "") -> bool:
        """Whether enough was tried for now. `browser`: one where that name has logged in before; empty: none such."""
        return any(self._count(key)[1] >= limit for key, limit in _limits(address, name, browser))

    def note(self, address: str, name: str, failed: int = 1, browser: str = "") -> None:
        """One more try, counted before its outcome is known (or many at once would slip through); -1 takes it back."""
        for key, _ in _limits(address, name, browser):
            since, count = self._count(key)
            self._counts.pop(key, None)
            self._counts[key] = (since, count + failed)
        while len(self._counts) > REMEMBERED:
            del self._counts[next(iter(self._counts))]

    def _count(self, key: tuple[str, str]) -> tuple[Instant, int]:
        """Since when, and how many."""
        now = self._clock()
        since, count = self._counts.get(key, (now, 0))
        return (since, count) if since + WINDOW > now else (now, 0)


def _limits(address: str, name: str, browser: str) -> tuple[tuple[tuple[str, str], int], ...]:
    if browser:
        return (((browser, name), BY_PAIR),)
    return ((address, name[:NAME_LIMIT]), BY_PAIR), ((address, ""), BY_ADDRESS)
