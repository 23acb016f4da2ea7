"""Rows of feature values, and their way into Redis: through Feast's own online store."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from random import Random
from typing import Any

from feast import FeatureStore, FeatureView
from feast.feature_view import DUMMY_ENTITY_ID, DUMMY_ENTITY_VAL
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value as ValueProto
from feast.value_type import ValueType

from .values import STRINGS, random_value

ROWS_OF_A_VIEW = 12
STORED_IDS, ABSENT_IDS = 4, 2

# Join keys and their values, sorted by name: what identifies a row.
Key = tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Row:
    """One entity's row of one view; a feature that `values` doesn't name has never been written."""

    event_time: datetime
    values: Mapping[str, ValueProto]


def key_of(ids: Mapping[str, Any]) -> Key:
    """The identity of a row from its join keys and ids."""
    return tuple(sorted(ids.items()))


def random_ids(value_type: ValueType, rng: Random) -> tuple[list[Any], list[Any]]:
    """Ids of an entity that have rows, extremes included, and ids that have none."""
    if value_type == ValueType.STRING:
        pool: list[Any] = rng.sample(STRINGS, 3) + [f"id-{rng.randint(0, 99)}é" for _ in range(9)]
    else:
        bits = 31 if value_type == ValueType.INT32 else 63
        pool = [0, -1, 2**bits - 1, -(2**bits)] + [rng.randint(1, 10**9) for _ in range(9)]
    pool = list(dict.fromkeys(pool))
    ids = rng.sample(pool, STORED_IDS + ABSENT_IDS)
    return ids[:STORED_IDS], ids[STORED_IDS:]


def random_rows(view: FeatureView, ids: Mapping[str, Sequence[Any]], now: datetime, rng: Random) -> dict[Key, Row]:
    """Rows for some of the combinations of ids, fresh ones and ones beyond the view's ttl."""
    columns = {join_key: ids[join_key] for join_key in join_keys(view) if join_key != DUMMY_ENTITY_ID}
    combinations = [dict(zip(columns, combination, strict=True)) for combination in product(*columns.values())]
    if not columns:
        combinations = [{DUMMY_ENTITY_ID: DUMMY_ENTITY_VAL}]
    chosen = rng.sample(combinations, min(ROWS_OF_A_VIEW, max(1, len(combinations) * 3 // 4)))
    return {key_of(combination): _random_row(view, now, rng) for combination in chosen}


def write_rows(store: FeatureStore, view: FeatureView, rows: Mapping[Key, Row]) -> None:
    """Store the rows with Feast's Redis store, as materialization and pushes do."""
    value_types = {column.name: column.dtype.to_value_type() for column in view.entity_columns}
    batch = [(_entity_key(key, value_types), dict(row.values), row.event_time, None) for key, row in rows.items()]
    store._get_provider().online_write_batch(store.config, view, batch, None)


def join_keys(view: FeatureView) -> list[str]:
    """The view's join keys, Feast's placeholder where it has none."""
    return [column.name for column in view.entity_columns] or [DUMMY_ENTITY_ID]


def _random_row(view: FeatureView, now: datetime, rng: Random) -> Row:
    features: Iterable[Any] = view.features
    if rng.random() < 0.15:  # written before the view had all of its features
        features = rng.sample(view.features, rng.randint(1, len(view.features)))
    values = {feature.name: random_value(feature.dtype, rng) for feature in features}
    return Row(_random_event_time(view.ttl or timedelta(0), now, rng), values)


def _random_event_time(ttl: timedelta, now: datetime, rng: Random) -> datetime:
    """Well within the ttl or well beyond it; with no ttl any time at all; zero to six digits of a second."""
    if ttl:
        age = ttl * rng.choice([0.0, 0.3, 0.9, 1.1, 5.0]) + timedelta(seconds=rng.randint(0, 600))
        moment = now - age
    else:
        moment = rng.choice([now, now + timedelta(days=3), datetime(1970, 1, 1, tzinfo=UTC), datetime(1969, 7, 20, tzinfo=UTC)])
    return moment.replace(microsecond=rng.choice([0, 0, 120_000, 999_999, 1, rng.randint(0, 999_999)]))


def _entity_key(key: Key, value_types: Mapping[str, ValueType]) -> EntityKey:
    fields = {
        ValueType.INT64: "int64_val",
        ValueType.INT32: "int32_val",
        ValueType.STRING: "string_val",
        ValueType.UNIX_TIMESTAMP: "unix_timestamp_val",
        ValueType.BYTES: "bytes_val",
    }
    types = [fields[value_types.get(name, ValueType.STRING)] for name, _ in key]
    values = [ValueProto(**{field: value}) for field, (_, value) in zip(types, key, strict=True)]
    return EntityKey(join_keys=[name for name, _ in key], entity_values=values)
