"""Sums and averages of a column as pandas works them out: to the last bit, and with the errors that it raises.

Source: pandas 2.3's core/nanops.py. They keep all values, because the result depends on all of them at once.
"""

import math
from array import array
from collections.abc import Callable, Sequence
from functools import reduce
from operator import add
from typing import Any

from service.suites.column import Column
from service.suites.column_statistics import NO_NUMBER, Figure, Statistic, kind_of
from service.suites.dtypes import BOOL, FLOAT64, INT64, OBJECT, UINT64
from service.suites.errors import MetricError
from service.suites.instants import Timestamp, nanoseconds_of
from service.suites.nulls import NAT, is_null
from service.suites.summation import pairwise_sum, sum_as_floats, wrapped

# Type codes of arrays for the dtypes whose values fit one.
_PACKED = {FLOAT64: "d", INT64: "q"}


class _OverAll(Statistic):
    """A statistic that needs all values at once, in their order."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[Sequence[Any]] = []
        self.present = 0

    def take(self, column: Column) -> None:
        """See Statistic."""
        if self._parts:
            # Where more than one follows they are many: 8 bytes for a number instead of 32.
            code = _PACKED.get(column.dtype)
            self._parts[-1] = array(code, self._parts[-1]) if code else self._parts[-1]
        self._parts.append(column.aligned)
        self.present += len(column.present)

    def values(self) -> Sequence[Any]:
        """All values, nulls included."""
        return self._parts[0] if len(self._parts) == 1 else [value for part in self._parts for value in part]

    def filled(self) -> Sequence[Any]:
        """All values, with 0 for each null."""
        values = self.values()
        zero = 0.0 if self.dtype is FLOAT64 else 0
        return values if self.present == len(values) else [zero if is_null(value) else value for value in values]

    def floats(self) -> list[float]:
        """The values that aren't null, cast as numpy casts them; raises TypeError and MetricError."""
        return [_as_float(value) for value in self.values() if not is_null(value)]


class Sum(_OverAll):
    """The sum."""

    def figure(self) -> Figure:
        """See Statistic."""
        if self.dtype.is_datetime:
            raise MetricError(f"'DatetimeArray' with dtype {self.dtype.name} does not support reduction 'sum'")
        values = self.filled()
        if self.dtype is FLOAT64:
            return Figure(pairwise_sum(values), "numpy.float64")
        if self.dtype is OBJECT:
            total = _object_sum(values)
            return Figure(total, kind_of(OBJECT, total))
        unsigned = self.dtype is UINT64
        return Figure(wrapped(sum(values), signed=not unsigned), "numpy.uint64" if unsigned else "numpy.int64")


class Mean(_OverAll):
    """The mean."""

    def figure(self) -> Figure:
        """See Statistic."""
        dtype = self.dtype
        values = self.filled()
        if dtype.is_datetime:
            return self._instant(values)
        if dtype is OBJECT:
            total: Any = _as_number(_object_sum(values))
        elif dtype is FLOAT64:
            total = pairwise_sum(values)
        else:
            total = sum(values) if dtype is BOOL else sum_as_floats(values)
        return Figure(total / float(self.present), "numpy.float64") if self.present else NO_NUMBER

    def _instant(self, values: Sequence[Any]) -> Figure:
        if not self.present:
            return Figure(NAT, "NaTType")
        total = sum_as_floats([nanoseconds_of(value) if value else 0 for value in values])
        return Figure(Timestamp(int(total / float(self.present)), _zone(values)), "Timestamp")


class Median(_OverAll):
    """The median."""

    def figure(self) -> Figure:
        """See Statistic."""
        if self.dtype.is_datetime:
            values = [value for value in self.values() if not is_null(value)]
            if not values:
                return Figure(NAT, "NaTType")
            middle = _middle([float(nanoseconds_of(value)) for value in values])
            return Figure(Timestamp(int(middle), _zone(values)), "Timestamp")
        if self.dtype is OBJECT and _is_text_or_mixed([value for value in self.values() if not is_null(value)]):
            raise MetricError(f"Cannot convert {list(self.values())} to numeric")
        return Figure(_middle(self.floats()), "numpy.float64") if self.present else NO_NUMBER


class Deviation(_OverAll):
    """The standard deviation of a sample."""

    def figure(self) -> Figure:
        """See Statistic."""
        if self.dtype.is_datetime:
            return Figure(None, "Timedelta" if self.present > 1 else "NaTType")
        values = self.floats()
        if self.dtype is OBJECT:
            # pandas casts for the mean, and then subtracts the values as they are.
            for value in self.filled():
                _ = 0.0 - value
        count = self.present
        if count < 2:
            return NO_NUMBER
        nulls = [is_null(value) for value in self.values()] if count < len(self.values()) else []
        if nulls:
            present = iter(values)
            values = [0.0 if null else next(present) for null in nulls]
        mean = pairwise_sum(values) / count
        if self.dtype is OBJECT:
            # numpy asks the objects for their powers; of its own numbers it takes squares, which may differ in the last bit.
            squares = [(mean - value) ** 2 for value in values]
        else:
            squares = [(mean - value) * (mean - value) for value in values]
        if nulls:
            squares = [0.0 if null else square for null, square in zip(nulls, squares, strict=True)]
        return Figure(math.sqrt(pairwise_sum(squares) / (count - 1)), "numpy.float64")


def _as_float(value: Any) -> float:
    if isinstance(value, list):
        raise MetricError("setting an array element with a sequence.")
    try:
        return float(value)
    except ValueError as error:
        raise TypeError(str(error)) from None


def _object_sum(values: Sequence[Any]) -> Any:
    return reduce(add, values) if values else 0


def _as_number(total: Any) -> Any:
    """A sum of objects as a number; raises TypeError as `_ensure_numeric` in pandas' nanops does."""
    if isinstance(total, int | float | complex):
        return total
    if isinstance(total, str):
        raise TypeError(f"Could not convert string '{total}' to numeric")
    convert: Callable[[Any], Any]
    for convert in (float, complex):
        try:
            return convert(total)
        except ValueError as error:
            failure = error
        except TypeError:
            if convert is complex:
                raise
    raise TypeError(f"Could not convert {total} to numeric") from failure


def _middle(values: list[float]) -> float:
    values.sort()
    half = len(values) // 2
    # numpy takes the mean of the one or two in the middle.
    return values[half] + 0.0 if len(values) % 2 else (values[half - 1] + values[half]) / 2


def _is_text_or_mixed(values: Sequence[Any]) -> bool:
    """Whether pandas' infer_dtype calls the values "string" or "mixed"."""
    kinds = set(map(type, values))
    if kinds <= {bool} or kinds <= {int, float} or (len(kinds) == 1 and kinds.isdisjoint({str, list, dict, tuple})):
        return False
    return kinds == {str} or int not in kinds


def _zone(values: Sequence[Any]) -> Any:
    return next(value.tzinfo for value in values if value)
