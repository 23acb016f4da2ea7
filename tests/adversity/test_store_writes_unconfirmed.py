"""Writes that Redis refuses, or whose answer is lost: only what it confirmed is called written."""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from pipelines.local.redis import EmbeddedRedis
from service.errors import StoreTimeout, StoreUnavailable, UnreadableValue
from service.store import RedisStore
from service.store.writes import KEYS_PER_CALL, RowWriter, WriteReport
from tests.servers.scripted_redis import scripted_redis
from tests.servers.tcp_proxy import TcpProxy
from tests.servers.waiting import until

from .stores import connected, started
from .timed_rows import BOTH_VIEWS, ONE_VIEW, ORDERS, PROFILE, Standing, columns, event_time, standing


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """A Redis that saves, so that it refuses to write when it can't."""
    with EmbeddedRedis(tmp_path_factory.mktemp("redis"), args=("--dbfilename", "rows.rdb")) as server:
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


async def write_row(writer: RowWriter, seconds: int, mark: str) -> int | None:
    """Write one row; its outcome."""
    return (await writer.write(ONE_VIEW, [b"key"], [event_time(seconds)], columns([mark]))).outcomes[0]


# How Redis is made to refuse, and how to allow it again; the keys are its words.
REFUSALS = {
    "OOM": ([("CONFIG", "SET", "maxmemory", "1")], [("CONFIG", "SET", "maxmemory", "0")]),
    "READONLY": ([("REPLICAOF", "127.0.0.1", "1")], [("REPLICAOF", "NO", "ONE")]),
    "NOREPLICAS": ([("CONFIG", "SET", "min-replicas-to-write", "1")], [("CONFIG", "SET", "min-replicas-to-write", "0")]),
    "can't run this command": ([("ACL", "SETUSER", "default", "-hset")], [("ACL", "SETUSER", "default", "+@all")]),
    "NOPERM.*evalsha": ([("ACL", "SETUSER", "default", "-evalsha")], [("ACL", "SETUSER", "default", "+@all")]),
    "NOPERM.*script": (
        [("ACL", "SETUSER", "default", "-script"), ("SCRIPT", "FLUSH")],
        [("ACL", "SETUSER", "default", "+@all")],
    ),
}


@pytest.mark.parametrize("words", REFUSALS)
async def test_what_redis_refuses_is_not_confirmed(redis: EmbeddedRedis, writer: RowWriter, words: str) -> None:
    """In Redis's own words; nothing is half written, and the next write goes through as soon as Redis takes it."""
    refuse, allow = REFUSALS[words]
    keys = [b"key:%d" % number for number in range(1500)]
    await write_row(writer, 5, "before")
    for command in refuse[::-1]:
        assert redis.command(*command) == b"OK"
    try:
        report = await writer.write(ONE_VIEW, keys, [event_time(6)] * 1500, columns(["refused"] * 1500))
    finally:
        for command in allow:
            assert redis.command(*command) == b"OK"
    assert report.outcomes == [None] * 1500
    with pytest.raises(StoreUnavailable, match=words):
        raise report.failure or AssertionError("no failure")
    assert standing(redis.port, [b"key", *keys]) == [Standing(event_time(5), "before"), *[None] * 1500]
    assert await write_row(writer, 6, "after") == 1


async def test_a_redis_that_cannot_save_takes_no_writes(redis: EmbeddedRedis, writer: RowWriter) -> None:
    """MISCONF: a folder stands where its file should go, which stops even root."""
    await write_row(writer, 5, "before")
    obstacle = redis.directory / "rows.rdb"
    obstacle.unlink(missing_ok=True)
    obstacle.mkdir()
    (obstacle / "file").touch()
    await save(redis, "err")
    report = await writer.write(ONE_VIEW, [b"key"], [event_time(6)], columns(["refused"]))
    (obstacle / "file").unlink()
    obstacle.rmdir()
    await save(redis, "ok")
    assert report.outcomes == [None]
    assert "MISCONF" in str(report.failure)
    assert standing(redis.port, [b"key"]) == [Standing(event_time(5), "before")]
    assert await write_row(writer, 6, "after") == 1


async def save(redis: EmbeddedRedis, status: str) -> None:
    """Have Redis save in the background, until it says that it ended so."""
    redis.command("BGSAVE")
    await until(
        lambda: f"rdb_last_bgsave_status:{status}" in str(redis.command("INFO", "persistence")), f"a save that is {status}"
    )


async def test_a_redis_that_runs_a_long_script_is_busy(redis: EmbeddedRedis, writer: RowWriter) -> None:
    """BUSY is said as it is, and the row isn't called written; after SCRIPT KILL all is well."""
    redis.command("CONFIG", "SET", "lua-time-limit", "50")
    endless = asyncio.create_task(asyncio.to_thread(redis.command, "EVAL", "while true do end", "0"))
    await until(lambda: "BUSY" in str(redis.command("PING")), "that Redis is busy")
    report = await writer.write(ONE_VIEW, [b"key"], [event_time(6)], columns(["refused"]))
    redis.command("SCRIPT", "KILL")
    await endless
    assert report.outcomes == [None]
    assert "BUSY" in str(report.failure)
    assert await write_row(writer, 6, "after") == 1


async def test_a_key_that_is_no_hash_does_not_keep_others_from_being_written(redis: EmbeddedRedis, writer: RowWriter) -> None:
    """Its row isn't confirmed, and the failure names the key: a retry won't help."""
    keys = [b"key:%d" % number for number in range(600)]
    redis.command("SET", keys[70], "a string")
    redis.command("RPUSH", keys[599], "a list")
    report = await writer.write(BOTH_VIEWS, keys, [event_time(5)] * 600, columns(["new"] * 600, views=2))
    assert [row for row, outcome in enumerate(report.outcomes) if outcome != 0b11] == [70, 599]
    assert report.outcomes[70] is report.outcomes[599] is None
    assert isinstance(report.failure, UnreadableValue)
    assert "b'key:70' isn't a hash" in str(report.failure)
    assert redis.command("GET", keys[70]) == b"a string"
    del keys[599], keys[70]
    assert standing(redis.port, keys, ORDERS) == [Standing(event_time(5), "new")] * 598


@pytest.mark.parametrize("time", [b"\x08", b"\x08\xff", b"\x0a\x01a", b"2026-01-01", b"\x08" + b"\xff" * 10, b"\x08\x01\x10"])
async def test_an_event_time_that_is_none_is_left_alone(redis: EmbeddedRedis, writer: RowWriter, time: bytes) -> None:
    """Nobody knows whether that row is newer; the failure names the key, and other rows are written."""
    redis.command("HSET", "odd", PROFILE[0], time, "p0", "theirs")
    report = await writer.write(ONE_VIEW, [b"odd", b"key"], [event_time(5)] * 2, columns(["new"] * 2))
    assert report.outcomes == [None, 1]
    assert isinstance(report.failure, UnreadableValue)
    assert "b'odd'" in str(report.failure)
    assert redis.command("HGETALL", "odd") == [PROFILE[0], time, b"p0", b"theirs"]


async def test_an_outage_counts_more_than_an_unreadable_key(redis: EmbeddedRedis, writer: RowWriter) -> None:
    """When both come together the report says what a retry helps against."""
    redis.command("SET", "key:0", "a string")
    redis.command("CONFIG", "SET", "maxmemory", "1")
    report = await writer.write(ONE_VIEW, [b"key:0", b"key:1"], [event_time(5)] * 2, columns(["new"] * 2))
    redis.command("CONFIG", "SET", "maxmemory", "0")
    assert report.outcomes == [None, None]
    assert isinstance(report.failure, StoreUnavailable)


async def test_without_a_connection_nothing_is_confirmed() -> None:
    """Of no row, at once."""
    async with started("127.0.0.1:1") as (store, _):
        report = await RowWriter(store).write(ONE_VIEW, [b"key"] * 1500, [event_time(5)] * 1500, columns(["x"] * 1500))
    assert report.outcomes == [None] * 1500
    assert isinstance(report.failure, StoreUnavailable)


# The bytes of the reply to a full call of which every row was written.
REPLY_BYTES = len(b"*%d\r\n" % KEYS_PER_CALL + b":1\r\n" * KEYS_PER_CALL)


@pytest.mark.parametrize(
    "passed", [0, 1, REPLY_BYTES - 1, REPLY_BYTES, 3 * REPLY_BYTES + 4, 8 * REPLY_BYTES, 11 * REPLY_BYTES + 99]
)
async def test_a_connection_cut_in_the_middle_of_a_reply(redis: EmbeddedRedis, passed: int) -> None:
    """The rows of calls whose reply came whole are confirmed, and are there; of all others nothing is said."""
    keys = [b"key:%d" % number for number in range(1000)]
    with TcpProxy(redis.port) as proxy:
        async with connected(f"127.0.0.1:{proxy.port}", connections=1, read_timeout=5.0) as (store, _):
            writer = RowWriter(store)
            await write_row(writer, 1, "before")  # so that Redis has the script
            proxy.cut_after(passed)
            report = await writer.write(ONE_VIEW, keys, [event_time(5)] * 1000, columns(["new"] * 1000))
    confirmed = sum(outcome is not None for outcome in report.outcomes)
    assert report.outcomes == [1] * confirmed + [None] * (1000 - confirmed)
    assert confirmed % KEYS_PER_CALL == 0
    # The network may lose what it took last.
    assert min(passed // REPLY_BYTES, 1) <= confirmed // KEYS_PER_CALL <= passed // REPLY_BYTES
    assert type(report.failure) is StoreUnavailable
    assert standing(redis.port, keys)[:confirmed] == [Standing(event_time(5), "new")] * confirmed


async def test_a_retry_after_a_cut_writes_everything(redis: EmbeddedRedis) -> None:
    """The same rows again, whether they were written or not."""
    keys = [b"key:%d" % number for number in range(1000)]
    batch = keys, [event_time(5)] * 1000, columns(["new"] * 1000)
    with TcpProxy(redis.port) as proxy:
        async with connected(f"127.0.0.1:{proxy.port}", connections=1, read_timeout=5.0) as (store, events):
            writer = RowWriter(store)
            proxy.cut_after(3 * REPLY_BYTES + 7)
            assert None in (await writer.write(ONE_VIEW, *batch)).outcomes
            await until(lambda: events.connected == 2, "that the store is connected again")
            assert await writer.write(ONE_VIEW, *batch) == WriteReport([1] * 1000, None)
    assert standing(redis.port, keys) == [Standing(event_time(5), "new")] * 1000


@pytest.mark.parametrize("answered", [2, 10])
@pytest.mark.parametrize(("then", "failure"), [(None, StoreTimeout), (b"", StoreUnavailable)])
async def test_what_was_answered_before_the_end_is_confirmed(
    then: bytes | None, failure: type[StoreUnavailable], answered: int
) -> None:
    """Whether the deadline passes or the connection ends in the middle of a reply, of a batch's second part too."""
    answers = iter([*[b"*64\r\n" + b":1\r\n:0\r\n" * 32] * answered, b"*64\r\n" + b":1\r\n" * 63 + b":", then])
    async with (
        scripted_redis(lambda _: next(answers)) as redis,
        # Long enough for a busy machine to read what was answered.
        connected(f"127.0.0.1:{redis.port}", connections=1, read_timeout=1.0) as (store, _),
    ):
        keys = [b"key"] * 1000
        report = await RowWriter(store).write(ONE_VIEW, keys, [event_time(5)] * 1000, columns(["x"] * 1000), within=1.0)
    assert report.outcomes == [1, 0] * 32 * answered + [None] * (1000 - 64 * answered)
    assert type(report.failure) is failure


async def test_a_deadline_that_has_passed_before(redis: EmbeddedRedis, writer: RowWriter) -> None:
    """Nothing is sent any more."""
    report = await writer.write(ONE_VIEW, [b"key"], [event_time(5)], columns(["late"]), within=-0.1)
    assert report.outcomes == [None]
    assert isinstance(report.failure, StoreTimeout)
    assert standing(redis.port, [b"key"]) == [None]


async def test_a_script_that_somebody_else_loads_in_the_middle() -> None:
    """Calls behind the first that lacked it are made again in their order, so that of rows of one time the last stays."""
    replies = [b"*64\r\n" + b":1\r\n" * 64, b"-NOSCRIPT No matching script.\r\n", b"*64\r\n" + b":1\r\n" * 64]
    replies += [b"$40\r\n" + b"a" * 40 + b"\r\n", b"*64\r\n" + b":0\r\n" * 64, b"*64\r\n" + b":1\r\n" * 64]
    answers = iter(replies)
    async with (
        scripted_redis(lambda _: next(answers)) as redis,
        connected(f"127.0.0.1:{redis.port}", connections=1, read_timeout=5.0) as (store, _),
    ):
        keys = [b"%d" % (number // 64) for number in range(192)]
        report = await RowWriter(store).write(ONE_VIEW, keys, [event_time(5)] * 192, columns(["x"] * 192))
    assert report == WriteReport([1] * 64 + [0] * 64 + [1] * 64, None)
    assert [command[0] if command[0] != b"EVALSHA" else command[3] for command in redis.commands] == [
        b"0", b"1", b"2", b"SCRIPT", b"1", b"2"
    ]  # fmt: skip


async def test_a_script_that_is_flushed_again_and_again() -> None:
    """It is loaded once a batch; then the rows are unconfirmed, rather than sent forever."""
    async with (
        scripted_redis(lambda words: b"$2\r\nok\r\n" if words[0] == b"SCRIPT" else b"-NOSCRIPT Gone.\r\n") as redis,
        connected(f"127.0.0.1:{redis.port}", connections=1, read_timeout=5.0) as (store, _),
    ):
        report = await RowWriter(store).write(ONE_VIEW, [b"key"], [event_time(5)], columns(["x"]))
    assert report.outcomes == [None]
    assert "NOSCRIPT" in str(report.failure)


async def test_what_redis_refuses_is_not_followed_by_more() -> None:
    """Of a large batch the parts behind the one that was refused aren't sent."""
    async with (
        scripted_redis(lambda _: b"-OOM command not allowed\r\n") as redis,
        connected(f"127.0.0.1:{redis.port}", connections=1, read_timeout=5.0) as (store, _),
    ):
        report = await RowWriter(store).write(ONE_VIEW, [b"key"] * 5000, [event_time(5)] * 5000, columns(["x"] * 5000))
    assert report.outcomes == [None] * 5000
    assert len(redis.commands) * KEYS_PER_CALL < 1000


KILLED_KEYS = [b"key:%d" % number for number in range(200)]


class Producers:
    """Four of them write rows of both views, each newer than all before, and keep what was confirmed."""

    def __init__(self, store: RedisStore, seconds: Iterator[int]) -> None:
        self.confirmed: dict[bytes, int] = {}
        self.outcomes: Counter[int | None] = Counter()
        self._writer = RowWriter(store)
        self._seconds = seconds
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Producers":
        """Start."""
        self._tasks = [asyncio.create_task(self._run(random.Random(number))) for number in range(4)]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop; raises what they raised."""
        for task in self._tasks:
            task.cancel()
        for result in await asyncio.gather(*self._tasks, return_exceptions=True):
            assert isinstance(result, asyncio.CancelledError), result

    async def _run(self, rng: random.Random) -> None:
        while True:
            keys = rng.choices(KILLED_KEYS, k=rng.choice([1, 10, 150]))
            seconds = [next(self._seconds) for _ in keys]
            times = [event_time(second) for second in seconds]
            report = await self._writer.write(BOTH_VIEWS, keys, times, columns(seconds, views=2))
            self.outcomes.update(report.outcomes)
            for key, second, outcome in zip(keys, seconds, report.outcomes, strict=True):
                if outcome is not None:  # a stale one is one in whose place a newer stands
                    self.confirmed[key] = max(second, self.confirmed.get(key, 0))
            await asyncio.sleep(0.001)


async def test_every_confirmed_row_is_there_after_redis_was_killed(tmp_path: Path) -> None:
    """Kill -9 in the middle of writes, with an append-only file that is written before Redis answers: none is lost or half."""
    seconds = itertools.count(1_700_000_000)
    with EmbeddedRedis(tmp_path, appendonly=True) as redis:
        async with started(redis.connection_string, read_timeout=5.0) as (store, _):
            for _ in range(4):
                async with Producers(store, seconds) as producers:
                    await until(lambda: producers.outcomes[0b11] > 1000, "a thousand rows")
                    await asyncio.to_thread(redis.kill)
                    await until(lambda: producers.outcomes[None], "that writes fail")
                redis.start()
                profiles, orders = (standing(redis.port, KILLED_KEYS, view) for view in (PROFILE, ORDERS))
                assert profiles == orders
                stands = {key: int(row.mark) for key, row in zip(KILLED_KEYS, profiles, strict=True) if row}
                lost = {
                    key: (second, stands.get(key)) for key, second in producers.confirmed.items() if second > stands.get(key, 0)
                }
                assert not lost
