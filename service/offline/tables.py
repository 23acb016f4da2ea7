"""Pushed columns as an Arrow table of exactly the types that the offline store has. Runs in the writer's process only."""

import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa

from service.codec.moments import to_nanoseconds
from service.codec.refusals import Unencodable
from service.codec.scalar_inputs import to_bytes, to_epoch_seconds, to_integer, to_listed_float
from service.codec.timestamps import NANOSECONDS
from service.offline.entry import Entry, decode_columns
from service.offline.failures import RowsRefused

Convert = Callable[[Any], Any]


def to_table(entries: Sequence[Entry], schema: pa.Schema, names: Mapping[str, str], times: Sequence[str]) -> pa.Table:
    """The rows of all entries, in order, with the columns of `schema` in its order.

    `names` maps a feature's name to its column in the source, where they differ. `times` are the source's columns of event
    and creation time, in which no integer is taken. Fractions of a second that the type can't hold are cut off, as Feast cuts
    them; nothing else is changed on the way. Raises RowsRefused naming columns, or the column and what doesn't fit.
    """
    wanted = set(schema.names)
    pushed = [_columns(entry, wanted, names) for entry in entries]
    arrays = []
    for column in schema:
        values = [value for columns in pushed for value in columns[column.name]]
        try:
            arrays.append(_array(values, column.type, integers=column.name not in times))
        except (Unencodable, pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise RowsRefused(f"{column.name} of the offline store is {column.type}, and gets {error}.") from error
    return pa.Table.from_arrays(arrays, schema=schema)


def _columns(entry: Entry, wanted: set[str], names: Mapping[str, str]) -> dict[str, list[Any]]:
    try:
        columns = decode_columns(entry.columns)
    except ValueError as error:
        raise RowsRefused(f"The entry isn't one that this service has written: {error}.") from error
    columns = {name if name in wanted else names.get(name, name): column for name, column in columns.items()}
    if set(columns) != wanted:
        missing, unknown = sorted(wanted - set(columns)), sorted(set(columns) - wanted)
        differences = [f"{word} {', '.join(those)}" for word, those in (("without", missing), ("unknown", unknown)) if those]
        raise RowsRefused(f"The columns of the push aren't those of the batch source: {'; '.join(differences)}.")
    return columns


def _array(values: list[Any], arrow_type: pa.DataType, integers: bool) -> pa.Array:
    if _is_moment(arrow_type):
        return _moments(values, arrow_type, integers)
    convert = _conversion(arrow_type)
    if convert is not None:
        values = [None if value is None else convert(value) for value in values]
    return pa.array(values, arrow_type)


def _is_moment(arrow_type: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(arrow_type) or pa.types.is_date(arrow_type))


def _moments(values: list[Any], arrow_type: pa.DataType, integers: bool) -> pa.Array:
    """Points in time in UTC, cast to what the column has: its resolution, its zone or none, or dates."""
    convert = _moment if integers else to_nanoseconds
    nanoseconds = [None if value is None else convert(value) for value in values]
    if getattr(arrow_type, "unit", None) == "ns":
        return pa.array(nanoseconds, pa.timestamp("ns", tz="UTC")).cast(arrow_type)
    # Microseconds reach over all years that Feast knows, nanoseconds only from 1677 to 2262.
    microseconds = [None if value is None else value // 1000 for value in nanoseconds]
    return pa.array(microseconds, pa.timestamp("us", tz="UTC")).cast(arrow_type, safe=False)


def _conversion(arrow_type: pa.DataType) -> Convert | None:
    """What makes of a JSON value, null aside, what pyarrow turns into the type without loss; None where it does so itself."""
    types = pa.types
    if types.is_integer(arrow_type):
        return to_integer
    if types.is_floating(arrow_type):
        return to_listed_float
    if types.is_binary(arrow_type) or types.is_large_binary(arrow_type) or types.is_fixed_size_binary(arrow_type):
        return to_bytes
    if types.is_string(arrow_type) or types.is_large_string(arrow_type):
        return _text
    if types.is_decimal(arrow_type):
        return Decimal
    if types.is_list(arrow_type) or types.is_large_list(arrow_type) or types.is_fixed_size_list(arrow_type):
        return _list_conversion(arrow_type.value_type)
    return None


def _list_conversion(arrow_type: pa.DataType) -> Convert | None:
    if _is_moment(arrow_type):
        return lambda values: _moments(values, arrow_type, integers=True).to_pylist()
    convert = _conversion(arrow_type)
    if convert is None:
        return None
    return lambda values: [None if value is None else convert(value) for value in values]


def _moment(value: Any) -> int:
    """Nanoseconds since 1970; an integer is seconds, as Feast's UNIX_TIMESTAMP is."""
    return to_epoch_seconds(value) * NANOSECONDS if isinstance(value, int | float) else to_nanoseconds(value)


def _text(value: Any) -> Any:
    """Feast keeps maps, structs and JSON in columns of text as JSON; a decimal or a UUID is its text."""
    if isinstance(value, dict | list):
        return json.dumps(value)
    return str(value) if isinstance(value, Decimal | UUID) else value
