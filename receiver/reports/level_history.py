"""The levels that an incident had over time, from its timeline. Pure."""

from collections.abc import Iterable, Sequence

from receiver.core.model import Entry, Fact, Instant


def level_after(entry: Entry, level: int) -> int:
    """Returns the incident's level after an entry; `level`: its level before."""
    known = entry.data.get("value" if entry.data.get("field") == "level" else "level", "")
    tells = entry.fact in {Fact.OPENED, Fact.DECLARED, Fact.LEVEL_ROSE, Fact.ACK_VOIDED} or (
        entry.fact is Fact.CHANGED and entry.data.get("field") == "level"
    )
    return int(known) if tells and known.isdigit() else level


def worst_level(timeline: Iterable[Entry]) -> int:
    """Returns the worst level that the incident had; 0: not in the timeline."""
    level = worst = 0
    for each in timeline:
        level = level_after(each, level)
        worst = max(worst, level)
    return worst


def level_course(
    timeline: Sequence[Entry], began_at: Instant, ended_at: Instant | None, level: int
) -> list[tuple[Instant, int]]:
    """Returns (since when, level) of a period, in order. `level`: that of a timeline that tells none."""
    found: list[tuple[Instant, int]] = []
    known = 0
    for each in timeline:
        known = level_after(each, known)
        if ended_at is None or each.at < ended_at:
            since = max(each.at, began_at)
            found = [one for one in found if one[0] < since]
            found.append((since, known or level))
    return found or [(began_at, level)]
