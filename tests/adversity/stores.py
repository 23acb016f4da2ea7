"""A RedisStore in the test's own process, and rows that tell whose they are."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import redis

from pipelines.local.redis import EmbeddedRedis
from service.store import HashRead, HashRow, RedisStore, check_rows, parse_address
from tests.servers.waiting import until

DEADLINE_SECONDS = 0.25
# What a busy machine may add to a deadline; far below what waiting without one would take.
MARGIN_SECONDS = 0.75
# Redis is back: right answers are promised within a second.
RECOVERY_SECONDS = 1.0 + MARGIN_SECONDS
CUSTOMERS = 500

_READ = HashRead([b"city", b"absent", b"name"])


class Events:
    """What the store told its observer."""

    def __init__(self) -> None:
        self.connected = 0
        self.disconnected = 0
        self.timed_out = 0

    def store_connected(self) -> None:
        """A connection was opened."""
        self.connected += 1

    def store_disconnected(self) -> None:
        """A connection was lost."""
        self.disconnected += 1

    def store_timed_out(self, batches: int) -> None:
        """Reads ran out of time."""
        self.timed_out += batches

    @property
    def open(self) -> int:
        """Connections that there are now."""
        return self.connected - self.disconnected


def fill(server: EmbeddedRedis, db: int = 0) -> None:
    """A hash for each customer, in which every value tells whose it is and where it lies."""
    with redis.Redis(port=server.port, db=db) as client, client.pipeline(transaction=False) as pipeline:
        for number in range(CUSTOMERS):
            pipeline.hset(key(number), mapping={"name": f"name {number} of {db}", "city": f"city {number} of {db}"})
        pipeline.execute()


def key(number: int) -> bytes:
    """The key of a customer; of several lengths, since the commands for keys of one length are made differently."""
    return b"customer:%d" % number


def row(number: int, db: int = 0) -> HashRow:
    """What a read of a customer gives."""
    return [f"city {number} of {db}".encode(), None, f"name {number} of {db}".encode()]


async def read(store: RedisStore, *numbers: int) -> list[HashRow]:
    """Rows of customers, by one HMGET each, in one batch."""
    keys = [key(number) for number in numbers]
    rows = await store.read_hashes([(_READ, keys)])
    check_rows(rows, keys)
    return rows


@asynccontextmanager
async def started(
    connection_string: str, connections: int = 2, read_timeout: float = DEADLINE_SECONDS
) -> AsyncIterator[tuple[RedisStore, Events]]:
    """A store that has begun to connect."""
    events = Events()
    store = RedisStore(parse_address(connection_string), events, connections=connections, read_timeout=read_timeout)
    store.start()
    try:
        yield store, events
    finally:
        await store.stop()


@asynccontextmanager
async def connected(
    connection_string: str, connections: int = 2, read_timeout: float = DEADLINE_SECONDS
) -> AsyncIterator[tuple[RedisStore, Events]]:
    """A store with all of its connections open."""
    async with started(connection_string, connections, read_timeout) as (store, events):
        await until(lambda: events.open == connections, "that the store is connected")
        yield store, events
