"""A registry that rows are pushed to in every way that there is: by our server, by stock's, and by Feast's SDK on either."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import redis as redis_py
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, PushSource, RepoConfig, StreamFeatureView
from feast import types as feast_types
from feast.infra.online_stores.redis import RedisOnlineStore
from feast.labeling.label_view import LabelView
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value as ValueProto
from feast.types import Array, FeastType, Set, Struct
from feast.value_type import ValueType

from pipelines.local.redis import EmbeddedRedis
from service.catalog.configuration import load_config
from service.catalog.definitions import decode_catalog
from service.catalog.registry import RegistryReader
from tests.http.handmade.registry import Registry
from tests.http.handmade.running import Running, running

from .servers import StockServer
from .world import World

PROJECT = "depot"
# Databases of the same Redis that no other test uses.
OURS, FEASTS = 6, 7
# Of every row that doesn't say another.
MOMENT = datetime(2026, 1, 31, 10, 0, 0, 123_456, tzinfo=UTC)
SECOND = MOMENT.replace(microsecond=0)

CUSTOMER = Entity(name="customer_id", join_keys=["customer_id"], value_type=ValueType.INT64)
STORE = Entity(name="store", join_keys=["store_id"], value_type=ValueType.STRING)
NUMBERS = {"x": feast_types.Int64, "y": feast_types.Float32}
IDENTIFIER = "0b5f2c3a-1f6e-11f0-8b9a-0242ac120002"
# Every type that Feast's SDK can send to a remote online store, and a value as a data frame has it. What it can't send, it
# refuses by itself: see test_encoders_like_feast.
VALUES: dict[str, tuple[FeastType, Any]] = {
    "int32": (feast_types.Int32, -7),
    "int64": (feast_types.Int64, 2**60 + 1),
    "float32": (feast_types.Float32, 0.1),
    "float64": (feast_types.Float64, 0.1),
    "bool": (feast_types.Bool, False),
    "string": (feast_types.String, 'süd "\u2028'),
    "time": (feast_types.UnixTimestamp, SECOND),
    "uuid": (feast_types.Uuid, IDENTIFIER),
    "time uuid": (feast_types.TimeUuid, IDENTIFIER),
    "json": (feast_types.Json, '{"a": [1, 2.50, null]}'),
    "map": (feast_types.Map, {"b": 1, "a": ["x"]}),
    "struct": (Struct({"a": feast_types.Int64, "b": feast_types.String}), {"b": "x", "a": 1}),
    "int32s": (Array(feast_types.Int32), [1, -2]),
    "int64s": (Array(feast_types.Int64), [2**60 + 1]),
    "float32s": (Array(feast_types.Float32), [0.1, 1.5]),
    "float64s": (Array(feast_types.Float64), [0.1]),
    "bools": (Array(feast_types.Bool), [True, False]),
    "strings": (Array(feast_types.String), ["", "a"]),
    "times": (Array(feast_types.UnixTimestamp), [SECOND]),
    "uuids": (Array(feast_types.Uuid), [IDENTIFIER]),
    "time uuids": (Array(feast_types.TimeUuid), [IDENTIFIER]),
    "jsons": (Array(feast_types.Json), ['{"a": 1}', "[]"]),
    "structs": (Array(Struct({"a": feast_types.Int64})), [{"a": 1}, {"a": 2}]),
    "lists": (Array(Array(feast_types.Int64)), [[1, 2], [3]]),
    "sets": (Array(Set(feast_types.String)), [["a"]]),
    "set of uuids": (Set(feast_types.Uuid), {IDENTIFIER}),
    "set of times": (Set(feast_types.UnixTimestamp), {SECOND}),
}
Hashes = dict[bytes, dict[bytes, bytes]]


def _source(name: str) -> PushSource:
    """One whose times are called otherwise than the SDK calls them."""
    file = FileSource(name=f"file of {name}", path="nowhere.parquet", timestamp_field="at", created_timestamp_column="made")
    return PushSource(name=name, batch_source=file)


def _schema(fields: Mapping[str, FeastType], *keys: Entity) -> list[Field]:
    columns = [Field(name=key.join_key, dtype=feast_types.from_value_type(key.value_type)) for key in keys]
    return columns + [Field(name=name, dtype=dtype) for name, dtype in fields.items()]


def _views() -> list[Any]:
    both = _source("both_push")
    keyed = {"entities": [CUSTOMER], "schema": _schema(NUMBERS, CUSTOMER)}
    forever = timedelta(0)
    return [
        FeatureView(name="plain", entities=[CUSTOMER], schema=_schema(NUMBERS), source=_source("plain_push")),
        FeatureView(name="keyed", **keyed, source=_source("keyed_push")),
        StreamFeatureView(name="stream", **keyed, source=_source("stream_push"), ttl=forever),
        LabelView(name="label", **keyed, source=_source("label_push"), ttl=forever),
        FeatureView(name="first", entities=[CUSTOMER], schema=_schema({"x": feast_types.Int64}), source=both),
        FeatureView(name="second", entities=[CUSTOMER], schema=_schema(NUMBERS), source=both),
        FeatureView(name="composite", entities=[STORE, CUSTOMER], schema=_schema(NUMBERS), source=_source("composite_push")),
        FeatureView(name="everyone", entities=[], schema=_schema(NUMBERS), source=_source("everyone_push")),
        FeatureView(
            name="types",
            entities=[CUSTOMER],
            schema=_schema({name: dtype for name, (dtype, _) in VALUES.items()}),
            source=_source("types_push"),
        ),
    ]


@dataclass(frozen=True, repr=False)
class Depot:
    """`remote` is Feast's SDK with our service as its online store, `direct` with a Redis of its own, which stock has, too."""

    world: World
    ours: Running
    stock: StockServer
    remote: FeatureStore
    direct: FeatureStore
    redis_port: int

    def empty(self) -> None:
        """Forget every row."""
        for db in (OURS, FEASTS):
            with closing(redis_py.Redis(port=self.redis_port, db=db)) as client:
                client.flushdb()

    def hashes(self, db: int) -> Hashes:
        """Every row of one side, as Redis has it; maps in one order, which Feast leaves to chance."""
        with closing(redis_py.Redis(port=self.redis_port, db=db)) as client:
            return {key: dict(map(_ordered, client.hgetall(key).items())) for key in client.scan_iter()}

    def push(self, body: Mapping[str, Any]) -> tuple[httpx.Response, httpx.Response]:
        """Stock's and our answer to a push."""
        return self.stock.post("/push", body), self.ours.client.post("/push", json=body)

    def read(self, view_name: str, **ids: Any) -> dict[str, ValueProto] | None:
        """What Feast's own Redis store reads of a row that went through our service."""
        fields = {int: "int64_val", str: "string_val"}
        keys = EntityKey(
            join_keys=list(ids), entity_values=[ValueProto(**{fields[type(value)]: value}) for value in ids.values()]
        )
        view = self.world.store.get_feature_view(view_name)
        ((_, values),) = RedisOnlineStore().online_read(self.world.store.config, view, [keys])
        return values


@contextmanager
def open_depot(folder: Path, redis: EmbeddedRedis) -> Iterator[Depot]:
    """Everything applied and started; no rows."""
    address = f"{redis.host}:{redis.port},db="
    world = World.create(folder, PROJECT, f"{address}{OURS}")
    world.store.apply([CUSTOMER, STORE, *_views()])
    definition = decode_catalog(RegistryReader(load_config(folder)).read())
    direct = _sdk(world, {"type": "redis", "connection_string": f"{address}{FEASTS}"})
    with Registry(definition) as registry, running(registry) as ours, StockServer(direct) as stock:
        remote = _sdk(world, {"type": "remote", "path": ours.url})
        yield Depot(world, ours, stock, remote, direct, redis.port)


def _ordered(pair: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    field, value = pair
    if field.startswith(b"_ts:"):
        return pair
    return field, ValueProto.FromString(value).SerializeToString(deterministic=True)


def _sdk(world: World, online_store: dict[str, str]) -> FeatureStore:
    registry: Any = world.store.config.registry
    return FeatureStore(
        config=RepoConfig(
            project=PROJECT,
            provider="local",
            registry=registry,
            online_store=online_store,
            offline_store={"type": "file"},
            entity_key_serialization_version=3,
        )
    )


def row(**changes: Any) -> dict[str, list[Any]]:
    """A row of the views of NUMBERS, as a body has it; `changes` replace columns, None leaves one out."""
    at = MOMENT.isoformat()
    columns = {"customer_id": [1], "x": [7], "y": [0.5], "at": [at], "made": [at], **changes}
    return {name: column for name, column in columns.items() if column is not None}
