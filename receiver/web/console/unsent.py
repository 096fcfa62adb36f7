"""A form that was posted after its session had ended: the login carries it, and one more press sends it then.

With JavaScript a page keeps typed text itself; this is for browsers without. The server stores nothing: the login's
form carries the fields. `receiver.web.console.pages` asks for the login, `receiver.web.console.login` offers to send
it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from receiver.web.auth.sessions import CSRF_FIELD, safe_path

PATH = "unsent"
"""The login form's field with the target path."""
EACH = "unsent."
"""Prefix of the login form's fields that carry the posted ones."""

OURS = frozenset({CSRF_FIELD, "state", "part", "done", "back", "form", "hash", "action"})
"""Fields that pages fill in; people fill in all others."""


@dataclass(frozen=True, slots=True)
class Unsent:
    """A posted form that was not processed."""

    path: str
    """The target path."""
    fields: Mapping[str, str]

    @property
    def carried(self) -> Mapping[str, str]:
        """The form as fields of the login's form."""
        return {PATH: self.path} | {f"{EACH}{name}": value for name, value in self.fields.items()}

    @property
    def written(self) -> Mapping[str, str]:
        """The person's entries, by name."""
        said = {name: value for name, value in self.fields.items() if value.strip() and name not in OURS}
        return {name.rpartition(".")[2].replace("_", " "): value for name, value in said.items()}


def unsent_of(path: str, form: Mapping[str, str]) -> Unsent:
    """The posted form without the CSRF token of the ended session."""
    return Unsent(path, {name: value for name, value in form.items() if name != CSRF_FIELD})


def carried_by(login: Mapping[str, str]) -> Unsent | None:
    """The form that a login's form carries; None: none."""
    path = safe_path(login.get(PATH, ""))
    if PATH not in login or path == "/":
        return None
    return Unsent(path, {name.removeprefix(EACH): value for name, value in login.items() if name.startswith(EACH)})
