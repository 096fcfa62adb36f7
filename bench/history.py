"""History with 1,000,000 closed incidents: listing, filtering and searching on both databases; opening and starting on
SQLite.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from msgspec.structs import replace

from bench import filled, postgres
from bench.table import Row
from receiver.core.model import Instant, State
from receiver.store import open_store

SIZE = 1_000_000
TRIES = 15
TARGET = "≤ 50"


def run() -> list[Row]:
    """All queries in turn; the file is reopened for the starts."""
    with tempfile.TemporaryDirectory() as empty, tempfile.TemporaryDirectory() as full:
        filled.first(Path(empty))
        filled.first(Path(full))
        filled.history(Path(full), SIZE)
        starts = {folder: [_start(folder) for _ in range(TRIES)] for folder in (empty, full)}
        ratios = tuple(a / b for a, b in zip(starts[full], starts[empty], strict=True))
        return [
            *_questions(filled.url(Path(full)), "history"),
            Row("history", "start / start with nothing", "ratio", ratios, "≤ 2"),
        ]


def run_on_server() -> list[Row]:
    """The same questions on PostgreSQL."""
    with tempfile.TemporaryDirectory() as folder, postgres.database(Path(folder)) as address:
        filled.first(Path(folder), address)
        filled.history_of_server(address, SIZE)
        return _questions(address, "history-postgresql")


def _start(folder: str) -> float:
    def start() -> None:
        store = open_store(filled.url(Path(folder)))
        store.next_due()
        store.close()

    return _timed(start)


def _questions(address: str, bench: str) -> list[Row]:
    store = open_store(address)
    reads = store.reads()
    middle = f"id-{SIZE // 2}"
    one = reads.incident(middle)
    assert one is not None, "it was filled in"
    related = replace(one, labels={"system": "system-7"})
    asked: dict[str, Callable[[], object]] = {
        "first page": reads.incidents,
        "page in the middle": lambda: reads.incidents(cursor=f"before-{SIZE // 2}"),
        "open ones": lambda: reads.incidents(state={State.OPEN, State.ACKNOWLEDGED}),
        "closed ones": lambda: reads.incidents(state={State.CLOSED}),
        "a level that none has": lambda: reads.incidents(level=1),
        "a rare type": lambda: reads.incidents(type="rare"),
        "a type that none has": lambda: reads.incidents(type="unheard of"),
        "a day long ago": lambda: reads.incidents(until=1),  # type: ignore[arg-type] # an instant
        "search: in every title": lambda: reads.incidents(search="accuracy"),
        "search: in one title": lambda: reads.incidents(search=f" {SIZE // 2 + 1}"),
        "search: in every incident's labels": lambda: reads.incidents(search="region=north"),
        "search: in one incident's labels": lambda: reads.incidents(search=f"unit=u{SIZE // 2}\n"),
        "search: in one note": lambda: reads.incidents(search=f"log of u{SIZE // 2 + 7}"),
        "search: a person": lambda: reads.incidents(search="person-17"),
        "search: nowhere": lambda: reads.incidents(search="zebra"),
        "search: two letters": lambda: reads.incidents(search="ac"),
        "search: two letters that no title has": lambda: reads.incidents(search="zq"),
        "search: a number": lambda: reads.incidents(search=f"#{SIZE // 2}"),
        "a system": lambda: reads.incidents(system="system-7"),
        "a system that none has": lambda: reads.incidents(system="unheard of"),
        "a person": lambda: reads.incidents(person="person-7"),
        "a system, a person and words": lambda: reads.incidents(system="system-7", person="person-7", search="log of"),
        "others of its system": lambda: reads.related(related, Instant(0), 50),
        "open one": lambda: (reads.incident(middle), reads.alerts(middle), reads.timeline(middle)),
        "its messages": lambda: reads.notifications(middle),
    }
    rows = [
        Row(bench, f"{name}, of {SIZE:,}", "ms", tuple(_timed(question) for _ in range(TRIES)), TARGET)
        for name, question in asked.items()
    ]
    store.close()
    return rows


def _timed(what: Callable[[], object]) -> float:
    began = perf_counter()
    what()
    return (perf_counter() - began) * 1000
