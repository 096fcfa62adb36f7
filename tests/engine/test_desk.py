"""The desk: requests become batches, and nobody waits for ever."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from receiver.core.events import AlertsReceived
from receiver.core.model import Instant
from receiver.desk import BATCH_LIMIT, Desk
from receiver.engine import Engine
from receiver.errors import StoreUnavailable
from receiver.requests import Request, Result
from receiver.store import SqlStore
from tests.core.guide import ALL, POLICY
from tests.core.world import START
from tests.engine.house import firing


@pytest.fixture
def engine(open_stores: Callable[[str], SqlStore]) -> Engine:
    """Its methods are named, not run."""
    return Engine(open_stores("sqlite://"), POLICY, ALL, START)


async def test_a_database_that_never_answers_keeps_nobody_waiting(engine: Engine) -> None:
    """Each request is refused when its own patience ends, those that come after the first too."""

    async def never(*_: Any) -> None:
        await asyncio.Event().wait()

    desk = Desk(engine, lambda: Instant(START), never, patience=0.01)
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match="did not answer"):
            await desk.handle([firing("key")])
    assert desk.failing


@pytest.mark.parametrize(("alerts", "together"), [(1, BATCH_LIMIT), (100, BATCH_LIMIT // 100), (3 * BATCH_LIMIT, 1)])
async def test_a_transaction_takes_so_many_alerts(engine: Engine, alerts: int, together: int) -> None:
    """However many webhooks wait, and however large: no transaction holds many more alerts than the limit."""
    batches: list[int] = []

    async def call(_: Any, requests: Sequence[Request], __: Instant) -> list[Result]:
        batches.append(len(requests))
        return [Result() for _ in requests]

    (one,) = firing("key").alerts
    waiting = [AlertsReceived("key", "", (one,) * alerts)] * (2 * together)
    await Desk(engine, lambda: Instant(START), call).handle(waiting)
    assert batches == [together] * 2
