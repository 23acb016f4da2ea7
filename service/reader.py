"""The way of a read through the house: columns of ids in, the JSON of the answer out. Knows no HTTP."""

import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any

from service.errors import InvalidRequest, Problem, RequestTooLarge, StoreTimeout, UnreadableValue
from service.keys import DUMMY_JOIN_KEY, DUMMY_VALUE, JoinKey, shorten
from service.metrics import Metrics
from service.plan import Group, ReadPlan
from service.store import HashRow, RedisStore
from service.vectors import UNREADABLE, Vector, VectorBuilder, concatenate, find_unreadable, to_json

# Entities decoded in one go (about 2 ms of 12 features). A larger request lets others through between its parts.
ROWS_AT_ONCE = 512

# The id of views without an entity, as JoinKey.encode gives it.
_DUMMY_ID = JoinKey(DUMMY_JOIN_KEY, "STRING").encode([DUMMY_VALUE], DUMMY_JOIN_KEY)


class Reader:
    """Runs plans against a store."""

    def __init__(
        self,
        store: RedisStore,
        metrics: Metrics,
        max_entities: int,
        keep_expired: bool = False,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """`clock` gives nanoseconds since the epoch, and decides what is expired."""
        self._store = store
        self._clock = clock
        self._max_entities = max_entities
        self._vectors = VectorBuilder(metrics, max(max_entities, 1), keep_expired)
        self._cells = metrics.cells
        self._entities = metrics.histogram("read_entities")
        self._redis_seconds = metrics.histogram("read_phase_seconds", "redis")
        self._encode_seconds = metrics.histogram("read_phase_seconds", "encode")

    async def read(self, plan: ReadPlan, entities: Mapping[str, Sequence[Any]]) -> bytes:
        """The answer's JSON, vectors in the order of the request.

        Raises InvalidRequest for columns that are empty, ragged or mistyped, RequestTooLarge for too many rows,
        StoreUnavailable or StoreTimeout. Hot.
        """
        rows = self._count_rows(entities)
        encoded = [join_key.encode(entities[column], column) for column, join_key in plan.join_keys]
        keys = [_keys(group, encoded, rows) for group in plan.groups]
        self._entities.observe(rows)
        answer = [self._vectors.entity(entities[column]) for column in plan.echoed]
        if rows <= ROWS_AT_ONCE:
            answer += await self._read_rows(plan, keys)
        else:
            answer += concatenate([part async for part in self._read_in_parts(plan, keys, rows)])
        return b'{"results":[%s%s' % (to_json(answer), plan.tail)

    async def _read_in_parts(self, plan: ReadPlan, keys: Sequence[list[bytes]], rows: int) -> AsyncIterator[list[Vector]]:
        """Part by part, so that other requests get their turn; all within one deadline."""
        deadline = time.perf_counter() + self._store.read_timeout
        for start in range(0, rows, ROWS_AT_ONCE):
            left = deadline - time.perf_counter()
            if left <= 0:
                raise StoreTimeout(f"Redis didn't answer for all of {rows} entities within the deadline.")
            yield await self._read_rows(plan, [column[start : start + ROWS_AT_ONCE] for column in keys], left)

    async def _read_rows(self, plan: ReadPlan, keys: Sequence[list[bytes]], within: float | None = None) -> list[Vector]:
        """The vectors of the features, for one range of rows. `keys` are those of each group."""
        started = time.perf_counter()
        wanted = [list(dict.fromkeys(column)) for column in keys]
        replies = await self._store.read_hashes(
            [(group.read, column) for group, column in zip(plan.groups, wanted, strict=True)], within
        )
        fetched = time.perf_counter()
        self._redis_seconds.observe(fetched - started)
        now = self._clock()
        offset = len(plan.echoed)
        answer: list[Any] = [None] * (offset + plan.features)
        for group, column, unique, rows in zip(plan.groups, keys, wanted, replies, strict=True):
            columns = tuple(zip(*_spread(rows, unique, column), strict=True))
            try:
                self._vectors.fill(group, columns, now, answer)
            except UNREADABLE as error:
                found = find_unreadable(group, columns)
                if found is None:
                    raise
                row, name = found
                raise UnreadableValue(f"Redis key {column[row]!r}: {name} can't be read: {error}") from error
        self._encode_seconds.observe(time.perf_counter() - fetched)
        return answer[offset:]

    def _count_rows(self, entities: Mapping[str, Sequence[Any]]) -> int:
        """The length that all columns have; a request without columns is for one row."""
        if not entities:
            return 1
        rows = len(next(iter(entities.values())))
        if len(entities) > 1 and any(len(column) != rows for column in entities.values()):
            raise InvalidRequest(_ragged(entities))
        if rows == 0:
            raise InvalidRequest(
                Problem(f"{name} is empty; name one entity at least.", f"entities.{name}") for name in entities
            )
        if rows > self._max_entities:
            raise RequestTooLarge.because(
                f"{rows} entities are more than the {self._max_entities} that one request may ask for; split it.", "entities"
            )
        return rows


def _ragged(entities: Mapping[str, Sequence[Any]]) -> Iterator[Problem]:
    """Name the columns that differ from the first."""
    first, *others = entities
    for name in others:
        if len(entities[name]) != len(entities[first]):
            message = (
                f"All columns must have the same number of rows: {shorten(name)} has {len(entities[name])}, "
                f"{shorten(first)} has {len(entities[first])}."
            )
            yield Problem(message, f"entities.{shorten(name)}")


def _keys(group: Group, encoded: Sequence[list[bytes]], rows: int) -> list[bytes]:
    if not group.inputs:
        return group.encoder.encode([_DUMMY_ID * rows])
    return group.encoder.encode([encoded[index] for index in group.inputs])


def _spread(rows: list[HashRow], unique: list[bytes], keys: list[bytes]) -> list[HashRow]:
    """Rows of unique keys to rows of all keys: an entity that is asked for twice is fetched once."""
    if len(unique) == len(keys):
        return rows
    by_key = dict(zip(unique, rows, strict=True))
    return [by_key[key] for key in keys]
