"""Reads that are asked for in one turn of the event loop, put together: one HMGET a key, one decoding of all their rows.

Under load several requests are ready at once, and nearly all of them have the same plan. What a read costs beside its rows
(a column each of keys, commands, replies, values) is then paid once for all of them. A request that comes alone waits for
nobody: what was gathered goes out at the end of the turn, as a write to Redis would anyway.
"""

import asyncio
import functools
import time
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

from service.blocks import UNREADABLE, Block, find_unreadable
from service.errors import StoreUnavailable, UnreadableValue
from service.groups import Group
from service.metrics import Metrics
from service.plan import ReadPlan
from service.store import HashRow, RedisStore, check_rows
from service.vectors import VectorBuilder

# Rows of one request decoded in one go (about 2 ms of 12 features): others get their turn in between.
ROWS_AT_ONCE = 512
# Rows of several requests: with more, Redis and this process would wait for each other instead of working at the same time.
ROWS_TOGETHER = 40


class Part:
    """The rows that one request asked for: the entities' ids of each group."""

    __slots__ = ("future", "ids", "rows")

    def __init__(self, ids: Sequence[list[bytes]], rows: int, future: "asyncio.Future[list[Any]]") -> None:
        self.ids = ids
        self.rows = rows
        self.future = future


class Batch:
    """Parts of one plan that are read together; `ids` of each group, every one once."""

    __slots__ = ("ids", "parts", "plan", "rows", "started")

    def __init__(self, plan: ReadPlan) -> None:
        self.plan = plan
        self.parts: list[Part] = []
        self.rows = 0
        self.ids: list[list[bytes]] = []
        self.started = time.perf_counter()

    def all_ids(self, group: int) -> list[bytes]:
        """Those of all rows of one group, in the order of the parts."""
        if len(self.parts) == 1:
            return self.parts[0].ids[group]
        return list(chain.from_iterable([part.ids[group] for part in self.parts]))


class Gatherer:
    """Reads rows of plans from a store; one for each worker."""

    def __init__(self, store: RedisStore, metrics: Metrics, builder: VectorBuilder, clock: Callable[[], int]) -> None:
        """`clock` gives nanoseconds since the epoch, and decides what is expired."""
        self._store = store
        self._builder = builder
        self._clock = clock
        self._redis_seconds = metrics.histogram("read_phase_seconds", "redis")
        self._encode_seconds = metrics.histogram("read_phase_seconds", "encode")
        # By the plan's identity: what was asked for in this turn of the event loop.
        self._gathered: dict[int, Batch] = {}

    @functools.cached_property
    def _loop(self) -> asyncio.AbstractEventLoop:
        # Asked once: asyncio looks at the process's id each time, which is a call of the kernel, some 4 microseconds.
        return asyncio.get_running_loop()

    def read(self, plan: ReadPlan, ids: Sequence[list[bytes]], rows: int) -> "asyncio.Future[list[Any]]":
        """What the plan reads of up to ROWS_AT_ONCE rows: the JSON arrays that it arranges; or columns, each in its place.

        `ids` are those of each group. Hot.
        """
        batch = self._gathered.get(id(plan))
        if batch is None or batch.rows + rows > ROWS_TOGETHER:
            if batch is not None:
                self._send(batch)
                self._store.flush()
            elif not self._gathered:
                self._loop.call_soon(self._send_gathered)
            batch = self._gathered[id(plan)] = Batch(plan)
        return self._add(batch, ids, rows)

    def read_now(self, plan: ReadPlan, ids: Sequence[list[bytes]], rows: int, within: float) -> "asyncio.Future[list[Any]]":
        """The same for a part of a larger read, which has so many seconds left."""
        batch = Batch(plan)
        future = self._add(batch, ids, rows)
        self._send(batch, within)
        return future

    def _add(self, batch: Batch, ids: Sequence[list[bytes]], rows: int) -> "asyncio.Future[list[Any]]":
        future: asyncio.Future[list[Any]] = self._loop.create_future()
        batch.parts.append(Part(ids, rows, future))
        batch.rows += rows
        return future

    def _send_gathered(self) -> None:
        gathered, self._gathered = self._gathered, {}
        for batch in gathered.values():
            try:
                self._send(batch)
            except Exception as error:  # so that the others are sent
                _fail(batch, error)
        self._store.flush()

    def _send(self, batch: Batch, within: float | None = None) -> None:
        groups = batch.plan.groups
        batch.ids = [list(dict.fromkeys(batch.all_ids(group))) for group in range(len(groups))]
        reads = [(group.read, ids) for group, ids in zip(groups, batch.ids, strict=True)]
        try:
            self._store.read_hashes(reads, within).add_done_callback(lambda replies: self._receive(batch, replies))
        except StoreUnavailable as error:
            _fail(batch, error)

    def _receive(self, batch: Batch, replies: "asyncio.Future[list[HashRow]]") -> None:
        if error := replies.exception():
            _fail(batch, error)
            return
        fetched = time.perf_counter()
        self._redis_seconds.observe(fetched - batch.started, len(batch.parts))
        try:
            self._answer(batch, replies.result())
        except Exception as error:
            if len(batch.parts) == 1:
                _fail(batch, error)
                return
            # One of them asked for what can't be read; the others are answered.
            for part in batch.parts:
                self._answer_alone(batch, part, replies.result())
        self._encode_seconds.observe((time.perf_counter() - fetched) / len(batch.parts), len(batch.parts))

    def _answer(self, batch: Batch, replies: Sequence[HashRow]) -> None:
        """Decode all rows, group by group, and give each part its own."""
        plan = batch.plan
        now = self._clock()
        answers: list[list[Any]] = [[None] * plan.reads if plan.as_columns else [] for _ in batch.parts]
        first = 0
        for index, (group, unique) in enumerate(zip(plan.groups, batch.ids, strict=True)):
            ids = batch.all_ids(index)
            rows = _spread(replies[first : first + len(unique)], unique, ids)
            check_rows(rows, map(group.read.key, ids))
            first += len(unique)
            block = self._decode(group, ids, tuple(zip(*rows, strict=True)), now, plan)
            cut = block.take if plan.as_columns else block.cut
            start = 0
            for part, answer in zip(batch.parts, answers, strict=True):
                stop = start + part.rows
                cut(start, stop, answer)
                start = stop
        for part, answer in zip(batch.parts, answers, strict=True):
            if not part.future.done():
                part.future.set_result(answer)

    def _answer_alone(self, batch: Batch, part: Part, replies: Sequence[HashRow]) -> None:
        alone = Batch(batch.plan)
        alone.parts, alone.rows, alone.ids = [part], part.rows, batch.ids
        try:
            self._answer(alone, replies)
        except Exception as error:
            _fail(alone, error)

    def _decode(
        self, group: Group, ids: Sequence[bytes], columns: Sequence[Sequence[bytes | None]], now: int, plan: ReadPlan
    ) -> Block:
        try:
            return Block(group, columns, now, self._builder, plan.with_times, plan.is_packed)
        except UNREADABLE as error:
            found = find_unreadable(group, columns)
            if found is None:
                raise
            row, name = found
            raise UnreadableValue(f"Redis key {group.read.key(ids[row])!r}: {name} can't be read: {error}") from error


def _fail(batch: Batch, error: BaseException) -> None:
    for part in batch.parts:
        if not part.future.done():
            part.future.set_exception(error)


def _spread(rows: Sequence[HashRow], unique: list[bytes], ids: list[bytes]) -> Sequence[HashRow]:
    """Rows of unique ids to rows of all: an entity that is asked for twice is fetched once."""
    if unique == ids:
        return rows
    by_id = dict(zip(unique, rows, strict=True))
    return [by_id[one] for one in ids]
