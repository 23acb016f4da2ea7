"""A view's rows as Arrow has them to what Redis is to hold: keys, event times and values as Feast's writer would store them.

Columns whose type says already what is stored are packed by the push path's encoders; all others, and what these refuse, are
given to Feast's own conversion, so that the bytes are always Feast's.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pyarrow as pa
from feast import FeatureView, RepoConfig
from feast.infra.online_stores.helpers import compute_versioned_name
from feast.type_map import python_values_to_proto_values
from feast.utils import _validate_vector_field_lengths
from feast.value_type import ValueType

from service.codec.event_times import store_times
from service.codec.scalar_encoders import PACKS, UNFIT, Pack
from service.codec.timestamps import NANOSECONDS
from service.errors import InvalidRequest
from service.groups import hash_field
from service.keys import JoinKey, KeyEncoder
from service.materialization.job import MaterializationFailed
from service.store.writes import HashWrite

# Feast's event times are datetimes, so nothing below a microsecond is stored.
_MICROSECOND = 1_000
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": NANOSECONDS}
# Beyond it a float has no room for each integer.
_EXACT_INTEGER = 2**53

_KINDS: dict[str, Callable[[pa.DataType], bool]] = {
    "INT32": pa.types.is_integer,
    "INT64": pa.types.is_integer,
    "FLOAT": pa.types.is_floating,
    "DOUBLE": pa.types.is_floating,
    "BOOL": pa.types.is_boolean,
    "STRING": lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind),
    "BYTES": lambda kind: pa.types.is_binary(kind) or pa.types.is_large_binary(kind),
}


@dataclass(frozen=True, slots=True)
class EncodedRows:
    """Some rows, as `service.store.writes.RowWriter` takes them."""

    keys: list[bytes]
    times: list[bytes]
    columns: list[list[bytes]]


class RowEncoder:
    """Encodes rows of one view; made once for each materialization of it."""

    def __init__(self, view: FeatureView, config: RepoConfig) -> None:
        """`view` is one of which `can_encode` says yes."""
        self._view = view
        source = view.batch_source
        self._time_column = source.field_mapping.get(source.timestamp_field, source.timestamp_field)
        types = _key_types(view)
        self._key_encoder = KeyEncoder(
            [JoinKey(name, value_type.name) for name, value_type in types.items()],
            config.project,
            config.entity_key_serialization_version,
        )
        self._columns = [_Column(feature.name, feature.dtype.to_value_type()) for feature in view.features]
        name = compute_versioned_name(view, config.registry.enable_online_feature_view_versioning)
        fields = [hash_field(name, column.name) for column in self._columns]
        self.write = HashWrite([(f"_ts:{name}".encode(), fields)], config.online_store.key_ttl_seconds)

    @staticmethod
    def can_encode(view: FeatureView) -> bool:
        """Whether its join keys are of types whose ids are the same in Arrow, in JSON and in a key."""
        types = _key_types(view).values()
        return bool(types) and all(value_type.name in ("INT32", "INT64", "STRING") for value_type in types)

    def encode(self, table: pa.Table, rows_at_once: int) -> Iterator[EncodedRows]:
        """The rows in order, so many at a time. Raises MaterializationFailed naming the first row that can't be stored."""
        missing = sorted(self._needed() - set(table.column_names))
        if missing:
            there = ", ".join(table.column_names)
            raise MaterializationFailed("other", f"{self._view.name}: its source has no column {missing[0]}; it has {there}.")
        try:
            _validate_vector_field_lengths(table, self._view)
        except ValueError as error:
            raise MaterializationFailed("other", f"{self._view.name}: {error}") from error
        times = self._nanoseconds(table.column(self._time_column))
        first = 0
        for batch in table.to_batches(max_chunksize=rows_at_once):
            yield self._encode(batch, first, store_times(list(times(first, first + batch.num_rows))))
            first += batch.num_rows

    def _needed(self) -> set[str]:
        keys = {join_key.name for join_key in self._key_encoder.join_keys}
        return keys | {self._time_column} | {column.name for column in self._columns}

    def _encode(self, batch: pa.RecordBatch, first: int, times: list[bytes]) -> EncodedRows:
        ids = []
        for join_key in self._key_encoder.join_keys:
            try:
                ids.append(join_key.encode(_ids(batch.column(join_key.name), join_key), join_key.name))
            except InvalidRequest as error:
                problem = error.problems[0]
                where = f"row {first + (problem.row or 0)} of what its source has"
                raise MaterializationFailed(
                    "other", f"{self._view.name}: {problem.message.rstrip('.')}, in {where}."
                ) from error
        columns = []
        for column in self._columns:
            try:
                columns.append(column.encode(batch.column(column.name)))
            except Exception as error:  # Feast's conversion raises whatever its values raise
                rows = f"rows {first} to {first + batch.num_rows - 1} of what its source has"
                message = (
                    f"{self._view.name}: {column.name} of {rows} can't be stored as {column.value_type.name}: "
                    f"{type(error).__name__}: {error}"
                )
                raise MaterializationFailed("other", message) from error
        return EncodedRows(self._key_encoder.encode(ids), times, columns)

    def _nanoseconds(self, column: pa.ChunkedArray) -> Callable[[int, int], Iterator[int]]:
        """Event times of the whole column at once, since pandas takes half a millisecond for any; gives those of some rows."""
        index = pd.to_datetime(column.to_numpy())
        if index.hasnans:
            row = int(np.argmax(index.isna()))
            raise MaterializationFailed(
                "other", f"{self._view.name}: the event time ({self._time_column}) of row {row} of what its source has is null."
            )
        per_second = _PER_SECOND[index.unit]
        seconds, parts = np.divmod(index.asi8, per_second)
        parts *= NANOSECONDS // per_second
        parts -= parts % _MICROSECOND

        def some(first: int, end: int) -> Iterator[int]:
            # In Python's integers: a year that Arrow's seconds hold needs more than 64 bits of nanoseconds.
            rows = slice(first, end)
            return (
                second * NANOSECONDS + part for second, part in zip(seconds[rows].tolist(), parts[rows].tolist(), strict=True)
            )

        return some


class _Column:
    """How a feature's column becomes bytes."""

    def __init__(self, name: str, value_type: ValueType) -> None:
        self.name = name
        self.value_type = value_type
        self._fits = _KINDS.get(value_type.name)
        self._pack: Pack | None = PACKS[value_type.name]() if self._fits is not None else None
        self._integers = value_type.name in ("INT32", "INT64")

    def encode(self, array: pa.Array) -> list[bytes]:
        """Serialized Values, empty for null; raises whatever Feast's conversion raises."""
        if self._integers and pa.types.is_floating(array.type):
            array = _as_integers(array)
        if self._pack is not None and self._fits is not None and self._fits(array.type):
            try:
                return _packed(self._pack, _natives(array))
            except UNFIT:
                pass  # Feast's conversion says what is wrong, or what it makes of it
        values = python_values_to_proto_values(array.to_numpy(zero_copy_only=False), self.value_type)
        return [value.SerializeToString() for value in values]


def _packed(pack: Pack, values: list[Any]) -> list[bytes]:
    if None not in values:
        return pack(values)
    present = iter(pack([value for value in values if value is not None]))
    return [b"" if value is None else next(present) for value in values]


def _natives(array: pa.Array) -> list[Any]:
    """Python's values, None for null; NaN is null, too, as Feast has it."""
    if pa.types.is_floating(array.type):
        array = array.cast(pa.float64())
        values = array.to_numpy(zero_copy_only=False)
        absent = np.isnan(values)
        natives: list[Any] = values.tolist()
        return (
            [None if null else value for value, null in zip(natives, absent.tolist(), strict=True)] if absent.any() else natives
        )
    if array.null_count or not pa.types.is_integer(array.type):
        return list(array.to_pylist())
    return list(array.to_numpy(zero_copy_only=False).tolist())


def _as_integers(array: pa.Array) -> pa.Array:
    """Whole numbers that were floats because some are missing, as pandas has them; as they are if any isn't whole or exact."""
    values = array.cast(pa.float64()).to_numpy(zero_copy_only=False)
    absent = np.isnan(values)
    whole = np.where(absent, 0.0, values)
    if np.any(np.abs(whole) > _EXACT_INTEGER) or np.any(whole != np.trunc(whole)):
        return array
    return pa.array(whole.astype(np.int64), mask=absent)


def _ids(array: pa.Array, join_key: JoinKey) -> list[Any]:
    if join_key.value_type != "STRING" and pa.types.is_floating(array.type):
        array = _as_integers(array)
    if isinstance(array, pa.DictionaryArray):
        array = array.dictionary_decode()
    return _natives(array)


def _key_types(view: FeatureView) -> dict[str, ValueType]:
    return {column.name: column.dtype.to_value_type() for column in view.entity_columns}
