"""The long form of a message: plain text and HTML from the templates in templates/messages."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from receiver.messages.message import PICTURE_ID

EARLIER = "Earlier incidents like it, of which the cause may be another:"

COLOURS = {1: "#4a6785", 2: "#96620f", 3: "#c2410c", 4: "#b91c1c"}
CALM = "#2f7d4f"
"""Colour of the bar for incidents that are over."""


@dataclass(frozen=True, slots=True)
class Row:
    """One incident of a bundle."""

    number: str
    title: str
    stands: str
    url: str


@dataclass(frozen=True, slots=True)
class Letter:
    """The parts of the long form, top to bottom; empty parts are left out."""

    subject: str
    level: str
    """The level's name."""
    colour: str
    exercise: bool
    state: str
    """The state in two or three words; the text begins with it."""
    label: str
    """What distinguishes this message; empty: nothing, or the state already says it."""
    number: str
    title: str
    lead: str
    stands: str = ""
    description: str = ""
    """The alert's description without the title."""
    meaning: str = ""
    """The level's meaning."""
    actions: Sequence[str] = ()
    earlier: Sequence[str] = ()
    """Cause, fix and lesson of earlier similar incidents, one line each."""
    body: str = ""
    """The policy's template, filled in."""
    button: tuple[str, str] | None = None
    """(label, URL)."""
    reply: str = ""
    """How to acknowledge by a reply to the mail; empty: replies do not reach Tocsin."""
    command: str = ""
    """The shell command for the same action."""
    facts: Sequence[tuple[str, str]] = ()
    labels: Sequence[tuple[str, str]] = ()
    links: Sequence[tuple[str, str]] = ()
    rows: Sequence[Row] = ()
    more: int = 0
    """Number of incidents of the bundle that `rows` leaves out."""
    picture: str = ""
    """Description of the attached picture."""


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
    """Returns the letter as plain text."""
    return _environment().get_template("message.txt").render(letter=letter, earlier_said=EARLIER).strip() + "\n"


def as_html(letter: Letter) -> str:
    """Returns the letter as an HTML document."""
    return (
        _environment().get_template("message.html").render(letter=letter, earlier_said=EARLIER, picture_id=PICTURE_ID)
    )
