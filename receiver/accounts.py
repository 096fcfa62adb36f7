"""Roles, API tokens, users, and the roles of an identity provider's groups, as written in the settings.

`receiver.settings` parses them; other modules import them from there. Every error names the entry, and never its
content.
"""

from collections.abc import Sequence
from enum import IntEnum

from pydantic import BaseModel, ConfigDict, SecretStr

from receiver.errors import CannotError


class Role(IntEnum):
    """The rights of a caller; each role includes the smaller ones."""

    VIEWER = 1
    RESPONDER = 2
    APPROVER = 3
    ADMIN = 4


TOKEN_LENGTH = 16
"""Minimum characters of a token on a reachable address: 64 bits of hex digits, too many to guess over HTTP."""


class ApiToken(BaseModel):
    """An API token, with its name and role."""

    model_config = ConfigDict(frozen=True)

    name: str
    role: Role
    token: SecretStr


class User(BaseModel):
    """A person who logs in with a password, of which only the argon2 hash is stored."""

    model_config = ConfigDict(frozen=True)

    name: str
    role: Role
    password_hash: SecretStr


def require_strong(tokens: Sequence[SecretStr]) -> None:
    """Raises CannotError where no token is set, or one is short enough to be guessed over the network."""
    if not tokens:
        raise CannotError("is needed")
    if any(len(each.get_secret_value()) < TOKEN_LENGTH for each in tokens):
        raise CannotError(f"needs tokens of {TOKEN_LENGTH} characters or more (`openssl rand -hex 32` makes one)")


def read_tokens(value: object) -> object:
    if not isinstance(value, str):
        return value
    tokens = [_token(entry.strip(), number) for number, entry in enumerate(value.split(","), 1) if entry.strip()]
    for what in ("name", "token"):
        if len({getattr(token, what) for token in tokens}) < len(tokens):
            raise ValueError(f"two of the tokens have the same {what}; give each its own")
    return tuple(tokens)


def _token(entry: str, number: int) -> ApiToken:
    """Parse an entry: a bare token (role admin), or name:role:token. The token itself may contain colons."""
    if ":" not in entry:
        return ApiToken(name="admin" if number == 1 else f"admin-{number}", role=Role.ADMIN, token=SecretStr(entry))
    name, role, token = [*entry.split(":", 2), "", ""][:3]
    if not name or not token or role.upper() not in Role.__members__:
        raise ValueError(f"entry {number} must be name:role:token with one of the roles {_roles()}, or a bare token")
    return ApiToken(name=name, role=Role[role.upper()], token=SecretStr(token))


def read_users(value: object) -> object:
    """Parse users, one a line, ``name:role:hash``; empty lines and ``# comments`` are skipped."""
    if not isinstance(value, str):
        return value
    lines = ((number, line.strip()) for number, line in enumerate(value.splitlines(), 1))
    users = [_user(line, number) for number, line in lines if line and not line.startswith("#")]
    if len({user.name for user in users}) < len(users):
        raise ValueError("two of the users have the same name; give each its own")
    return tuple(users)


def _user(line: str, number: int) -> User:
    name, role, hashed = [*line.split(":", 2), "", ""][:3]
    if not name or role.upper() not in Role.__members__ or not hashed.startswith("$argon2"):
        raise ValueError(
            f"line {number} must be name:role:hash with one of the roles {_roles()}; "
            "`tocsin hash-password` makes the hash"
        )
    return User(name=name, role=Role[role.upper()], password_hash=SecretStr(hashed))


def read_groups(value: object) -> object:
    """Parse the roles of groups: ``group=role``, separated by commas; or one a line, for names with commas."""
    if not isinstance(value, str):
        return value
    entries = value.splitlines() if "\n" in value else value.split(",")
    return tuple(_group(entry.strip(), number) for number, entry in enumerate(entries, 1) if entry.strip())


def _group(entry: str, number: int) -> tuple[str, Role]:
    group, _, role = (part.strip() for part in entry.rpartition("="))
    if not group or role.upper() not in Role.__members__:
        raise ValueError(f"entry {number} must be group=role with one of the roles {_roles()}")
    return group, Role[role.upper()]


def _roles() -> str:
    return ", ".join(known.lower() for known in Role.__members__)
