"""Writes to Redis: of each view of a row the newest event time stays."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Iterator

import pytest

from pipelines.local.redis import EmbeddedRedis
from service.errors import ConfigurationError, NotSupported
from service.http import run_eagerly
from service.store import RedisStore
from service.store.writes import HashWrite, RowWriter, WriteReport

from .stores import connected
from .timed_rows import BOTH_VIEWS, ONE_VIEW, ORDERS, PROFILE, Standing, columns, event_time, standing


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """A Redis of our own."""
    with EmbeddedRedis(tmp_path_factory.mktemp("redis"), persist=False) as server:
        yield server


@pytest.fixture
def redis(server: EmbeddedRedis) -> EmbeddedRedis:
    """That Redis, with nothing in it, scripts included."""
    assert server.command("FLUSHALL") == b"OK"
    assert server.command("SCRIPT", "FLUSH") == b"OK"
    return server


@pytest.fixture
async def store(redis: EmbeddedRedis) -> AsyncIterator[RedisStore]:
    """A store of two connections."""
    async with connected(redis.connection_string, read_timeout=5.0) as (store, _):
        yield store


@pytest.fixture
def writer(store: RedisStore) -> RowWriter:
    """What is tested."""
    return RowWriter(store)


async def write_row(
    writer: RowWriter, time: bytes, mark: object, key: bytes = b"key", write: HashWrite = ONE_VIEW
) -> int | None:
    """Write one row of one view; its outcome."""
    report = await writer.write(write, [key], [time], columns([mark]))
    assert report.failure is None
    (outcome,) = report.outcomes
    return outcome


async def test_a_newer_row_replaces(redis: EmbeddedRedis, writer: RowWriter) -> None:
    """All of it, and its time."""
    assert await write_row(writer, event_time(1_700_000_000), "older") == 1
    assert await write_row(writer, event_time(1_700_000_001), "newer") == 1
    assert standing(redis.port, [b"key"]) == [Standing(event_time(1_700_000_001), "newer")]


async def test_an_older_row_changes_nothing(redis: EmbeddedRedis, writer: RowWriter) -> None:
    """And is told from one that was written."""
    assert await write_row(writer, event_time(1_700_000_001), "newer") == 1
    assert await write_row(writer, event_time(1_700_000_000), "older") == 0
    assert standing(redis.port, [b"key"]) == [Standing(event_time(1_700_000_001), "newer")]


async def test_a_row_of_the_same_time_replaces(redis: EmbeddedRedis, writer: RowWriter) -> None:
    """So that a retry after a failure does what the first try should have done."""
    for mark in ("first", "second", "second"):
        assert await write_row(writer, event_time(1_700_000_000, 5), mark) == 1
        assert standing(redis.port, [b"key"]) == [Standing(event_time(1_700_000_000, 5), mark)]


# Times in order: the ends of what a Timestamp holds, both sides of the epoch, and where a varint gets a byte more.
TIMES = [
    (-62_135_596_800, 0),
    (-(2**35) - 1, 0),
    (-(2**35), 0),
    (-(2**28) - 1, 999_999_999),
    (-(2**28), 0),
    (-(2**28), 1),
    (-2, 999_999_999),
    (-1, 0),
    (-1, 1),
    (-1, 999_999_999),
    (0, 0),
    (0, 1),
    (0, 127),
    (0, 128),
    (0, 2**28 - 1),
    (0, 2**28),
    (0, 999_999_999),
    (1, 0),
    (127, 0),
    (128, 0),
    (2**28 - 1, 999_999_999),
    (2**28, 0),
    (2**28, 1),
    (1_700_000_000, 0),
    (1_700_000_000, 1),
    (1_700_000_000, 2),
    (1_700_000_000, 255),
    (1_700_000_000, 256),
    (1_700_000_000, 999_999_999),
    (1_700_000_001, 0),
    (1_700_000_128, 0),
    (2**31 - 1, 0),
    (2**31, 0),
    (2**32, 0),
    (2**35 - 1, 999_999_999),
    (2**35, 0),
    (2**35, 1),
    (253_402_300_799, 999_999_998),
    (253_402_300_799, 999_999_999),
]


async def test_times_are_compared_to_the_nanosecond(redis: EmbeddedRedis, writer: RowWriter) -> None:
    """Every pair of them, in both orders, and thousands of random ones."""
    rng = random.Random(4)
    drawn = [(rng.choice([-1, 1]) * rng.getrandbits(rng.randint(1, 37)), rng.getrandbits(29)) for _ in range(2000)]
    near = [
        (seconds + rng.choice([0, 0, 0, 1, -1]), (nanos + rng.choice([0, 1, 128, 2**21])) % 10**9) for seconds, nanos in drawn
    ]
    pairs = [*itertools.product(TIMES, TIMES), *zip(drawn, near, strict=True), *zip(near, drawn, strict=True)]
    keys = [b"key:%d" % number for number in range(len(pairs))]
    for place in (0, 1):
        times = [event_time(*pair[place]) for pair in pairs]
        report = await writer.write(ONE_VIEW, keys, times, columns([place] * len(keys)), within=20.0)
        assert report.failure is None
    assert report.outcomes == [int(second >= first) for first, second in pairs]
    assert standing(redis.port, keys) == [Standing(event_time(*max(pair)), str(int(pair[1] >= pair[0]))) for pair in pairs]


async def test_rows_of_one_batch_see_those_before_them(redis: EmbeddedRedis, writer: RowWriter) -> None:
    """The same key twice, in one call or in several, in one part of a large batch or in two."""
    rng = random.Random(5)
    seconds = [rng.randrange(400) for _ in range(1500)]
    keys = [b"key:%d" % rng.randrange(4) for _ in seconds]
    newest: dict[bytes, tuple[int, int]] = {}
    expected = []
    for row, (key, second) in enumerate(zip(keys, seconds, strict=True)):
        wins = second >= newest.get(key, (-1, 0))[0]
        expected.append(int(wins))
        if wins:
            newest[key] = second, row
    report = await writer.write(ONE_VIEW, keys, [event_time(second) for second in seconds], columns(range(1500)))
    assert report == WriteReport(expected, None)
    wanted = [Standing(event_time(second), str(row)) for second, row in newest.values()]
    assert standing(redis.port, list(newest)) == wanted


async def test_keys_and_values_of_any_size_and_content(redis: EmbeddedRedis, writer: RowWriter) -> None:
    """Empty values (nulls), a megabyte, line ends, bytes that are no text; keys of several lengths in one batch."""
    values = [b"", b"\r\n", b"$5\r\nhello\r\n", bytes(range(256)), b"x" * 1_000_000, b"\x00", b"y" * 70_000]
    keys = [b"k" * (row + 1) + b"\r\n\x00\xff" for row in range(len(values))]
    report = await writer.write(ONE_VIEW, keys, [event_time(5)] * len(values), [values] * 7)
    assert report == WriteReport([1] * len(values), None)
    for key, value in zip(keys, values, strict=True):
        assert redis.command("HMGET", key, *PROFILE[1]) == [value] * 7
        assert redis.command("HLEN", key) == 8


async def test_each_view_of_a_row_has_its_own_newest_time(redis: EmbeddedRedis, writer: RowWriter) -> None:
    """A row may be newer for one view and older for another; what the row doesn't win stays as it was."""
    await writer.write(HashWrite([PROFILE]), [b"a", b"b"], [event_time(5), event_time(1)], columns(["was"] * 2))
    orders = columns(["was"] * 2, views=2)[len(PROFILE[1]) :]
    await writer.write(HashWrite([ORDERS]), [b"a", b"b"], [event_time(1), event_time(5)], orders)
    report = await writer.write(BOTH_VIEWS, [b"a", b"b", b"c"], [event_time(3)] * 3, columns(["is"] * 3, views=2))
    assert report == WriteReport([0b10, 0b01, 0b11], None)
    was, new = Standing(event_time(5), "was"), Standing(event_time(3), "is")
    assert standing(redis.port, [b"a", b"b", b"c"], PROFILE) == [was, new, new]
    assert standing(redis.port, [b"a", b"b", b"c"], ORDERS) == [new, was, new]


async def test_what_else_is_in_the_hash_stays(redis: EmbeddedRedis, writer: RowWriter) -> None:
    """Fields of views that aren't written, and of features that the view had before."""
    redis.command("HSET", "key", "_ts:other", event_time(9), "other", "theirs", "old feature", "kept")
    assert await write_row(writer, event_time(5), "ours") == 1
    assert redis.command("HMGET", "key", "_ts:other", "other", "old feature") == [event_time(9), b"theirs", b"kept"]


async def test_a_view_without_features_and_one_wider_than_a_call_of_hset(redis: EmbeddedRedis, writer: RowWriter) -> None:
    """Lua hands at most 8,000 arguments to a command; a view of 20,000 features is written whole all the same."""
    assert await writer.write(HashWrite([(b"_ts:bare", [])]), [b"bare"], [event_time(5)], []) == WriteReport([1], None)
    assert redis.command("HGETALL", "bare") == [b"_ts:bare", event_time(5)]
    wide = HashWrite([(b"_ts:wide", [b"%d" % number for number in range(20_000)])])
    report = await writer.write(
        wide, [b"wide"] * 3, [event_time(5), event_time(4), event_time(6)], [[b"5", b"4", b"6"]] * 20_000
    )
    assert report == WriteReport([1, 0, 1], None)
    values = redis.command("HVALS", "wide")
    assert isinstance(values, list)
    assert sorted(values) == sorted([event_time(6), *[b"6"] * 20_000])


def seconds_left(redis: EmbeddedRedis, key: bytes = b"key") -> int:
    """The key's time to live; -1 is forever."""
    left = redis.command("TTL", key)
    assert isinstance(left, int)
    return left


async def test_a_time_to_live_begins_anew_with_what_is_written(redis: EmbeddedRedis, writer: RowWriter) -> None:
    """On the whole hash, if one view of the row was written; a stale row doesn't prolong it."""
    lasting = HashWrite([PROFILE, ORDERS], key_ttl_seconds=1000)
    await writer.write(lasting, [b"key"], [event_time(5)], columns(["a"], views=2))
    assert 0 < seconds_left(redis) <= 1000
    redis.command("EXPIRE", "key", 50)
    await writer.write(lasting, [b"key"], [event_time(4)], columns(["b"], views=2))
    assert 0 < seconds_left(redis) <= 50
    redis.command("HSET", "key", "_ts:orders", event_time(9))
    report = await writer.write(lasting, [b"key"], [event_time(6)], columns(["c"], views=2))
    assert report.outcomes == [0b01]
    assert 50 < seconds_left(redis) <= 1000


@pytest.mark.parametrize("never", [None, 0])
async def test_without_a_time_to_live_keys_stay(redis: EmbeddedRedis, store: RedisStore, never: int | None) -> None:
    """Feast takes 0 for none, too, and leaves one alone that a key has already."""
    writer, forever = RowWriter(store), HashWrite([PROFILE], key_ttl_seconds=never)
    await write_row(writer, event_time(5), "a", write=forever)
    assert seconds_left(redis) == -1
    redis.command("EXPIRE", "key", 50)
    await write_row(writer, event_time(6), "b", write=forever)
    assert 0 < seconds_left(redis) <= 50


def test_what_cannot_be_written_is_refused_when_it_is_prepared() -> None:
    """A time to live that would delete the rows, and more views than an outcome has bits for."""
    with pytest.raises(ConfigurationError, match=r"key_ttl_seconds.*-1"):
        HashWrite([PROFILE], key_ttl_seconds=-1)
    with pytest.raises(NotSupported, match=r"54.*53"):
        HashWrite([(b"_ts:%d" % number, []) for number in range(54)])


async def test_the_most_views_that_there_can_be(writer: RowWriter) -> None:
    """Fifty-three of them give an outcome of fifty-three bits."""
    many = HashWrite([(b"_ts:%d" % number, []) for number in range(53)])
    assert await writer.write(many, [b"key"], [event_time(5)], []) == WriteReport([2**53 - 1], None)


@pytest.mark.parametrize(
    ("keys", "times", "values", "width"), [(2, 2, 2, 6), (2, 2, 2, 8), (3, 2, 2, 7), (2, 3, 2, 7), (2, 2, 3, 7), (1, 4, 4, 1)]
)
async def test_columns_that_do_not_fit_are_refused(writer: RowWriter, keys: int, times: int, values: int, width: int) -> None:
    """Rather than put into other fields or rows."""
    with pytest.raises(ValueError, match=r"columns|zip|slice"):
        await writer.write(ONE_VIEW, [b"key"] * keys, [event_time(5)] * times, [[b"a"] * values] * width)


async def test_no_rows(writer: RowWriter) -> None:
    """Nothing to do is nothing that fails."""
    assert await writer.write(ONE_VIEW, [], [], [[]] * 7) == WriteReport([], None)


async def test_the_script_is_loaded_when_redis_does_not_have_it(redis: EmbeddedRedis, writer: RowWriter) -> None:
    """At the first write, after SCRIPT FLUSH, and after a failover to a Redis that never had it; for every call of a batch."""
    keys = [b"key:%d" % number for number in range(1500)]
    for second in range(3):
        redis.command("SCRIPT", "FLUSH")
        report = await writer.write(ONE_VIEW, keys, [event_time(second)] * 1500, columns([second] * 1500))
        assert report == WriteReport([1] * 1500, None)
        assert standing(redis.port, keys) == [Standing(event_time(second), str(second))] * 1500


async def test_a_write_runs_without_a_task(redis: EmbeddedRedis, writer: RowWriter) -> None:
    """As the short way of a request does."""
    reports: list[WriteReport] = []
    done = asyncio.Event()

    async def push() -> None:
        keys = [b"key:%d" % number for number in range(1500)]
        reports.append(await writer.write(ONE_VIEW, keys, [event_time(5)] * 1500, columns(["it"] * 1500), within=5.0))
        done.set()

    loop = asyncio.get_running_loop()
    loop.call_soon(run_eagerly, push(), loop)
    await asyncio.wait_for(done.wait(), 10)
    assert reports == [WriteReport([1] * 1500, None)]
