"""The long form: one letter, set as plain text and as HTML by the templates in templates/messages."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from receiver.messages.message import PICTURE_ID

EARLIER = "Earlier incidents like it, of which the cause may be another:"

COLOURS = {1: "#4a6785", 2: "#96620f", 3: "#c2410c", 4: "#b91c1c"}
CALM = "#2f7d4f"
"""The bar of what is over."""


@dataclass(frozen=True, slots=True)
class Row:
    """One incident of a bundle."""

    number: str
    title: str
    stands: str
    url: str


@dataclass(frozen=True, slots=True)
class Letter:
    """What stands in the long form, top to bottom; what is empty is left out."""

    subject: str
    level: str
    """The level's name."""
    colour: str
    exercise: bool
    state: str
    """How it stands, in two or three words: the text begins with it."""
    label: str
    """What sets this message apart; empty, or not what the state says anyway."""
    number: str
    title: str
    lead: str
    stands: str = ""
    description: str = ""
    """What the alert says beside its title."""
    meaning: str = ""
    """What the level means."""
    actions: Sequence[str] = ()
    earlier: Sequence[str] = ()
    """What earlier incidents like it came to, a line each."""
    body: str = ""
    """The policy's template, filled."""
    button: tuple[str, str] | None = None
    """(label, URL)."""
    command: str = ""
    """The same from a shell."""
    facts: Sequence[tuple[str, str]] = ()
    labels: Sequence[tuple[str, str]] = ()
    links: Sequence[tuple[str, str]] = ()
    rows: Sequence[Row] = ()
    more: int = 0
    """Incidents of the bundle beyond `rows`."""
    picture: str = ""
    """What the picture shows that goes with it."""


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("templates", "messages"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def as_text(letter: Letter) -> str:
    """The letter as plain text."""
    return _environment().get_template("message.txt").render(letter=letter, earlier_said=EARLIER).strip() + "\n"


def as_html(letter: Letter) -> str:
    """The letter as an HTML document."""
    return (
        _environment().get_template("message.html").render(letter=letter, earlier_said=EARLIER, picture_id=PICTURE_ID)
    )
