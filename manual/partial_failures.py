"""The table of partial failures in docs/operating.md: the signs of each, and what people are notified of.

`tests/partial` causes each failure in a real Tocsin and compares its observations with these rows.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

PLACE = "docs/operating.md"
BEGIN, END = "<!-- partial failures: made from the tests' rows -->\n", "<!-- end of partial failures -->\n"


class Told(StrEnum):
    """The sender of notifications about an emergency that begins during the failure."""

    TOCSIN = "Tocsin's own page"
    AROUND = "**around Tocsin**, by Alertmanager"


class Age(StrEnum):
    """The metric `tocsin_oldest_undelivered_emergency_seconds` during the failure."""

    NONE = "0"
    GROWS = "grows"
    UNKNOWN = "not said"


RETURNS = "by itself"
SUPERVISED = "its supervisor starts it again"
REMOUNTED = "none: it can be mounted anew only while Tocsin is stopped"
NOT_RUN = "not run: as with every channel rejected"


@dataclass(frozen=True, slots=True)
class Row:
    """One partial failure. Answers are HTTP status codes; NO_ANSWER: no answer within seconds."""

    state: str
    webhook: str
    """The answer to Alertmanager's webhook."""
    ready: str
    alive: str
    store_up: str
    age: Age
    told: Told
    recovery: str = RETURNS
    """The state after the cause has ended."""


NO_ANSWER = "none"
REFUSED = "TLS refused"

ROWS = (
    Row("disk full", "503", "503", "200", "0", Age.NONE, Told.AROUND),
    Row("file system read-only", "503", "503", "200", "0", Age.NONE, Told.AROUND, REMOUNTED),
    Row("file locked", "503", "503", "200", "0", Age.NONE, Told.AROUND),
    Row("file deleted", "503", "503", "200", "0", Age.GROWS, Told.AROUND),
    Row("file replaced", "503", "503", "200", "0", Age.GROWS, Told.AROUND),
    Row("writer stopped", "200", "200", "200", "1", Age.NONE, Told.TOCSIN, "another writer takes its place after 10 s"),
    Row("writer looping", "503", "503", "200", "0", Age.NONE, Told.AROUND),
    Row("event loop stuck", NO_ANSWER, NO_ANSWER, NO_ANSWER, NO_ANSWER, Age.UNKNOWN, Told.AROUND),
    Row("clock ahead", "200", "200", "200", "1", Age.NONE, Told.TOCSIN),
    Row("clock back", "200", "200", "200", "1", Age.NONE, Told.TOCSIN),
    Row("PostgreSQL read-only", "503", "503", "200", "0", Age.NONE, Told.AROUND),
    Row("PostgreSQL away", "503", "503", "200", "0", Age.GROWS, Told.AROUND),
    Row("pool exhausted", "503", "503", "200", "0", Age.GROWS, Told.AROUND),
    Row(
        "out of memory",
        NO_ANSWER,
        NO_ANSWER,
        NO_ANSWER,
        NO_ANSWER,
        Age.UNKNOWN,
        Told.AROUND,
        SUPERVISED,
    ),
    Row("every channel rejected", "200", "200", "200", "1", Age.GROWS, Told.AROUND),
    Row("provider slow", "200", "200", "200", "1", Age.GROWS, Told.AROUND),
    Row("DNS gone", "200", "200", "200", "1", Age.GROWS, Told.AROUND, NOT_RUN),
    Row("token revoked", "401", "200", "200", "1", Age.NONE, Told.AROUND),
    Row("certificate wrong", REFUSED, "200", "200", "1", Age.NONE, Told.AROUND),
    Row("URL wrong", "404", "200", "200", "1", Age.NONE, Told.AROUND),
    Row("body too large", "413", "200", "200", "1", Age.NONE, Told.AROUND),
)

HEAD = (
    "state",
    "webhook answer",
    "`/-/ready`",
    "`/-/healthy`",
    "`tocsin_store_up`",
    "emergency age",
    "what people are told",
    "recovery without a restart",
)


def table() -> str:
    """The rows in Markdown."""
    return "".join(_lines())


def _lines() -> Iterator[str]:
    yield _line(HEAD)
    yield _line(["---"] * len(HEAD))
    for row in ROWS:
        yield _line((row.state, row.webhook, row.ready, row.alive, row.store_up, row.age, row.told, row.recovery))


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def page(root: Path) -> str:
    """docs/operating.md with the current table."""
    before, _, rest = (root / PLACE).read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"
