"""The generated pages, by path in the repository."""

from collections.abc import Iterator
from pathlib import Path

from manual import channels, chart, examples, keys, partial_failures, rooms, states, walks, words
from manual.stories import transcript

ROOT = Path(__file__).parents[1]


def pages() -> Iterator[tuple[str, str]]:
    """(path, text) of every generated page."""
    yield "docs/policy-reference.md", keys.page()
    yield "docs/channel-types.md", channels.page()
    changes = walks.explore()
    yield "docs/states.md", states.page(changes)
    yield partial_failures.PLACE, partial_failures.page(ROOT)
    yield "docs/images/states.svg", states.drawing(changes)
    yield "docs/images/rooms.svg", rooms.drawing()
    yield from examples.pages(ROOT)
    yield chart.PLACE, chart.page(ROOT)
    yield words.PLACE, words.page(ROOT)


def stories() -> Iterator[tuple[str, str]]:
    """(path, text) of the pages of played stories, which take seconds: a separate test checks each."""
    yield transcript.PLACE, transcript.page(transcript.play().scenes)
