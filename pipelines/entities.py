"""The rows that features are joined to: their columns checked and typed, with the first bad row named. Imports Feast."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd  # type: ignore[import-untyped]
import pyarrow as pa
from feast.type_map import feast_value_type_to_pa
from feast.value_type import ValueType

from pipelines.errors import BadInput
from service.parity.newest_rows import key_type
from service.parity.selection import Selection

TIME = "event_timestamp"
# How Feast keeps moments.
MOMENT = pa.timestamp("us", tz="UTC")
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Entities:
    """`table` has all columns as they were given, but join keys, request data and event times in Feast's types."""

    place: str
    table: pa.Table

    def __len__(self) -> int:
        return int(self.table.num_rows)


def entities(place: str, frame: pd.DataFrame, selection: Selection) -> Entities:
    """Check what was read from `place`; raises BadInput, naming what is missing or the first row that doesn't fit."""
    types = _types(selection)
    needed = _needed(selection)
    keys = {key.column for view in selection.views for key in view.keys}
    missing = [f"{name} ({why})" for name, why in needed.items() if name not in frame.columns]
    if missing:
        raise BadInput(f"{place} lacks columns: {', '.join(missing)}. It has: {', '.join(map(str, frame.columns))}.")
    if not len(frame):
        raise BadInput(f"{place} has no rows.")
    columns = {str(name): frame[name] for name in frame.columns if name not in needed}
    arrays = {name: _array(place, name, column) for name, column in columns.items()}
    arrays |= {name: _typed(place, name, frame[name], types[name], null=name not in keys) for name in types if name != TIME}
    arrays[TIME] = _times(place, frame[TIME])
    return Entities(place, pa.table({str(name): arrays[str(name)] for name in frame.columns}))


def texts(selection: Selection) -> list[str]:
    """The columns that hold texts, however much they look like numbers in a csv."""
    return [name for name, value_type in _types(selection).items() if value_type == ValueType.STRING]


def _types(selection: Selection) -> dict[str, ValueType]:
    keys = {key.column: key.value_type for view in selection.views for key in view.keys}
    return dict(selection.request) | keys


def _needed(selection: Selection) -> dict[str, str]:
    """Each column that must be there, and why."""
    needed = {TIME: "the moment as of which a row gets its features"}
    for view in selection.views:
        for key in view.keys:
            needed.setdefault(key.column, f"join key of {view.label}")
    for name in selection.request:
        wanting = [view.name for view in selection.on_demand if name in view.get_request_data_schema()]
        needed.setdefault(name, f"request data of {', '.join(wanting)}")
    return needed


def first_rows(bad: Iterable[Any]) -> str:
    """The first of the rows that are marked, as messages count them, and how many there are in all."""
    rows = [number for number, wrong in enumerate(bad, 1) if wrong]
    others = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
    return f"row {rows[0]}{others} (counted from 1, without a header)"


def _times(place: str, column: pd.Series) -> pa.Array:
    """Moments in UTC, to which times without a zone belong, as for Feast."""
    if pd.api.types.is_numeric_dtype(column):
        # pandas takes numbers for nanoseconds, which they hardly ever are.
        raise BadInput(f"{place}: {TIME} holds numbers; write ISO 8601, for instance 2026-01-31T12:00:00Z.")
    if pd.api.types.is_datetime64_any_dtype(column):
        times = column.dt.tz_localize("UTC") if column.dt.tz is None else column.dt.tz_convert("UTC")
    else:
        texts = column.where(column.isna(), column.astype(str))
        times = pd.to_datetime(texts, utc=True, format="ISO8601", errors="coerce")
    bad = times.isna()
    if bad.any():
        value = column[bad].iloc[0]
        what = "is empty" if pd.isna(value) else f"is {_short(value)}, which is no time in ISO 8601 (2026-01-31T12:00:00Z)"
        raise BadInput(f"{place}, {first_rows(bad)}: {TIME} {what}.")
    return pa.array(times.dt.as_unit("us"), MOMENT)


def _typed(place: str, name: str, column: pd.Series, value_type: ValueType, *, null: bool) -> pa.Array:
    wanted = key_type(value_type) if value_type == ValueType.UNIX_TIMESTAMP else feast_value_type_to_pa(value_type)
    if not null and column.isna().any():
        raise BadInput(f"{place}, {first_rows(column.isna())}: {name} is empty, and it is a join key.")
    try:
        return _cast(column, wanted)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        for row, value in enumerate(column, 1):
            try:
                _cast(pd.Series([value]), wanted)
            except (pa.ArrowException, TypeError, ValueError, OverflowError):
                raise BadInput(
                    f"{place}, row {row} (counted from 1, without a header): {name} is {_short(value)}, "
                    f"and Feast's type of it is {value_type.name}."
                ) from None
        raise


def _cast(column: pd.Series, wanted: pa.DataType) -> pa.Array:
    """Integers beside nulls come as floats; ids of one file may be texts of digits. Nothing is rounded to an integer."""
    found = pa.Array.from_pandas(column)
    if isinstance(found, pa.ChunkedArray):
        found = found.combine_chunks()
    return found.cast(wanted, safe=not pa.types.is_floating(wanted))


def _array(place: str, name: str, column: pd.Series) -> pa.Array:
    try:
        return pa.Array.from_pandas(column)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise BadInput(f"{place}: the column {name} holds values of different types: {error}") from error


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
