"""Alerts about a damaged database: a level 3 incident of Tocsin's own, closed by a person.

`receiver.jobs.soundness` checks; what was set aside or repaired is reported once.
"""

from collections.abc import Sequence
from hashlib import sha256

from receiver.core.classify import incident_key
from receiver.core.events import AlertsReceived
from receiver.core.model import OWN, Alert, Instant
from rules.policy import CRITICAL

SHOWN = 10
"""The most damaged rows that the text lists."""

RULE = "tocsin/database"
TYPE = "database_is_damaged"
KEY = incident_key(("tocsin", "database"))


def tell_rows(rows: Sequence[tuple[str, str, str]], now: Instant) -> AlertsReceived:
    """The event for damaged rows: each row's kind, its id, and what was done."""
    said = [f"{what} {_name(id_)}: {why}" for what, id_, why in rows[:SHOWN]]
    more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    damaged = _alert(
        _digest("\n".join(said) + more),
        f"The database held damaged rows: {len(rows)}",
        f"{'; '.join(said)}{more}. The rest is not concerned. Look what these were about (their timeline is there), "
        "whether somebody has it in hand, and where the damage comes from: a disk, or a file that was copied while it "
        "was in use.",
        now,
    )
    return AlertsReceived(KEY, OWN, (damaged,))


def tell_file(problem: str, now: Instant) -> AlertsReceived:
    """The event for a damaged file; `problem` says what is wrong, and what to do."""
    return AlertsReceived(KEY, OWN, (_alert("file", "The database file is damaged", problem, now),))


def _name(id_: str) -> str:
    """The id for the text; a damaged row's id of unknown form is replaced by its digest."""
    return id_ if id_.isascii() and id_.replace("-", "").replace("/", "").isalnum() else _digest(id_)


def _alert(name: str, summary: str, description: str, now: Instant) -> Alert:
    return Alert(
        fingerprint=f"tocsin-damage-{_digest(name)}",
        starts_at=Instant(now // 1000 * 1000),
        firing=True,
        level=CRITICAL,
        rule=RULE,
        type=TYPE,
        labels={
            "alertname": "DatabaseIsDamaged",
            "incident_type": TYPE,
            "damaged": name,
            "severity_level": str(CRITICAL),
        },
        annotations={"summary": summary, "description": description},
    )


def _digest(text: str) -> str:
    return sha256(text.encode(errors="replace")).hexdigest()[:16]
