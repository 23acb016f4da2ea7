"""Rows in whatever form they come, as columns of values that JSON can hold.

They are a dict of columns, a list of dicts, a pandas DataFrame, or anything that hands itself over as an Arrow stream
(pyarrow's tables and record batches, Polars' frames). An index isn't sent.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from feature_client import arrow
from feature_client.errors import InvalidRequest, Problem
from feature_client.frames import columns_of_frame, is_pandas
from feature_client.values import column_in_json


class ArrowStream(Protocol):
    """Arrow's PyCapsule interface; frames of pandas have it, too."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """A capsule with the stream."""


class Array(Protocol):
    """Arrays of numpy, series of pandas."""

    def tolist(self) -> Any:
        """Its values as Python's own."""


Columns = Mapping[str, Sequence[Any]]
Rows = Mapping[str, Sequence[Any] | Array] | Sequence[Mapping[str, Any]] | ArrowStream


def columns_of(rows: Rows) -> Columns:
    """The columns; raises InvalidRequest naming each column and row that has no form in JSON. Hot for plain columns."""
    if isinstance(rows, Mapping):
        named: Iterable[tuple[str, Any]] = rows.items()
    elif is_pandas(rows):
        named = columns_of_frame(rows)
    elif hasattr(rows, "__arrow_c_stream__"):
        named = _of_arrow(rows)
    else:
        named = _by_column(rows).items()
    columns: dict[str, Sequence[Any]] = {}
    problems: list[Problem] = []
    for name, column in named:
        columns[name], found = column_in_json(name, _as_list(name, column))
        problems += found
    if problems:
        raise InvalidRequest.of(problems)
    return columns


def _of_arrow(rows: Any) -> Iterable[tuple[str, Sequence[Any]]]:
    table = arrow.table_of(rows)
    try:
        return [(name, table.column(name).to_pylist(maps_as_pydicts="strict")) for name in table.column_names]
    except (ValueError, KeyError) as error:  # nanoseconds, a key of a map that is there twice
        raise InvalidRequest.because(f"The Arrow table can't be read: {error}.") from error


def _by_column(rows: Any) -> Columns:
    if not isinstance(rows, Sequence) or isinstance(rows, str | bytes) or not all(isinstance(row, Mapping) for row in rows):
        wanted = "a dict of columns, a list of dicts, a frame of pandas or an Arrow table"
        raise InvalidRequest.because(f"Rows are {wanted}; these are {_described(rows)}.")
    if not rows:
        return {}
    names = rows[0].keys()
    uneven = [number for number, row in enumerate(rows) if row.keys() != names]
    if uneven:
        message = "has other columns than row 0; what is missing is written None."
        raise InvalidRequest.of(Problem(f"The row {message}", row=number) for number in uneven)
    return {name: [row[name] for row in rows] for name in names}


def _as_list(name: str, column: Any) -> Sequence[Any]:
    """A list or tuple; of a numpy array or a pandas Series its list. Hot."""
    if isinstance(column, list | tuple):
        return column
    if hasattr(column, "tolist"):
        listed = column.tolist()
        if isinstance(listed, list):
            return _kept_moments(column, listed)
    raise InvalidRequest.because(f"{name} must be a list with a value for each row; it is {_described(column)}.", name)


def _kept_moments(column: Any, listed: list[Any]) -> list[Any]:
    """For its times numpy lists nanoseconds since 1970, which say neither zone nor unit; as times they are refused."""
    return list(column) if getattr(column.dtype, "kind", "") == "M" else listed


def _described(value: object) -> str:
    if isinstance(value, list | tuple):
        return f"a {type(value).__name__} with other things than dicts"
    return f"of type {type(value).__qualname__}"
