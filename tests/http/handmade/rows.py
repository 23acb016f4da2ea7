"""Rows of feature values into Redis, encoded by Feast: its entity keys, field hashes and protobuf messages."""

from collections.abc import Mapping
from typing import Any

import redis
from feast.infra.online_stores.helpers import _mmh3, _redis_key
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from google.protobuf.timestamp_pb2 import Timestamp

from service.catalog.definitions import ViewDefinition

from .definitions import PROJECT

KEY_FIELDS = {
    "INT64": "int64_val",
    "INT32": "int32_val",
    "STRING": "string_val",
    "BYTES": "bytes_val",
    "UNIX_TIMESTAMP": "unix_timestamp_val",
}


def entity_key(view: ViewDefinition, ids: Mapping[str, Any]) -> EntityKey:
    """Feast's message of an entity's ids; of its placeholder when the view has no entity."""
    if not view.entities:
        return EntityKey(join_keys=["__dummy_id"], entity_values=[Value(string_val="")])
    return EntityKey(
        join_keys=[entity.join_key for entity in view.entities],
        entity_values=[Value(**{KEY_FIELDS[entity.value_type]: ids[entity.join_key]}) for entity in view.entities],
    )


def redis_key(view: ViewDefinition, ids: Mapping[str, Any], project: str = PROJECT) -> bytes:
    """The key of the hash that holds a row."""
    return bytes(_redis_key(project, entity_key(view, ids), entity_key_serialization_version=3))


def row(view: ViewDefinition, event_time: int, values: Mapping[str, Value | bytes]) -> dict[bytes, bytes]:
    """The fields of a row: `event_time` in nanoseconds since the epoch, raw bytes stored as they are."""
    moment = Timestamp()
    moment.FromNanoseconds(event_time)
    fields = {f"_ts:{view.store_name}".encode(): moment.SerializeToString()}
    for name, value in values.items():
        raw = value if isinstance(value, bytes) else value.SerializeToString()
        fields[_mmh3(f"{view.store_name}:{name}")] = raw
    return fields


def write(
    client: "redis.Redis[bytes]",
    view: ViewDefinition,
    ids: Mapping[str, Any],
    event_time: int,
    values: Mapping[str, Value | bytes],
) -> None:
    """Store a row as Feast's Redis store does."""
    client.hset(redis_key(view, ids), mapping=row(view, event_time, values))  # type: ignore[arg-type]
