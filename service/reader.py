"""The way of a read through the house: columns of ids in, the JSON of the answer out. Knows no HTTP."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from service.columns import ragged
from service.derivation import Derivation
from service.errors import InvalidRequest, Problem, RequestTooLarge, StoreTimeout
from service.gathering import ROWS_AT_ONCE, Gatherer
from service.groups import Group
from service.keys import DUMMY_JOIN_KEY, DUMMY_VALUE, JoinKey
from service.metrics import Metrics
from service.plan import ReadPlan
from service.store import RedisStore
from service.transforms import Transforms
from service.vectors import Column, VectorBuilder, concatenate, concatenate_columns

# Values of columns that are written as JSON within a millisecond; more are in a thread.
VALUES_AT_ONCE = 20_000
# The id of views without an entity, as JoinKey.encode gives it.
_DUMMY_ID = JoinKey(DUMMY_JOIN_KEY, "STRING").encode([DUMMY_VALUE], DUMMY_JOIN_KEY)


class Reader:
    """Runs plans against a store."""

    def __init__(
        self,
        store: RedisStore,
        metrics: Metrics,
        transforms: Transforms,
        max_entities: int,
        keep_expired: bool = False,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """`clock` gives nanoseconds since the epoch, and decides what is expired."""
        self._store = store
        self._max_entities = max_entities
        self._vectors = VectorBuilder(metrics, max(max_entities, 1), keep_expired)
        self._gatherer = Gatherer(store, metrics, self._vectors, clock)
        self._derivation = Derivation(transforms, self._vectors, clock)
        self._entities = metrics.histogram("read_entities")

    async def read(self, plan: ReadPlan, entities: Mapping[str, Sequence[Any]]) -> bytes:
        """The answer's JSON, vectors in the order of the request.

        Raises InvalidRequest for columns that are empty, ragged or mistyped, RequestTooLarge for too many rows,
        StoreUnavailable or StoreTimeout. Hot.
        """
        if plan.as_columns:
            columns = await self.read_columns(plan, entities)
            if len(columns[0].values) * plan.width <= VALUES_AT_ONCE:
                return self._render(plan, columns, entities)
            return await asyncio.get_running_loop().run_in_executor(None, self._render, plan, columns, entities)
        ids, rows = self._prepare(plan, entities)
        is_small = rows <= ROWS_AT_ONCE
        answer = await (self._gatherer.read(plan, ids, rows) if is_small else self._read_much(plan, ids, rows))
        return self._join(plan, answer, entities)

    def _render(self, plan: ReadPlan, columns: Sequence[Column], entities: Mapping[str, Sequence[Any]]) -> bytes:
        """The JSON of columns."""
        vectors = self._vectors.vectors(plan.codecs, columns[len(plan.echoed) :])
        return self._join(plan, chain.from_iterable(vectors), entities)

    def _join(self, plan: ReadPlan, arrays: Iterable[bytes], entities: Mapping[str, Sequence[Any]]) -> bytes:
        """The JSON of an answer's arrays, and of the entity columns before them. Hot."""
        echoed = chain.from_iterable([self._vectors.entity(entities[column]) for column in plan.echoed])
        return plan.template % plan.arrange([*echoed, *arrays])

    async def read_columns(self, plan: ReadPlan, entities: Mapping[str, Sequence[Any]]) -> list[Column]:
        """The answer's columns, on-demand features among them; raises ComputationFailed and ComputationTimeout, too."""
        ids, rows = self._prepare(plan, entities)
        data = [field.read(entities[field.column]) for field in plan.request]
        expected = self._derivation.expect(plan)
        try:
            columns: list[Any] = [None] * plan.reads
            if plan.groups:  # else these are on-demand features of request data alone
                is_small = rows <= ROWS_AT_ONCE
                columns = await (self._gatherer.read(plan, ids, rows) if is_small else self._read_much(plan, ids, rows))
            columns[: len(plan.echoed)] = [self._vectors.echo(entities[column]) for column in plan.echoed]
            await self._derivation.add(plan, columns, entities, data, rows, expected)
        finally:
            self._derivation.forget(expected)
        return columns[: plan.width]

    def _prepare(self, plan: ReadPlan, entities: Mapping[str, Sequence[Any]]) -> tuple[list[list[bytes]], int]:
        """The entities' ids of each group, and the number of rows. Hot."""
        rows = self._count_rows(entities)
        encoded = [join_key.encode(entities[column], f"entities.{column}") for column, join_key in plan.join_keys]
        self._entities.observe(rows)
        return [_ids(group, encoded, rows) for group in plan.groups], rows

    async def _read_much(self, plan: ReadPlan, ids: Sequence[list[bytes]], rows: int) -> list[Any]:
        """The same as `Gatherer.read` gives, of more than ROWS_AT_ONCE rows."""
        parts = [part async for part in self._read_in_parts(plan, ids, rows)]
        return concatenate_columns(parts, len(plan.echoed)) if plan.as_columns else concatenate(parts)

    async def _read_in_parts(self, plan: ReadPlan, ids: Sequence[list[bytes]], rows: int) -> AsyncIterator[list[Any]]:
        """Part by part, so that other requests get their turn; all within one deadline.

        Two are under way at a time: Redis has the next while one is decoded.
        """
        deadline = time.perf_counter() + self._store.read_timeout
        coming: deque[asyncio.Future[list[Any]]] = deque()
        try:
            for start in range(0, rows, ROWS_AT_ONCE):
                left = deadline - time.perf_counter()
                if left <= 0:
                    raise StoreTimeout(f"Redis didn't answer for all of {rows} entities within the deadline.")
                part = [column[start : start + ROWS_AT_ONCE] for column in ids]
                coming.append(self._gatherer.read_now(plan, part, min(ROWS_AT_ONCE, rows - start), left))
                if len(coming) > 1:
                    yield await coming.popleft()
            while coming:
                yield await coming.popleft()
        finally:
            for future in coming:  # after a failure
                if not future.cancel():
                    future.exception()  # it has failed, too; asyncio logs those that nobody looks at

    def _count_rows(self, entities: Mapping[str, Sequence[Any]]) -> int:
        """The length that all columns have; a request without columns is for one row."""
        if not entities:
            return 1
        rows = len(next(iter(entities.values())))
        if len(entities) > 1 and any(len(column) != rows for column in entities.values()):
            raise InvalidRequest(ragged(entities, "entities"))
        if rows == 0:
            raise InvalidRequest(
                Problem(f"{name} is empty; name one entity at least.", f"entities.{name}") for name in entities
            )
        if rows > self._max_entities:
            raise RequestTooLarge.because(
                f"{rows} entities are more than the {self._max_entities} that one request may ask for; split it.", "entities"
            )
        return rows


def _ids(group: Group, encoded: Sequence[list[bytes]], rows: int) -> list[bytes]:
    if not group.inputs:
        return group.encoder.ids([_DUMMY_ID * rows])
    return group.encoder.ids([encoded[index] for index in group.inputs])
