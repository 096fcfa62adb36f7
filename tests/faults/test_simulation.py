"""Thousands of worlds in which everything goes wrong, and nothing is lost."""

import gc
import multiprocessing
import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.faults.world import PromiseError, World

WORLDS = int(os.environ.get("TOCSIN_WORLDS", "250"))
"""How many; more of them find more: TOCSIN_WORLDS=20000."""
CHUNK = 50


def live(first: int) -> tuple[Counter[str], str]:
    """Some worlds, one after the other; what happened in them, and the story of the first that broke."""
    gc.freeze()
    seen: Counter[str] = Counter()
    for seed in range(first, first + CHUNK):
        try:
            world = World(seed).run()
        except PromiseError as broken:
            return seen, str(broken)
        seen["worlds"] += 1
        seen["incidents"] += len(world.mirror.incidents)
        seen["notifications"] += len(world.mirror.fates)
        seen["sent twice"] += world.providers.duplicates
        seen["died"] += sum(worker.life > 0 for worker in world.workers)
    return seen, ""


def test_nothing_is_lost_whatever_goes_wrong() -> None:
    """In every world each alert has its incident, each message its end, each window its moment, in order."""
    if "TOCSIN_SEED" in os.environ:
        World(int(os.environ["TOCSIN_SEED"])).run()
        return
    seen: Counter[str] = Counter()
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=spawn) as pool:
        for happened, story in pool.map(live, range(0, WORLDS, CHUNK)):
            seen += happened
            if story:
                pool.shutdown(cancel_futures=True)
                pytest.fail(story, pytrace=False)
    print(f"seeds 0 to {WORLDS - 1}:", ", ".join(f"{count} {what}" for what, count in seen.items()))
    assert seen["worlds"] >= WORLDS
    assert min(seen.values()) > WORLDS // 10, "the worlds are not empty"


@pytest.mark.parametrize("seed", [158, 481, 504])
def test_worlds_with_schedules_in_which_something_was_wrong(seed: int) -> None:
    """Two events of a calendar at once of which one has a higher level; a resolution that is told later."""
    World(seed, on_call=True).run()


def test_a_seed_tells_the_same_story_twice() -> None:
    """A failing seed can be lived again, step by step."""
    assert World(7).run()._story == World(7).run()._story
