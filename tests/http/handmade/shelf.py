"""A dictionary in Redis's place, so that the clock and every byte are the test's; and reads from it."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from service.catalog import Catalog
from service.catalog.definitions import ViewDefinition
from service.metrics import Metrics
from service.plan import Shape, compile_plan
from service.reader import Reader
from service.store import HashRead, HashRow
from service.transforms import Transforms

from .rows import redis_key, row

NOW = 1_700_000_000 * 10**9 + 123_456_789
MAX_ENTITIES = 5000
BUDGET_SECONDS = 5.0


class Shelf:
    """Hashes in a dictionary, read as Redis's are; it keeps count of the keys that it was asked for."""

    # Seconds that a read may take; here none does.
    read_timeout = 60.0

    def __init__(self) -> None:
        self.hashes: dict[bytes, dict[bytes, bytes]] = {}
        self.asked: list[bytes] = []
        self.calls = 0

    def put(self, of: ViewDefinition, ids: Mapping[str, Any], time: int | None, values: Mapping[str, bytes]) -> None:
        """A row of a view; without a time it lacks its event time."""
        fields = row(of, time or 0, values)
        if time is None:
            del fields[f"_ts:{of.store_name}".encode()]
        self.hashes.setdefault(redis_key(of, ids), {}).update(fields)

    def flush(self) -> None:
        """Nothing waits to be written."""

    def read_hashes(
        self, reads: Sequence[tuple[HashRead, Sequence[bytes]]], within: float | None = None
    ) -> "asyncio.Future[list[HashRow]]":
        """The fields of each key, None where there are none."""
        self.calls += 1
        keys = [(read.fields, read.key(entity_id)) for read, ids in reads for entity_id in ids]
        self.asked += [key for _, key in keys]
        replies: asyncio.Future[list[HashRow]] = asyncio.get_running_loop().create_future()
        replies.set_result([[self.hashes.get(key, {}).get(field) for field in fields] for fields, key in keys])
        return replies


def reader_of(shelf: Shelf, metrics: Metrics, keep: bool = False, now: int = NOW) -> Reader:
    """A reader of a shelf, at a time of the test's choice."""
    transforms = Transforms(metrics, BUDGET_SECONDS)
    return Reader(shelf, metrics, transforms, MAX_ENTITIES, keep, lambda: now)  # type: ignore[arg-type]


async def answered(
    metrics: Metrics,
    shelf: Shelf,
    of: Catalog,
    features: Sequence[str] | str,
    entities: Mapping[str, Sequence[Any]],
    *,
    full: bool = False,
    keep: bool = False,
    now: int = NOW,
) -> dict[str, Any]:
    """The answer of a read, parsed."""
    asked: dict[str, Any] = {"service": features} if isinstance(features, str) else {"features": tuple(features)}
    plan = compile_plan(of, Shape(columns=tuple(entities), full_names=full, **asked))
    answer: dict[str, Any] = json.loads(await reader_of(shelf, metrics, keep, now).read(plan, entities))
    return answer
