"""Large reads, part by part: two under way at a time, and none left behind when one fails."""

import asyncio
import gc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from service.errors import StoreUnavailable
from service.gathering import ROWS_AT_ONCE
from service.metrics import Metrics
from service.plan import ReadPlan, Shape, compile_plan
from service.reader import Reader
from service.store import HashRead, HashRow
from service.transforms import Transforms
from tests.http.handmade.definitions import VISITS, catalog
from tests.http.handmade.shelf import MAX_ENTITIES, NOW

PARTS = 4


class Slow:
    """A store that answers when the test says so."""

    read_timeout = 60.0

    def __init__(self) -> None:
        self.asked: list[tuple[int, asyncio.Future[list[HashRow]]]] = []

    def flush(self) -> None:
        """Nothing waits to be written."""

    def read_hashes(
        self, reads: Sequence[tuple[HashRead, Sequence[bytes]]], within: float | None = None
    ) -> "asyncio.Future[list[HashRow]]":
        """Rows without a field, in a while."""
        future: asyncio.Future[list[HashRow]] = asyncio.get_running_loop().create_future()
        self.asked.append((sum(len(keys) for _, keys in reads), future))
        return future

    def answer(self, number: int) -> None:
        """Give the rows of one part."""
        rows, future = self.asked[number]
        future.set_result([[None] * 3 for _ in range(rows)])


@pytest.fixture
def store() -> Slow:
    """One that has been asked for nothing."""
    return Slow()


@pytest.fixture
def reader(tmp_path: Path, store: Slow) -> Iterator[Reader]:
    """A reader of it."""
    metrics = Metrics(tmp_path)
    transforms = Transforms(metrics, 1.0)
    yield Reader(store, metrics, transforms, MAX_ENTITIES, clock=lambda: NOW)  # type: ignore[arg-type]
    metrics.close()


PLAN: ReadPlan = compile_plan(catalog(VISITS), Shape(columns=("customer_id",), features=("visits:count", "visits:score")))
ENTITIES: dict[str, list[Any]] = {"customer_id": list(range(PARTS * ROWS_AT_ONCE - 100))}


async def settle() -> None:
    """Let the event loop do what there is to do."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_two_parts_are_under_way_at_a_time(reader: Reader, store: Slow) -> None:
    """Redis has the next part while one is decoded, and no more than that: others want their turn."""
    reading = asyncio.create_task(reader.read(PLAN, ENTITIES))
    for answered in range(PARTS):
        await settle()
        assert len(store.asked) == min(answered + 2, PARTS)
        store.answer(answered)
    assert b"NOT_FOUND" in await reading
    assert [rows for rows, _ in store.asked] == [ROWS_AT_ONCE] * (PARTS - 1) + [ROWS_AT_ONCE - 100]


@pytest.mark.parametrize("both", [True, False])
async def test_a_part_that_fails_leaves_none_behind(reader: Reader, store: Slow, both: bool) -> None:
    """The read fails at once, nothing more is asked for, and asyncio has no failure to complain of that nobody looked at."""
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    reading = asyncio.create_task(reader.read(PLAN, ENTITIES))
    await settle()
    for _, future in store.asked[: 2 if both else 1]:
        future.set_exception(StoreUnavailable("gone"))
    with pytest.raises(StoreUnavailable, match="gone"):
        await reading
    if not both:
        store.answer(1)  # late
    assert len(store.asked) == 2
    store.asked.clear()
    del reading
    await settle()
    gc.collect()
    assert complaints == []
