"""What somebody posted when their session had ended: it goes with them through the login, and a press sends it then.

With JavaScript a page keeps what is typed by itself; this is for pages without. Nothing of it is kept here: the login's
form carries it. `receiver.web.console.pages` asks who it is, `receiver.web.console.login` offers to send it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from receiver.web.auth.sessions import CSRF_FIELD, safe_path

PATH = "unsent"
"""The login form's field that says where it was posted to."""
EACH = "unsent."
"""How the names of the login form's fields begin that carry those of the post."""

OURS = frozenset({CSRF_FIELD, "state", "part", "done", "back", "form", "hash", "action"})
"""Fields that pages fill in; all others people do."""


@dataclass(frozen=True, slots=True)
class Unsent:
    """A form that was posted and did nothing."""

    path: str
    """Where it was posted to."""
    fields: Mapping[str, str]

    @property
    def carried(self) -> Mapping[str, str]:
        """As fields of the login's form."""
        return {PATH: self.path} | {f"{EACH}{name}": value for name, value in self.fields.items()}

    @property
    def written(self) -> Mapping[str, str]:
        """What the person wrote or chose, by name."""
        said = {name: value for name, value in self.fields.items() if value.strip() and name not in OURS}
        return {name.rpartition(".")[2].replace("_", " "): value for name, value in said.items()}


def unsent_of(path: str, form: Mapping[str, str]) -> Unsent:
    """What was posted there; the mark of the session that has ended is left out."""
    return Unsent(path, {name: value for name, value in form.items() if name != CSRF_FIELD})


def carried_by(login: Mapping[str, str]) -> Unsent | None:
    """What a login's form carries; None: nothing."""
    path = safe_path(login.get(PATH, ""))
    if PATH not in login or path == "/":
        return None
    return Unsent(path, {name.removeprefix(EACH): value for name, value in login.items() if name.startswith(EACH)})
