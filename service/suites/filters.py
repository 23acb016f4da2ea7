"""Row conditions, evaluated: which rows of a frame they let through, as `pandas.DataFrame.query` decides it."""

import operator
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

from service.suites.column import Column
from service.suites.dtypes import FLOAT64, INT64, OBJECT, UINT64
from service.suites.errors import MetricError
from service.suites.frame import Frame
from service.suites.instants import is_comparable, read_timestamp
from service.suites.membership import ValueSet
from service.suites.nulls import NAT, NotATime

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Filter(Protocol):
    """One condition."""

    def mask(self, frame: Frame) -> list[bool]:
        """For each row whether it holds; raises what the query would."""


class RowCondition:
    """The row condition of an expectation."""

    def __init__(self, root: Filter) -> None:
        self._root = root

    def rows(self, frame: Frame) -> Sequence[int]:
        """The rows that it lets through, in order; raises what the query would."""
        return [row for row, holds in enumerate(self._root.mask(frame)) if holds]


class Comparison:
    """A column and a constant; texts are only ordered here, their equality is a Membership."""

    def __init__(self, name: str, symbol: str, constant: Any) -> None:
        self._name = name
        self._symbol = symbol
        self._constant = constant

    def mask(self, frame: Frame) -> list[bool]:
        """Row by row; a null is only unequal."""
        column = _column(frame, self._name)
        compare, constant = _OPERATORS[self._symbol], self._constant
        values: Sequence[Any] = column.present
        if column.dtype.is_datetime:
            constant = self._instant(column)
        elif column.dtype is not OBJECT and type(constant) is str:
            raise MetricError(f"Invalid comparison between dtype={column.dtype.name} and str")
        elif column.dtype in (INT64, UINT64) and type(constant) is float:
            # numpy compares integers with a float as floats, however large they are.
            values = list(map(float, values))
        elif column.dtype is FLOAT64:
            constant = float(constant)
        mask = [self._symbol == "!="] * frame.row_count
        if constant is not NAT:
            for row, value in zip(column.positions, values, strict=True):
                mask[row] = bool(compare(value, constant))
        return mask

    def _instant(self, column: Column) -> Any:
        constant = self._constant
        if type(constant) in (int, float) and constant < 0:
            # In a query this is no constant, but the negation of one, and left as it is.
            return self._incomparable(column, type(constant).__name__)
        instant = read_timestamp(str(constant))
        if isinstance(instant, datetime) and not is_comparable(instant, column.dtype):
            return self._incomparable(column, "Timestamp")
        return instant

    def _incomparable(self, column: Column, kind: str) -> NotATime:
        if self._symbol in ("==", "!="):
            return NAT
        raise MetricError(f"Invalid comparison between dtype={column.dtype.name} and {kind}")


class Membership:
    """A column's value is one of several, or is not."""

    def __init__(self, name: str, values: Sequence[Any], *, inverted: bool) -> None:
        self._name = name
        self._values = ValueSet(values)
        self._inverted = inverted

    def mask(self, frame: Frame) -> list[bool]:
        """Row by row; a null is none of them, but among timestamps, where a text can stand for one."""
        column = _column(frame, self._name)
        contains = self._values.membership(column)
        return [contains(value) != self._inverted for value in column.aligned]


class Nullity:
    """A column's value is null, or is not."""

    def __init__(self, name: str, *, null: bool) -> None:
        self._name = name
        self._null = null

    def mask(self, frame: Frame) -> list[bool]:
        """Row by row."""
        mask = [not self._null] * frame.row_count
        for row in _column(frame, self._name).absent:
            mask[row] = self._null
        return mask


class Combination:
    """All of several conditions, or any."""

    def __init__(self, parts: Sequence[Filter], combine: Callable[[tuple[bool, ...]], bool]) -> None:
        self._parts = parts
        self._combine = combine

    def mask(self, frame: Frame) -> list[bool]:
        """Row by row; every part is evaluated, and may raise, as in a query."""
        return list(map(self._combine, zip(*(part.mask(frame) for part in self._parts), strict=True)))


class Negation:
    """The rows that a condition does not let through."""

    def __init__(self, part: Filter) -> None:
        self._part = part

    def mask(self, frame: Frame) -> list[bool]:
        """Row by row."""
        return [not holds for holds in self._part.mask(frame)]


def _column(frame: Frame, name: str) -> Column:
    if name not in frame.names:
        raise MetricError(f"name {name!r} is not defined")
    return frame.column(name)
