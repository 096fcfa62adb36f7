"""An emergency behind a real pair of clustered Alertmanagers, fed by two Prometheus replicas, in less time.

What their webhooks say besides the truth (echoes, ends told twice, starts that move) pages no one and hides nothing.
"""

import asyncio
import os
from pathlib import Path

import pytest

from bench.clustered import Programs, installed, newest
from bench.night import FAST, Cycle, Night, Outcome
from bench.pair import show

LEAST, MOST = 2, 8
"""Cycles; more than the least only until a peer has told an echo, which it does after most recoveries."""


def enough(done: tuple[Cycle, ...]) -> bool:
    """Whether the cycles show something."""
    return len(done) >= MOST or (len(done) >= LEAST and any(each.echoes for each in done))


async def test_behind_a_pair_nobody_is_woken_for_nothing_and_no_fire_is_missed(tmp_path: Path) -> None:
    """No page after an acknowledgement unless something fired; each true re-fire pages; nothing ended stays open."""
    found = {"installed": installed(), "newest": newest()}  # both at once: they wait more than they work
    outcomes = await asyncio.gather(*(_live(each, tmp_path) for each in found.values() if each))
    show(outcomes)
    for outcome in outcomes:
        assert any(each.echoes for each in outcome.cycles), "no peer told an echo: this proves nothing"
        said = {each.what: each.faults for each in outcome.cycles}
        assert said == dict.fromkeys(said, (0, 0, 0, 0)), f"pages, voided, stuck, missed; {outcome.programs}"
    if missing := [name for name, each in found.items() if each is None]:
        reason = f"no Prometheus with an Alertmanager, {' or '.join(missing)}: tests/install-tools says why"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


async def _live(programs: Programs, folder: Path) -> Outcome:
    place = folder / programs.name
    place.mkdir()
    return await Night(programs, FAST, place).run(enough)
