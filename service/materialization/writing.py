"""Encoded rows into Redis by the push path's writer: newest wins, confirmed row by row, tried again while Redis is away."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from service.errors import StoreUnavailable, UnreadableValue
from service.materialization.job import MaterializationFailed
from service.materialization.rows import EncodedRows
from service.store import RedisStore
from service.store.address import RedisAddress
from service.store.writes import HashWrite, RowWriter

# How long Redis may confirm nothing at all, as in a failover, before it is given up.
PATIENCE_SECONDS = 60.0
FIRST_PAUSE_SECONDS = 0.02
LONGEST_PAUSE_SECONDS = 1.0
# Of a batch. Nobody waits for it in particular: Redis may be saving, or loading what it had.
REPLY_SECONDS = 10.0
CONNECT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How hard Redis is written to: rows of a batch, batches that are under way, rows a second (None: as many as go)."""

    rows_at_once: int
    batches_in_flight: int
    rows_per_second: float | None = None

    @classmethod
    def gentle(cls, rows_per_second: float) -> "Pace":
        """So that reads hardly feel it: batches that Redis does in between, 0.15 ms each."""
        return cls(32, 1, rows_per_second)


# Redis does all it has received of one connection before it turns to the next, so whoever reads waits for a batch: 0.5 ms for
# 128 rows of 7 features. While Redis does one batch the next one is encoded.
FULL_SPEED = Pace(128, 2)


class _Unobserved:
    """Nobody counts connections here."""

    def store_connected(self) -> None:
        """A connection was opened."""

    def store_disconnected(self) -> None:
        """A connection was lost."""

    def store_timed_out(self, batches: int) -> None:
        """Nobody waits for a batch in particular."""


class OnlineWriter:
    """Writes to one Redis server; a connection for each view, none in between."""

    def __init__(self, address: RedisAddress, pace: Pace = FULL_SPEED, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._address = address
        self._pace = pace
        self._patience = patience_seconds

    def write(self, view: str, write: HashWrite, batches: Iterable[EncodedRows], told: Callable[[int], None]) -> int:
        """Write all batches and give the number of rows, each confirmed; `told` gets it as it grows.

        Rows of one key may be written in any order. Raises MaterializationFailed where Redis doesn't confirm them all;
        what it has confirmed stays, and a repetition is harmless.
        """
        return asyncio.run(self._write(view, write, batches, told))

    async def _write(self, view: str, write: HashWrite, batches: Iterable[EncodedRows], told: Callable[[int], None]) -> int:
        store = RedisStore(self._address, _Unobserved(), 1, REPLY_SECONDS, CONNECT_SECONDS)
        store.start()
        writing = _Writing(view, write, RowWriter(store), self._patience)
        rows = 0
        flying: deque[asyncio.Task[int]] = deque()
        clock = _Clock(self._pace)
        try:
            for batch in batches:
                if len(flying) == self._pace.batches_in_flight:
                    rows += await flying.popleft()
                    told(rows)
                await clock.wait(len(batch.keys))
                flying.append(asyncio.create_task(writing.confirm(batch)))
                await asyncio.sleep(0)  # it is sent before the next one is encoded
            while flying:
                rows += await flying.popleft()
            told(rows)
        finally:
            for task in flying:
                task.cancel()
            await store.stop()
        return rows


class _Clock:
    """Says when the next batch may go; what was late isn't made up for."""

    def __init__(self, pace: Pace) -> None:
        self._per_second = pace.rows_per_second
        self._due = 0.0

    async def wait(self, rows: int) -> None:
        """Until so many rows more may be sent."""
        if self._per_second is None:
            return
        now = asyncio.get_running_loop().time()
        await asyncio.sleep(max(0.0, self._due - now))
        self._due = max(self._due, now) + rows / self._per_second


class _Writing:
    def __init__(self, view: str, write: HashWrite, writer: RowWriter, patience: float) -> None:
        self._view = view
        self._write = write
        self._writer = writer
        self._patience = patience

    async def confirm(self, batch: EncodedRows) -> int:
        """Write a batch until each of its rows is confirmed."""
        left = batch
        pause = FIRST_PAUSE_SECONDS
        loop = asyncio.get_running_loop()
        given_up = loop.time() + self._patience
        while True:
            report = await self._writer.write(self._write, left.keys, left.times, left.columns)
            if report.failure is None:
                return len(batch.keys)
            places = [place for place, outcome in enumerate(report.outcomes) if outcome is None]
            if isinstance(report.failure, UnreadableValue):
                raise MaterializationFailed("store", f"{self._view}: {report.failure} Remove that key, and materialize again.")
            if len(places) < len(left.keys):
                given_up = loop.time() + self._patience
                pause = FIRST_PAUSE_SECONDS
            if loop.time() >= given_up:
                raise self._given_up(report.failure)
            left = _only(left, places)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _given_up(self, failure: StoreUnavailable) -> MaterializationFailed:
        message = (
            f"{self._view}: Redis has confirmed nothing for {self._patience:.0f} s: {failure} "
            "What it had confirmed stays; materialize again once it is well."
        )
        return MaterializationFailed("store", message)


def _only(rows: EncodedRows, places: list[int]) -> EncodedRows:
    return EncodedRows(
        [rows.keys[place] for place in places],
        [rows.times[place] for place in places],
        [[column[place] for place in places] for column in rows.columns],
    )
