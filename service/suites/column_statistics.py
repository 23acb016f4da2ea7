"""Figures of a column as pandas works them out, by its dtype: to the last bit, and with the errors that it raises.

Source: pandas 2.3's core/nanops.py. Except for extremes, what they keep grows with the number of values, or of different
values, because pandas' result depends on all of them at once.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from service.suites.column import Column
from service.suites.dtypes import FLOAT64, OBJECT, Dtype
from service.suites.nulls import NAT, is_null


@dataclass(frozen=True, slots=True)
class Figure:
    """A result, and the name of the class that it has in pandas."""

    value: Any
    kind: str


NO_NUMBER = Figure(math.nan, "float")


class Statistic(ABC):
    """A figure under way."""

    def __init__(self) -> None:
        self.dtype: Dtype = FLOAT64

    def observe(self, column: Column) -> None:
        """Take in the next part of the column; raises what pandas raises."""
        self.dtype = column.dtype
        self.take(column)

    @abstractmethod
    def take(self, column: Column) -> None:
        """Take in the next part."""

    @abstractmethod
    def figure(self) -> Figure:
        """The result; raises what pandas raises."""


class Extreme(Statistic):
    """The least or the greatest value."""

    def __init__(self, *, greatest: bool) -> None:
        super().__init__()
        self._greatest = greatest
        self._extreme: Any = None
        self._any_present = False

    def take(self, column: Column) -> None:
        """See Statistic."""
        if column.dtype is OBJECT and (column.absent or column.types != {str}):
            # Objects are compared one after the other, and an infinity stands for each null.
            filler = -math.inf if self._greatest else math.inf
            values: Sequence[Any] = [filler if is_null(value) else value for value in column.aligned]
        else:
            values = column.bounds[self._greatest :][:1] if column.present else ()
        self._any_present = self._any_present or bool(column.present)
        if values:
            kept = values[0] if self._extreme is None else self._better(self._extreme, values[0])
            self._extreme = reduce(self._better, values[1:], kept)

    def _better(self, one: Any, other: Any) -> Any:
        return one if (one >= other if self._greatest else one <= other) else other

    def figure(self) -> Figure:
        """See Statistic."""
        if not self._any_present:
            return Figure(NAT, "NaTType") if self.dtype.is_datetime else NO_NUMBER
        return Figure(self._extreme, kind_of(self.dtype, self._extreme))


class DistinctCount(Statistic):
    """How many different values there are."""

    def __init__(self) -> None:
        super().__init__()
        self.distinct: set[Any] = set()
        self.rows = 0
        self.present = 0

    def take(self, column: Column) -> None:
        """See Statistic."""
        self.distinct = self.distinct | column.distinct if self.distinct else column.distinct
        self.rows += column.size
        self.present += len(column.present)

    def figure(self) -> Figure:
        """See Statistic."""
        return Figure(len(self.distinct), "int")


class UniqueProportion(DistinctCount):
    """How many different values there are to each value."""

    def figure(self) -> Figure:
        """See Statistic."""
        if not self.present:
            return Figure(0, "int")
        return Figure(len(self.distinct) / self.present, "float")


def kind_of(dtype: Dtype, value: Any) -> str:
    """The name of the class that a value of such a column has in pandas."""
    if dtype.is_datetime:
        return "Timestamp"
    if dtype is OBJECT:
        kind = type(value)
        return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    return f"numpy.{dtype.scalar}"
