"""Rows in quarantine, in a real Redis: what comes back, what goes past the cap, what is said when Redis isn't there."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipelines.local.redis import EmbeddedRedis
from service.errors import InvalidRequest, StoreUnavailable
from service.metrics import Metrics
from service.quarantine import Entry, Quarantine, QuarantinedRow
from service.store import RedisStore
from tests.servers.service_process import sample_sum

from .stores import connected

SOURCE = "customer_push_source"
# Everything that means something in a path, a query, a Redis key or an id of ours.
ODD_SOURCES = ["a/b?c=d#e", "..", ".", "50% off~7E", "x.1-0", "día 1\n", "[a-c]*", ""]
REASONS = ["total_spend must be positive, not -3.", "customer_segment is null."]


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """A server for all tests of this file."""
    with EmbeddedRedis(tmp_path_factory.mktemp("redis"), persist=False) as server:
        yield server


@pytest.fixture
async def store(redis: EmbeddedRedis) -> AsyncIterator[RedisStore]:
    """A worker's connections, to a Redis that holds nothing."""
    redis.command("CONFIG", "SET", "maxmemory", "0")
    redis.command("FLUSHALL")
    async with connected(redis.connection_string) as (store, _):
        yield store


def quarantine(store: RedisStore, metrics: Metrics, cap: int = 1000) -> Quarantine:
    """A worker's quarantine."""
    return Quarantine(store, "shop", cap, metrics)


def bad_rows(*numbers: int) -> list[QuarantinedRow]:
    """Rows that tell which they are."""
    return [QuarantinedRow({"customer_id": number, "total_spend": -3.0}, REASONS, number) for number in numbers]


def numbers_of(entries: list[Entry]) -> list[int]:
    """Which rows these are."""
    return [entry.row["customer_id"] for entry in entries]


def counted(metrics: Metrics, name: str, **labels: str) -> float:
    """A counter or gauge of all workers together."""
    return sample_sum(metrics.page().decode(), name, **labels)


async def test_a_row_comes_back_with_everything_that_is_known_of_it(store: RedisStore, tmp_path: Path) -> None:
    """Source, time, request, position, reasons; and the values as they were pushed."""
    row: dict[str, Any] = {
        "id": 2**70,
        "least": -(2**63),
        "name": 'a "quoted" ñame\u0000\u2028',
        "nothing": None,
        "list": [1, 2.5, "x", None, [True]],
        "map": {"": {}, "ü": 1e22},
        "small": 5e-324,
        "tenth": 0.1,
    }
    before = datetime.now(UTC)
    kept = quarantine(store, Metrics(tmp_path))
    await kept.add(SOURCE, "request-1", [QuarantinedRow(row, REASONS, 7)])
    (entry,) = await kept.page(SOURCE, None, 10)
    assert entry.row == row
    assert (entry.source, entry.request_id, entry.position, entry.reasons) == (SOURCE, "request-1", 7, REASONS)
    assert abs((entry.time - before).total_seconds()) < 60
    assert await kept.get(entry.id) == entry


async def test_what_json_has_no_number_for_is_kept_as_text(store: RedisStore, tmp_path: Path) -> None:
    """In the words that answers use for it; and what only Arrow can push is its text."""
    row = {
        "a": float("nan"),
        "b": [float("inf"), {"c": -float("inf")}],
        "d": Decimal("1.10"),
        "e": b"\xff",
        "f": datetime(2026, 1, 1, tzinfo=UTC),
        "g": {1: 2j},
    }
    kept = quarantine(store, Metrics(tmp_path))
    await kept.add(SOURCE, "r", [QuarantinedRow(row, REASONS, 0)])
    (entry,) = await kept.page(SOURCE, None, 10)
    texts = {"d": "1.10", "e": "/w==", "f": "2026-01-01T00:00:00Z", "g": {"1": "2j"}}
    assert entry.row == {"a": "NaN", "b": ["Infinity", {"c": "-Infinity"}], **texts}


async def test_an_id_stands_in_a_path_and_names_its_entry(store: RedisStore, tmp_path: Path) -> None:
    """Whatever characters the source's name has; no source sees another's rows."""
    kept = quarantine(store, Metrics(tmp_path))
    for number, source in enumerate(ODD_SOURCES):
        await kept.add(source, "r", bad_rows(number))
    for number, source in enumerate(ODD_SOURCES):
        (entry,) = await kept.page(source, None, 10)
        assert numbers_of([entry]) == [number]
        assert re.fullmatch(r"[A-Za-z0-9._~-]+", entry.id)
        assert set(entry.id) != {"."}
        found = await kept.get(entry.id)
        assert found == entry
        assert found.source == source
    assert await kept.sources() == dict.fromkeys(ODD_SOURCES, 1)


async def test_pages_follow_one_another_while_rows_come_and_go(store: RedisStore, tmp_path: Path) -> None:
    """Newest first, each row once, also behind an entry that was removed; oldest first when asked so."""
    kept = quarantine(store, Metrics(tmp_path))
    await kept.add(SOURCE, "r", bad_rows(*range(10)))
    first = await kept.page(SOURCE, None, 4)
    assert numbers_of(first) == [9, 8, 7, 6]
    await kept.add(SOURCE, "r", bad_rows(10))
    assert await kept.remove(first[-1].id)
    second = await kept.page(SOURCE, first[-1].id, 4)
    assert numbers_of(second) == [5, 4, 3, 2]
    third = await kept.page(SOURCE, second[-1].id, 4)
    assert numbers_of(third) == [1, 0]
    assert await kept.page(SOURCE, third[-1].id, 4) == []
    oldest = await kept.page(SOURCE, None, 3, newest_first=False)
    assert numbers_of(oldest) == [0, 1, 2]
    assert numbers_of(await kept.page(SOURCE, oldest[-1].id, 3, newest_first=False)) == [3, 4, 5]


async def test_exactly_the_newest_rows_are_kept_and_the_others_counted(store: RedisStore, tmp_path: Path) -> None:
    """For each source on its own; a batch larger than the cap keeps its last rows."""
    metrics = Metrics(tmp_path)
    kept = quarantine(store, metrics, cap=10)
    await kept.add("other", "r", bad_rows(1))
    for batch in (range(7), range(7, 14), range(14, 15), range(15, 55)):
        await kept.add(SOURCE, "r", bad_rows(*batch))
        newest = list(range(max(0, batch.stop - 10), batch.stop))
        assert numbers_of(await kept.page(SOURCE, None, 100, newest_first=False)) == newest
    assert await kept.sources() == {"other": 1, SOURCE: 10}
    assert counted(metrics, "quarantined_rows_total", source=SOURCE) == 55
    assert counted(metrics, "quarantine_dropped_rows_total", source=SOURCE) == 45
    assert counted(metrics, "quarantine_dropped_rows_total", source="other") == 0
    assert counted(metrics, "quarantine_max_rows") == 10


async def test_workers_that_add_at_once_keep_to_the_cap_together(
    redis: EmbeddedRedis, store: RedisStore, tmp_path: Path
) -> None:
    """What was added less what was dropped is what is there, by the metrics of all."""
    workers = [Metrics(tmp_path), Metrics(tmp_path)]
    async with connected(redis.connection_string) as (another, _):
        pair = [quarantine(of, metrics, 25) for of, metrics in zip((store, another), workers, strict=True)]
        adding = [kept.add(SOURCE, "r", bad_rows(*range(n, n + 7))) for n in range(20) for kept in pair]
        await asyncio.gather(*adding)
        assert await pair[0].sources() == {SOURCE: 25}
    dropped = counted(workers[0], "quarantine_dropped_rows_total", source=SOURCE)
    assert counted(workers[1], "quarantined_rows_total", source=SOURCE) - dropped == 25
    assert counted(workers[1], "quarantine_max_rows") == 25


async def test_removed_rows_are_gone(store: RedisStore, tmp_path: Path) -> None:
    """One, or all of a source; an id isn't given a second time."""
    kept = quarantine(store, Metrics(tmp_path))
    await kept.add(SOURCE, "r", bad_rows(1, 2, 3))
    await kept.add("other", "r", bad_rows(4))
    entries = await kept.page(SOURCE, None, 10)
    assert await kept.remove(entries[1].id)
    assert not await kept.remove(entries[1].id)
    assert await kept.get(entries[1].id) is None
    assert numbers_of(await kept.page(SOURCE, None, 10)) == [3, 1]
    assert await kept.remove_all(SOURCE) == 2
    assert await kept.remove_all(SOURCE) == 0
    assert await kept.remove_all("never") == 0
    assert await kept.sources() == {SOURCE: 0, "other": 1}
    await kept.add(SOURCE, "r", bad_rows(5))
    assert (await kept.page(SOURCE, None, 10))[0].id not in {entry.id for entry in entries}


@pytest.mark.parametrize(
    "wrong",
    ["", "x", f"{SOURCE}.1", f"{SOURCE}.1-", f"{SOURCE}.\u0661-0", f"{SOURCE}.-1-0", f"{SOURCE}.{'9' * 5000}-0", "%FF.1-0"],
)
async def test_what_is_no_id_names_nothing(store: RedisStore, tmp_path: Path, wrong: str) -> None:
    """There is no such entry; a page behind it can't be asked for."""
    kept = quarantine(store, Metrics(tmp_path))
    await kept.add(SOURCE, "r", bad_rows(1))
    assert await kept.get(wrong) is None
    assert not await kept.remove(wrong)
    with pytest.raises(InvalidRequest, match="after is the id"):
        await kept.page(SOURCE, wrong, 10)


async def test_another_sources_id_marks_no_place(store: RedisStore, tmp_path: Path) -> None:
    """It is refused rather than answered with whatever is older."""
    kept = quarantine(store, Metrics(tmp_path))
    await kept.add("other", "r", bad_rows(1))
    (entry,) = await kept.page("other", None, 1)
    with pytest.raises(InvalidRequest, match=f"an entry of {SOURCE}"):
        await kept.page(SOURCE, entry.id, 10)


async def test_a_row_that_redis_does_not_take_is_not_said_to_be_kept(
    redis: EmbeddedRedis, store: RedisStore, tmp_path: Path
) -> None:
    """Redis is full, then gone."""
    metrics = Metrics(tmp_path)
    kept = quarantine(store, metrics)
    redis.command("CONFIG", "SET", "maxmemory", "1")
    with pytest.raises(StoreUnavailable, match="OOM"):
        await kept.add(SOURCE, "r", bad_rows(1))
    redis.command("CONFIG", "SET", "maxmemory", "0")
    assert await kept.sources() == {}
    redis.kill()
    try:
        with pytest.raises(StoreUnavailable):
            await kept.add(SOURCE, "r", bad_rows(1))
        with pytest.raises(StoreUnavailable):
            await kept.sources()
    finally:
        redis.start()
    assert counted(metrics, "quarantined_rows_total") == 0
