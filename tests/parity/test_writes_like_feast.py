"""Rows written by Feast's Redis store and by ours: the same bytes, read by Feast's reader; and where ours differs."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
import redis as redis_py
from feast import Entity, FeatureView, RepoConfig
from feast.infra.online_stores.redis import RedisOnlineStore
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value as ValueProto
from feast.value_type import ValueType
from google.protobuf.timestamp_pb2 import Timestamp

from pipelines.local.redis import EmbeddedRedis
from service.groups import hash_field
from service.keys import JoinKey, KeyEncoder
from service.store.writes import HashWrite, RowWriter, WriteReport
from tests.adversity.stores import connected

from .registries import view
from .values import FEAST_TYPES, random_value

PROJECT = "writes_like_feast"
CUSTOMER = Entity(name="customer", join_keys=["customer_id"], value_type=ValueType.INT64)
STORE = Entity(name="store", join_keys=["Store-Код"], value_type=ValueType.STRING)
# Every type, in two views of the same keys.
VIEWS = [
    view(name, [CUSTOMER, STORE], {f"feature {number}": one for number, one in enumerate(types)})
    for name, types in (("stats", FEAST_TYPES[::2]), ("Überblick: all", FEAST_TYPES[1::2]))
]
# Databases of the same Redis that no other test uses.
FEASTS, OURS = 8, 9
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class PushedRow:
    """A row of both views."""

    customer: int
    store: str
    event_time: datetime
    values: dict[str, dict[str, ValueProto]]  # by view and feature

    @property
    def entity_key(self) -> EntityKey:
        """The keys as Feast takes them."""
        values = [ValueProto(int64_val=self.customer), ValueProto(string_val=self.store)]
        return EntityKey(join_keys=["customer_id", "Store-Код"], entity_values=values)


class FeastSide:
    """Feast's own store on one database."""

    def __init__(self, port: int, db: int, key_ttl_seconds: int | None = None) -> None:
        online_store = {"type": "redis", "connection_string": f"127.0.0.1:{port},db={db}", "key_ttl_seconds": key_ttl_seconds}
        self._config = RepoConfig(
            project=PROJECT,
            provider="local",
            registry="nowhere.db",
            online_store=online_store,
            entity_key_serialization_version=3,
        )
        self._store = RedisOnlineStore()

    def write(self, rows: Sequence[PushedRow]) -> None:
        """As a push writes: view by view."""
        for one in VIEWS:
            batch = [(row.entity_key, row.values[one.name], row.event_time, None) for row in rows]
            self._store.online_write_batch(self._config, one, batch, None)

    def read(self, one: FeatureView, keys: Sequence[EntityKey]) -> list[Any]:
        """What its reader makes of what is stored: event time and values of each key."""
        return self._store.online_read(self._config, one, list(keys))


@pytest.fixture
def port(redis: EmbeddedRedis) -> int:
    """Redis's port; the databases are empty."""
    for db in (FEASTS, OURS):
        with closing(redis_py.Redis(port=redis.port, db=db)) as client:
            client.flushdb()
    return redis.port


def random_row(rng: Random, event_time: datetime) -> PushedRow:
    """One of a few keys, so that many rows have the same, and values of every type."""
    values = {one.name: {field.name: random_value(field.dtype, rng) for field in one.features} for one in VIEWS}
    return PushedRow(rng.choice([0, -1, 2**63 - 1]), rng.choice(["", "süd", "x" * 300]), event_time, values)


async def write_ours(port: int, rows: Sequence[PushedRow], key_ttl_seconds: int | None = None) -> WriteReport:
    """The rows by way of our writer."""
    write = HashWrite(
        [(f"_ts:{one.name}".encode(), [hash_field(one.name, field.name) for field in one.features]) for one in VIEWS],
        key_ttl_seconds,
    )
    join_keys = JoinKey("customer_id", "INT64"), JoinKey("Store-Код", "STRING")
    ids = {"customer_id": [row.customer for row in rows], "Store-Код": [row.store for row in rows]}
    encoder = KeyEncoder(join_keys, PROJECT, 3)
    keys = encoder.encode([join_key.encode(ids[join_key.name], join_key.name) for join_key in encoder.join_keys])
    columns = [
        [row.values[one.name][field.name].SerializeToString() for row in rows] for one in VIEWS for field in one.features
    ]
    async with connected(f"127.0.0.1:{port},db={OURS}", connections=1, read_timeout=5.0) as (store, _):
        return await RowWriter(store).write(write, keys, [serialized(row.event_time) for row in rows], columns)


def serialized(moment: datetime) -> bytes:
    """A protobuf Timestamp."""
    timestamp = Timestamp()
    timestamp.FromDatetime(moment)
    return timestamp.SerializeToString()


def everything(port: int, db: int) -> dict[bytes, tuple[dict[bytes, bytes], bool]]:
    """All hashes of a database, and whether each will expire."""
    with closing(redis_py.Redis(port=port, db=db)) as client:
        return {key: (client.hgetall(key), client.ttl(key) > 0) for key in client.scan_iter()}


@pytest.mark.parametrize("key_ttl_seconds", [None, 1000])
async def test_the_same_rows_become_the_same_bytes(port: int, key_ttl_seconds: int | None) -> None:
    """Batch after batch of rows of every type, newer and older than what stands, several of one key in a batch."""
    rng = Random(4)
    # No time twice, and none before 1970: there Feast's rule is another.
    offsets = rng.sample(range(10**7), 600)
    rows = [random_row(rng, START + timedelta(microseconds=offset)) for offset in offsets]
    feast = FeastSide(port, FEASTS, key_ttl_seconds)
    for start in range(0, len(rows), 150):
        feast.write(rows[start : start + 150])
        assert (await write_ours(port, rows[start : start + 150], key_ttl_seconds)).failure is None
        assert everything(port, OURS) == everything(port, FEASTS)
    assert len(everything(port, OURS)) == 9
    assert {expires for _, expires in everything(port, OURS).values()} == {key_ttl_seconds is not None}


async def test_feasts_reader_reads_what_was_written(port: int) -> None:
    """The event time and every value of each view."""
    rng = Random(5)
    rows = [random_row(rng, START + timedelta(microseconds=number)) for number in range(100)]
    await write_ours(port, rows)
    newest = list({(row.customer, row.store): row for row in rows}.values())
    for one in VIEWS:
        found = FeastSide(port, OURS).read(one, [row.entity_key for row in newest])
        assert found == [(row.event_time, row.values[one.name]) for row in newest]


async def test_of_rows_of_one_time_feast_keeps_the_first_and_we_the_last(port: int) -> None:
    """So that repeating a write whose answer was lost does no harm, whatever the first try did."""
    rng = Random(6)
    first = random_row(rng, START)
    second = PushedRow(first.customer, first.store, START, random_row(rng, START).values)
    FeastSide(port, FEASTS).write([first])
    await write_ours(port, [second])
    wanted = everything(port, OURS)
    assert await write_ours(port, [first, second]) == WriteReport([0b11, 0b11], None)
    FeastSide(port, FEASTS).write([second])
    assert everything(port, OURS) == wanted != everything(port, FEASTS)


async def test_before_1970_feast_lets_older_rows_win_and_we_do_not(port: int) -> None:
    """To Feast a stored time up to 1970 is none at all."""
    rng = Random(7)
    newer = random_row(rng, datetime(1969, 7, 20, tzinfo=UTC))
    older = PushedRow(newer.customer, newer.store, datetime(1969, 7, 16, tzinfo=UTC), random_row(rng, START).values)
    FeastSide(port, FEASTS).write([newer])
    wanted = everything(port, FEASTS)
    FeastSide(port, FEASTS).write([older])
    assert await write_ours(port, [newer, older]) == WriteReport([0b11, 0], None)
    assert everything(port, OURS) == wanted != everything(port, FEASTS)
