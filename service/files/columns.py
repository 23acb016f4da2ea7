"""Columns as Arrow holds them, for the checks: their values become Python's only when a check looks at each.

A bound or a count is asked of Arrow and numpy; most batches of most files have nothing unexpected, and then that is all.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, tzinfo
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from service.files.arrays import Mask, from_numpy, null_mask, objects, times, to_numpy
from service.files.forms import Form, is_bytes, is_text
from service.suites.column import Column
from service.suites.frame import Frame

_TYPES: tuple[tuple[Callable[[pa.DataType], bool], type], ...] = (
    (pa.types.is_integer, int),
    (pa.types.is_floating, float),
    (is_text, str),
    (pa.types.is_timestamp, datetime),
    (pa.types.is_boolean, bool),
    (pa.types.is_date32, date),
    (is_bytes, bytes),
)


def type_of(kind: pa.DataType) -> type:
    """The type that values of an Arrow type have in Python."""
    return next((python for matches, python in _TYPES if matches(kind)), type(None))


class Values(Sequence[Any]):
    """The values of an Arrow array without nulls: Python objects once one of them is asked for."""

    __slots__ = ("_array", "_list", "_zone")

    def __init__(self, array: Any, zone: tzinfo | None) -> None:
        self._array = array
        self._zone = zone
        self._list: list[Any] | None = None

    def _made(self) -> list[Any]:
        if self._list is None:
            self._list = objects(self._array, self._zone)
        return self._list

    def __len__(self) -> int:
        return len(self._array)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._made())

    @overload
    def __getitem__(self, place: int) -> Any: ...

    @overload
    def __getitem__(self, place: slice) -> list[Any]: ...

    def __getitem__(self, place: int | slice) -> Any:
        return self._made()[place]


class FileColumn(Column):
    """A column of a batch. What a Column has is worked out from the array when it is first asked for."""

    __slots__ = ("array", "form", "rows")

    def __init__(self, array: Any, form: Form, rows: npt.NDArray[np.int64] | None = None) -> None:
        """`array` has been converted by the form; `rows` are those of the batch that it holds, None for all."""
        self.array = array
        self.form = form
        self.rows = rows
        self.dtype = form.dtype
        self.size = len(array)

    def __getattr__(self, name: str) -> Any:
        work_out = _WORKED_OUT.get(name)
        if work_out is None:
            return super().__getattr__(name)
        value = work_out(self)
        setattr(self, name, value)
        return value

    def take(self, rows: Sequence[int]) -> "FileColumn":
        """See Column."""
        places = np.asarray(rows, np.int64)
        return FileColumn(self.array.take(from_numpy(places, pa.int64())), self.form, places)

    @property
    def null_mask(self) -> Mask:
        """For each row whether it is null."""
        return null_mask(self.array)

    def numbers(self) -> npt.NDArray[Any]:
        """The values of a column of numbers, booleans, days or times, in the order of their rows, 0 for each null."""
        numbers = to_numpy(self.array)
        if self.array.null_count:
            numbers = numbers.copy()
            numbers[self.null_mask] = 0
        return numbers


def _places(column: FileColumn, *, null: bool) -> Sequence[int]:
    if not column.array.null_count:
        every: Sequence[int] = range(column.size) if column.rows is None else column.rows.tolist()
        return () if null else every
    mask = column.null_mask
    places = np.flatnonzero(mask if null else ~mask)
    listed: list[int] = (places if column.rows is None else column.rows[places]).tolist()
    return listed


def _nulls(column: FileColumn) -> Sequence[Any]:
    if pa.types.is_floating(column.array.type):
        # Each its own, as pandas gives them out: a Counter tells them apart.
        return [float("nan") for _ in column.absent]
    return [column.form.null] * len(column.absent)


def _bounds(column: FileColumn) -> tuple[Any, Any]:
    array, kind = column.array, column.array.type
    if array.null_count == column.size:
        raise ValueError("there is no value")
    if pa.types.is_timestamp(kind):
        ends = pc.min_max(pc.cast(array, pa.int64()))
        low, high = times(np.array([ends["min"].as_py(), ends["max"].as_py()]), kind.unit, column.form.zone)
        return low, high
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        ends = pc.min_max(array)
        return ends["min"].as_py(), ends["max"].as_py()
    return min(column.present), max(column.present)


def _aligned(column: FileColumn) -> Sequence[Any]:
    if not column.array.null_count:
        return column.present
    if pa.types.is_floating(column.array.type):
        numbers = to_numpy(column.array).copy()
        numbers[column.null_mask] = np.nan
        listed: list[Any] = numbers.tolist()
        return listed
    values = np.full(column.size, column.form.null, object)
    values[~column.null_mask] = np.fromiter(column.present, object, len(column.present))
    return list(values)


_WORKED_OUT: dict[str, Callable[[FileColumn], Any]] = {
    "present": lambda column: Values(column.array.drop_null(), column.form.zone),
    "positions": lambda column: _places(column, null=False),
    "absent": lambda column: _places(column, null=True),
    "nulls": _nulls,
    "types": lambda column: {type_of(column.array.type)} if column.array.null_count < column.size else set(),
    "bounds": _bounds,
    "aligned": _aligned,
}


class FileFrame(Frame):
    """A batch of a file."""

    def __init__(self, names: Sequence[str], rows: int, arrays: Mapping[str, Any], forms: Mapping[str, Form]) -> None:
        """`arrays` are those columns, as they were read, that a check may ask for; `names` are all that the file has."""
        super().__init__(dict.fromkeys(names, ()), rows)
        self._arrays = arrays
        self._forms = forms

    def column(self, name: str) -> Column:
        """See Frame."""
        column = self._columns.get(name)
        if column is None:
            form = self._forms[name]
            column = self._columns[name] = FileColumn(form.convert(self._arrays[name]), form)
        return column
