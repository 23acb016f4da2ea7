"""The store and what Redis itself does: it crashes, stops, restarts, loads its data, and refuses commands."""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from pipelines.local.redis import EmbeddedRedis
from service.errors import StoreTimeout, StoreUnavailable, UnreadableValue
from service.store import HashRead, RedisStore, check_rows
from tests.servers.redis_build import redis_version
from tests.servers.waiting import until

from .stores import CUSTOMERS, DEADLINE_SECONDS, RECOVERY_SECONDS, connected, fill, key, read, row, started

# Slow loading: microseconds for each key, and a look at the clients every so many bytes (redis.conf; both are hidden there).
SLOW_LOADING = ("--key-load-delay", "2000", "--loading-process-events-interval-bytes", "1024")


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """A Redis with the customers, on disk too."""
    arguments = ("--lua-time-limit", "50")
    if redis_version() >= (7,):  # before, nobody had to ask for DEBUG
        arguments += ("--enable-debug-command", "yes")
    with EmbeddedRedis(tmp_path_factory.mktemp("redis"), args=arguments) as server:
        fill(server)
        server.command("SAVE")
        yield server


@pytest.fixture
async def store(redis: EmbeddedRedis) -> AsyncIterator[RedisStore]:
    """A store of two connections, straight to Redis."""
    async with connected(redis.connection_string) as (store, _):
        yield store


class Readers:
    """Twenty readers that go on for as long as the block lasts, and what became of their reads."""

    def __init__(self, store: RedisStore) -> None:
        self.outcomes: Counter[str] = Counter()
        self._store = store
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Readers":
        """Start, and let every one of them be answered first."""
        self._tasks = [asyncio.create_task(self._run(number)) for number in range(20)]
        await until(lambda: self.outcomes["right"] > 20, "the first answers")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def right_again(self) -> None:
        """Assert that right answers come, of all readers, within the promised second."""
        before = self.outcomes["right"]
        await until(lambda: self.outcomes["right"] > before + 20, "right answers", RECOVERY_SECONDS)

    async def _run(self, number: int) -> None:
        while True:
            number = (number + 7) % CUSTOMERS
            try:
                found = await read(self._store, number, number // 2)
                self.outcomes["right" if found == [row(number), row(number // 2)] else f"wrong: {found}"] += 1
            except StoreUnavailable as error:
                self.outcomes[type(error).__name__] += 1
            await asyncio.sleep(0.002)


async def test_redis_killed_and_restarted_under_load(redis: EmbeddedRedis, store: RedisStore) -> None:
    """In between, reads are unavailable and never wrong; right answers come within a second of its return."""
    async with Readers(store) as readers:
        for seconds in (0.0, 0.1, 0.4):
            redis.kill()
            await until(lambda: readers.outcomes["StoreUnavailable"], "that reads fail")
            await asyncio.sleep(seconds)
            redis.start()
            await readers.right_again()
    assert set(readers.outcomes) <= {"right", "StoreUnavailable", "StoreTimeout"}


async def test_redis_stopped_in_its_tracks_under_load(redis: EmbeddedRedis, store: RedisStore) -> None:
    """A process that hangs and goes on later makes reads time out; what it says late is not taken for newer answers."""
    async with Readers(store) as readers:
        for seconds in (0.1, 0.3, 0.9):
            before = readers.outcomes["right"]
            os.kill(redis.pid, signal.SIGSTOP)
            await asyncio.sleep(seconds)
            assert readers.outcomes["right"] <= before + 20
            os.kill(redis.pid, signal.SIGCONT)
            await readers.right_again()
    assert readers.outcomes["StoreTimeout"]
    assert set(readers.outcomes) <= {"right", "StoreUnavailable", "StoreTimeout"}


async def test_redis_that_loads_its_data_is_unavailable(redis: EmbeddedRedis, store: RedisStore) -> None:
    """While Redis answers LOADING, reads say so; then they are right."""
    if redis_version() < (7,):
        pytest.skip("this redis-server can't be slowed down while it runs; Debian's can")
    for name, value in zip(SLOW_LOADING[::2], SLOW_LOADING[1::2], strict=True):
        assert redis.command("CONFIG", "SET", name.removeprefix("--"), value) == b"OK"
    async with Readers(store) as readers:
        reloading = asyncio.create_task(asyncio.to_thread(redis.command, "DEBUG", "RELOAD"))
        with pytest.raises(StoreUnavailable, match="LOADING"):
            await asyncio.wait_for(_until_unavailable(store), 5)
        assert await reloading == b"OK"
        await readers.right_again()
    assert set(readers.outcomes) <= {"right", "StoreUnavailable", "StoreTimeout"}


async def _until_unavailable(store: RedisStore) -> None:
    while True:
        try:
            await read(store, 1)
        except StoreTimeout:
            continue
        await asyncio.sleep(0.002)


REFUSALS = {
    "NOPERM": (("ACL", "SETUSER", "default", "-hmget"), ("ACL", "SETUSER", "default", "+@all")),
    "MASTERDOWN": (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
}


@pytest.mark.parametrize("words", REFUSALS)
async def test_an_error_reply_is_unavailable_with_its_words(redis: EmbeddedRedis, store: RedisStore, words: str) -> None:
    """What Redis refuses is StoreUnavailable in Redis's words, on a connection that stays good for what it doesn't."""
    refuse, allow = REFUSALS[words]
    redis.command("CONFIG", "SET", "replica-serve-stale-data", "no")
    assert redis.command(*refuse) == b"OK"
    try:
        with pytest.raises(StoreUnavailable, match=words):
            await read(store, 0, 1, 2)
        if words != "MASTERDOWN":
            await store.ping()
    finally:
        redis.command(*allow)
    assert await read(store, 0, 1, 2) == [row(0), row(1), row(2)]


async def test_a_key_that_is_not_a_hash(redis: EmbeddedRedis, store: RedisStore) -> None:
    """Something else under a customer's key is an error that names the key, for reads that ask for it and no others."""
    assert redis.command("SET", "intruder", "not a hash") == b"OK"
    keys = [key(1), b"intruder"]
    bad, good = await asyncio.gather(store.read_hashes([(HashRead([b"name"]), keys)]), read(store, 1, 2))
    with pytest.raises(UnreadableValue, match="intruder"):
        check_rows(bad, keys)
    assert good == [row(1), row(2)]


async def test_redis_busy_with_a_script_is_unavailable(redis: EmbeddedRedis, store: RedisStore) -> None:
    """A script that never ends makes reads time out or hear BUSY; when it is killed they are right."""
    running = asyncio.create_task(asyncio.to_thread(redis.command, "EVAL", "while true do end", "0"))
    with pytest.raises(StoreUnavailable, match="BUSY"):
        await asyncio.wait_for(_until_unavailable(store), 5)
    assert redis.command("SCRIPT", "KILL") == b"OK"
    await running
    assert await read(store, 7) == [row(7)]


async def test_connections_killed_from_outside_are_replaced(redis: EmbeddedRedis, store: RedisStore) -> None:
    """CLIENT KILL, as an operator or an idle timeout does, costs at most the reads under way."""
    async with Readers(store) as readers:
        for _ in range(5):
            redis.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            await readers.right_again()
    assert set(readers.outcomes) <= {"right", "StoreUnavailable"}


async def test_no_room_for_another_client(redis: EmbeddedRedis) -> None:
    """Redis's limit on clients is told in its words; when there is room, the store connects."""
    async with connected(redis.connection_string, connections=1) as (other, _):
        redis.command("CONFIG", "SET", "maxclients", "1")
        async with started(redis.connection_string) as (store, events):
            with pytest.raises(StoreUnavailable, match="max number of clients"):
                await _until(store, lambda error: "max number" in str(error))
            assert events.connected == 0
            assert await read(other, 5) == [row(5)]
    await until(lambda: redis.command("CONFIG", "SET", "maxclients", "100") == b"OK", "that there is room again")
    async with connected(redis.connection_string) as (store, _):
        assert await read(store, 5) == [row(5)]


async def _until(store: RedisStore, wanted: Callable[[StoreUnavailable], bool], seconds: float = 3.0) -> None:
    """Raise the first error that is wanted, or the last when none is."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            await store.ping()
        except StoreUnavailable as error:
            if wanted(error) or time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.01)


async def test_a_store_that_starts_before_redis(redis: EmbeddedRedis) -> None:
    """The order of starting doesn't matter: unavailable with the reason first, right within a second of Redis's start."""
    redis.stop()
    async with started(redis.connection_string) as (store, _):
        with pytest.raises(StoreUnavailable, match="refused"):
            await _until(store, lambda error: "refused" in str(error))
        redis.start()
        began = time.monotonic()
        while True:
            try:
                assert await read(store, 9) == [row(9)]
                break
            except StoreUnavailable:
                assert time.monotonic() - began < RECOVERY_SECONDS
                await asyncio.sleep(DEADLINE_SECONDS / 10)
