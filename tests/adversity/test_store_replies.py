"""The store behind a proxy that delays, trickles, cuts, swallows and refuses: no answer is ever another's."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import pytest

from pipelines.local.redis import EmbeddedRedis, free_port
from service.errors import StoreTimeout, StoreUnavailable
from service.store import HashRead, RedisStore
from tests.servers.tcp_proxy import TcpProxy
from tests.servers.waiting import until

from .stores import (
    CUSTOMERS,
    DEADLINE_SECONDS,
    MARGIN_SECONDS,
    RECOVERY_SECONDS,
    Events,
    connected,
    fill,
    key,
    read,
    row,
    started,
)


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """A Redis with the customers, which nothing happens to: it is the network that fails here."""
    with EmbeddedRedis(tmp_path_factory.mktemp("redis"), persist=False) as server:
        fill(server)
        yield server


@pytest.fixture
def proxy(redis: EmbeddedRedis) -> Iterator[TcpProxy]:
    """The network between the store and Redis."""
    with TcpProxy(redis.port) as proxy:
        yield proxy


@pytest.fixture
def address(proxy: TcpProxy) -> str:
    """Redis's address, by way of the proxy."""
    return f"127.0.0.1:{proxy.port}"


@pytest.fixture
async def store(address: str) -> AsyncIterator[RedisStore]:
    """A store of two connections and the usual deadline."""
    async with connected(address) as (store, _):
        yield store


@pytest.fixture
async def single(address: str) -> AsyncIterator[tuple[RedisStore, Events]]:
    """A store of one connection, so that everything queues behind everything else, and its events."""
    async with connected(address, connections=1) as opened:
        yield opened


async def outcome(store: RedisStore, *numbers: int) -> str:
    """Right, wrong, or the name of the error."""
    try:
        rows = await read(store, *numbers)
    except StoreUnavailable as error:
        return type(error).__name__
    return "right" if rows == [row(number) for number in numbers] else "wrong"


async def recovers(store: RedisStore) -> None:
    """Assert that right answers come again within the promised second."""
    deadline = time.monotonic() + RECOVERY_SECONDS
    while (found := await outcome(store, 1, 22, 333)) != "right":
        assert found != "wrong"
        assert time.monotonic() < deadline, f"still {found}"
        await asyncio.sleep(0.01)


async def test_each_of_many_concurrent_reads_gets_its_own_answer(proxy: TcpProxy, address: str) -> None:
    """A thousand reads of different sizes, whose replies come in pieces that end anywhere, are all answered right."""
    rng = random.Random(1)
    wanted = [[rng.randrange(CUSTOMERS) for _ in range(rng.choice([1, 2, 30]))] for _ in range(1000)]
    async with connected(address, read_timeout=20) as (store, _):
        proxy.throttle(1_000_003)
        found = await asyncio.gather(*[read(store, *numbers) for numbers in wanted])
    assert found == [[row(number) for number in numbers] for numbers in wanted]


async def test_groups_of_one_read_come_apart_again(store: RedisStore) -> None:
    """Two field lists in one call give rows of both, in the order of the keys."""
    cities, names = HashRead([b"city"]), HashRead([b"name"])
    found = await store.read_hashes([(cities, [key(3), key(400)]), (names, [key(5), key(77), key(3)])])
    assert found == [*([row(n)[0]] for n in (3, 400)), *([row(n)[2]] for n in (5, 77, 3))]


async def test_a_late_answer_is_a_timeout(proxy: TcpProxy, store: RedisStore) -> None:
    """A reply that comes after the deadline is StoreTimeout at the deadline, not when it comes."""
    proxy.delay(5.0)
    began = time.monotonic()
    with pytest.raises(StoreTimeout, match="within the deadline"):
        await read(store, 1)
    assert DEADLINE_SECONDS * 0.9 <= time.monotonic() - began < DEADLINE_SECONDS + MARGIN_SECONDS


async def test_answers_after_a_timeout_belong_to_their_own_reads(proxy: TcpProxy, single: tuple[RedisStore, Events]) -> None:
    """On a connection that stays in use, replies that came too late are not taken for those of later reads."""
    store, events = single
    found: Counter[str] = Counter()
    tasks = []
    for tick in range(180):
        if tick % 60 == 0:  # in time, too late, in time: late ones arrive while newer ones are awaited
            proxy.delay((0.18, DEADLINE_SECONDS + 0.06, 0.1)[tick // 60])
        tasks.append(asyncio.create_task(outcome(store, tick, tick + 180)))
        await asyncio.sleep(0.01)
    found.update(await asyncio.gather(*tasks))
    assert found["wrong"] == 0
    assert found["StoreTimeout"] > 10
    assert found["right"] > 10
    assert events.timed_out == found["StoreTimeout"]
    await recovers(store)


async def test_a_cancelled_read_takes_nobody_elses_answer(proxy: TcpProxy, single: tuple[RedisStore, Events]) -> None:
    """A client that goes away while its read is under way leaves the reads behind it in order."""
    store, _ = single
    proxy.delay(0.1)
    tasks = [asyncio.create_task(read(store, number, number + 100)) for number in range(100)]
    await asyncio.sleep(0.02)
    for task in tasks[::3]:
        task.cancel()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    for number, rows in enumerate(found):
        if number % 3:
            assert rows == [row(number), row(number + 100)]
        else:
            assert isinstance(rows, asyncio.CancelledError)


@pytest.mark.parametrize("passed", [0, 1, 5, 40, 120])
async def test_a_connection_cut_in_the_middle_of_a_reply_fails_the_read(
    proxy: TcpProxy, single: tuple[RedisStore, Events], passed: int
) -> None:
    """Wherever the reply is cut, the read is StoreUnavailable, and reads are right again within a second."""
    store, events = single
    proxy.cut_after(passed)
    with pytest.raises(StoreUnavailable, match="connection to Redis"):
        await read(store, 1, 2, 3, 4)
    await recovers(store)
    assert events.disconnected == 1


async def test_a_cut_fails_only_what_is_under_way(proxy: TcpProxy, store: RedisStore) -> None:
    """Of many concurrent reads those whose replies had come are right, the others are StoreUnavailable, none hangs."""
    proxy.throttle(200_000)
    reads = asyncio.gather(*[outcome(store, number) for number in range(400)])
    await asyncio.sleep(0.05)
    proxy.cut()
    found = Counter(await reads)
    assert set(found) <= {"right", "StoreUnavailable"}
    assert found["right"]
    assert found["StoreUnavailable"]
    proxy.heal()
    await recovers(store)


async def test_many_cuts_in_a_row(proxy: TcpProxy, store: RedisStore) -> None:
    """Thirty cuts at random places under load never give a wrong answer, and every one is recovered from."""
    rng = random.Random(2)
    found: Counter[str] = Counter()
    for _ in range(30):
        proxy.cut_after(rng.randrange(2000))
        found.update(await asyncio.gather(*[outcome(store, rng.randrange(CUSTOMERS)) for _ in range(50)]))
        await asyncio.sleep(0.01)
    assert found["wrong"] == 0
    proxy.heal()
    await recovers(store)


async def test_a_redis_that_says_nothing_is_a_timeout_and_is_left(proxy: TcpProxy, address: str) -> None:
    """A black hole is StoreTimeout within the deadline; the silent connections are given up, and replaced when it ends."""
    async with connected(address) as (store, events):
        proxy.black_hole()
        began = time.monotonic()
        reads = []
        for number in range(50):
            reads.append(asyncio.create_task(outcome(store, number)))
            await asyncio.sleep(0)  # so that they go out over both connections
        found = Counter(await asyncio.gather(*reads))  # the latest go with the connection that is given up
        assert set(found) <= {"StoreTimeout", "StoreUnavailable"}
        assert found["StoreTimeout"]
        assert time.monotonic() - began < DEADLINE_SECONDS + MARGIN_SECONDS
        for _ in range(20):  # whichever connection they go over, reads find out that it is silent
            began = time.monotonic()
            assert await outcome(store, 1) in ("StoreTimeout", "StoreUnavailable")
            assert time.monotonic() - began < DEADLINE_SECONDS + MARGIN_SECONDS
        assert events.open == 0
        proxy.heal()
        await recovers(store)


async def test_a_redis_that_never_said_anything(proxy: TcpProxy, address: str) -> None:
    """A server that accepts and never answers from the start is StoreUnavailable with a reason, then recovers."""
    proxy.black_hole()
    async with started(address) as (store, _):
        with pytest.raises(StoreUnavailable):
            await read(store, 1)
        await asyncio.sleep(0.7)
        with pytest.raises(StoreUnavailable, match=r"didn't accept the connection within 0\.5 s"):
            await read(store, 1)
        proxy.heal()
        await recovers(store)


async def test_a_redis_that_refuses_is_unavailable_at_once(proxy: TcpProxy, address: str) -> None:
    """Nobody listens: StoreUnavailable without waiting for the deadline, in words that name the address."""
    async with connected(address) as (store, events):
        proxy.refuse()
        await until(lambda: events.open == 0, "that the connections are lost")
        began = time.monotonic()
        for _ in range(100):
            with pytest.raises(StoreUnavailable, match=address):
                await read(store, 1)
        assert time.monotonic() - began < DEADLINE_SECONDS
        await asyncio.sleep(0.2)
        with pytest.raises(StoreUnavailable, match="refused"):
            await read(store, 1)
        proxy.heal()
        await recovers(store)


async def test_a_long_absence_does_not_make_attempts_rare() -> None:
    """However long nothing is there, each connection is tried every half second or so, and not all the time either."""
    with TcpProxy(free_port()) as nothing_behind:
        async with started(f"127.0.0.1:{nothing_behind.port}") as (store, _):
            await asyncio.sleep(1.8)
            before = nothing_behind.accepted
            await asyncio.sleep(1.0)
            assert 4 <= nothing_behind.accepted - before <= 20
            with pytest.raises(StoreUnavailable):
                await read(store, 1)


async def test_one_lost_connection_of_two_costs_nothing(proxy: TcpProxy, store: RedisStore) -> None:
    """While one connection is being replaced, reads go over the other."""
    proxy.cut_after(10)
    await outcome(store, 1)
    proxy.heal()
    await recovers(store)
    assert set(await asyncio.gather(*[outcome(store, number) for number in range(100)])) == {"right"}


async def test_what_is_asked_too_fast_does_not_queue_without_bound(proxy: TcpProxy, store: RedisStore) -> None:
    """A Redis slower than the reads makes them time out; after the rush it answers long before all could be answered."""
    numbers = tuple(range(100))
    proxy.throttle(100_000)  # twenty such reads a second, on two connections
    rush = []
    for _ in range(150):
        rush += [asyncio.create_task(outcome(store, *numbers)) for _ in range(4)]
        await asyncio.sleep(0.01)
    found = Counter(await asyncio.gather(*rush))
    assert found["wrong"] == 0
    assert found["StoreTimeout"] > 100
    deadline = time.monotonic() + 15.0  # what was asked takes 30 s to answer
    while (alone := await outcome(store, 1)) != "right":  # a short answer, which doesn't trickle on a busy machine
        assert alone != "wrong"
        assert time.monotonic() < deadline, "the rush is over, and still nothing is answered"


async def test_stopping_fails_what_is_under_way(proxy: TcpProxy, address: str) -> None:
    """A store that is stopped answers its reads with StoreUnavailable rather than leaving them to wait."""
    async with connected(address, read_timeout=20) as (store, events):
        proxy.delay(10.0)
        reads = [asyncio.create_task(outcome(store, number)) for number in range(20)]
        await asyncio.sleep(0.05)
        await store.stop()
        assert set(await asyncio.wait_for(asyncio.gather(*reads), MARGIN_SECONDS)) == {"StoreUnavailable"}
        assert events.open == 0
        assert await outcome(store, 1) == "StoreUnavailable"
