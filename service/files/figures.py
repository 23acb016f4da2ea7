"""Sums, means, medians and deviations of the columns of a file: what `service.suites.averages` works out, in bounded memory.

A sum or a mean of a whole column is made while the file is read. A median, a standard deviation, and a sum of floats under a
row condition take all values at once: 8 bytes for each.
"""

import math
from abc import abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt

from service.files.columns import FileColumn
from service.files.sums import CastSum, Floats, PairwiseSum, sum_of
from service.suites.averages import Deviation, Mean, Median, Sum
from service.suites.column import Column
from service.suites.column_statistics import NO_NUMBER, Figure, Statistic
from service.suites.dtypes import BOOL, FLOAT64, OBJECT
from service.suites.errors import MetricError
from service.suites.instants import Timestamp
from service.suites.nulls import NAT
from service.suites.summation import wrapped

# pandas puts texts, which have no sum, one behind the other, to fail only then: with so many that takes hours, and all memory.
_MOST_OBJECTS = 10_000


class FileStatistic(Statistic):
    """A figure of a column of numbers or times; one of objects is left to the statistic of `service.suites`."""

    def __init__(self, original: Statistic) -> None:
        super().__init__()
        self._objects = original
        self.present = 0
        self._zone: Any = None
        self._objects_seen = 0

    def take(self, column: Column) -> None:
        """See Statistic."""
        if not isinstance(column, FileColumn):
            raise TypeError("A FileStatistic is one of a file.")
        if column.dtype is OBJECT:
            self._take_objects(column)
            return
        self._zone = column.form.zone
        self.present += column.size - column.array.null_count
        self.take_numbers(column)

    def _take_objects(self, column: Column) -> None:
        if not column.types <= {bool}:
            self._objects_seen += len(column.present)
            if self._objects_seen > _MOST_OBJECTS:
                example = column.present[0]
                raise MetricError(f"Could not convert {type(example).__name__} {example!r} to numeric")
        self._objects.observe(column)

    def figure(self) -> Figure:
        """See Statistic."""
        return self._objects.figure() if self.dtype is OBJECT else self.number()

    def as_figure(self, average: float) -> Figure:
        """An average, which is a point in time in a column of times."""
        if self.dtype.is_datetime:
            return Figure(Timestamp(int(average), self._zone), "Timestamp")
        return Figure(average, "numpy.float64")

    @abstractmethod
    def take_numbers(self, column: FileColumn) -> None:
        """Take in the next part."""

    @abstractmethod
    def number(self) -> Figure:
        """The result."""


class FileSum(FileStatistic):
    """The sum, and the mean that follows from it."""

    def __init__(self, original: Statistic, rows: int | None) -> None:
        """`rows` are those that will come; None when a row condition decides."""
        super().__init__(original)
        self._floats: PairwiseSum | _Kept = _Kept() if rows is None else PairwiseSum(rows)
        self._cast = CastSum()
        self._integer = 0

    def take_numbers(self, column: FileColumn) -> None:
        """See FileStatistic."""
        numbers = column.numbers()
        if column.dtype is FLOAT64:
            self._floats.add(numbers)
        else:
            self._integer += int(np.add.reduce(numbers))
            self._cast.add(numbers)

    def number(self) -> Figure:
        """See FileStatistic."""
        if self.dtype.is_datetime:
            raise MetricError(f"'DatetimeArray' with dtype {self.dtype.name} does not support reduction 'sum'")
        if self.dtype is FLOAT64:
            return Figure(self._floats.total(), "numpy.float64")
        unsigned = self.dtype.name.startswith("uint")
        return Figure(wrapped(self._integer, signed=not unsigned), "numpy.uint64" if unsigned else "numpy.int64")


class FileMean(FileSum):
    """The mean."""

    def number(self) -> Figure:
        """See FileStatistic."""
        if not self.present:
            return Figure(NAT, "NaTType") if self.dtype.is_datetime else NO_NUMBER
        total = self._floats.total() if self.dtype is FLOAT64 else self._integer if self.dtype is BOOL else self._cast.total()
        return self.as_figure(total / float(self.present))


class FileMedian(FileStatistic):
    """The median."""

    def __init__(self, original: Statistic) -> None:
        super().__init__(original)
        self._kept = _Kept()

    def take_numbers(self, column: FileColumn) -> None:
        """See FileStatistic."""
        numbers = column.numbers()
        self._kept.add(numbers[~column.null_mask] if column.array.null_count else numbers)

    def number(self) -> Figure:
        """See FileStatistic."""
        if not self.present:
            return Figure(NAT, "NaTType") if self.dtype.is_datetime else NO_NUMBER
        values = self._kept.values()
        values.sort(kind="stable")
        half = len(values) // 2
        high = float(values[half])
        middle = high if len(values) % 2 else (float(values[half - 1]) + high) / 2
        return self.as_figure(middle)


class FileDeviation(FileStatistic):
    """The standard deviation of a sample."""

    def __init__(self, original: Statistic) -> None:
        super().__init__(original)
        self._kept = _Kept()
        self._nulls: list[npt.NDArray[np.bool_]] = []

    def take_numbers(self, column: FileColumn) -> None:
        """See FileStatistic."""
        if not column.dtype.is_datetime:
            self._kept.add(column.numbers())
            self._nulls.append(column.null_mask)

    def number(self) -> Figure:
        """See FileStatistic."""
        if self.dtype.is_datetime:
            return Figure(None, "Timedelta" if self.present > 1 else "NaTType")
        if self.present < 2:
            return NO_NUMBER
        values = self._kept.values()
        # nulls are 0 among the values, and among the squares.
        with np.errstate(all="ignore"):
            squares = sum_of(values) / self.present - values
            squares *= squares
            squares[np.concatenate(self._nulls)] = 0.0
        return Figure(math.sqrt(sum_of(squares) / (self.present - 1)), "numpy.float64")


class _Kept:
    """Numbers, as floats, until they are all there."""

    def __init__(self) -> None:
        self._parts: list[Floats] = []

    def add(self, values: npt.NDArray[Any]) -> None:
        # A copy: the values of a batch lie in the batch.
        self._parts.append(np.array(values, np.float64))

    def values(self) -> Floats:
        values = np.concatenate(self._parts) if self._parts else np.empty(0)
        self._parts = [values]
        return values

    def total(self) -> float:
        return sum_of(self.values())


def in_bounded_memory(statistic: Statistic, rows: int | None) -> Statistic:
    """What works out the same figure of a file; `rows` are those that it will be given, None if that isn't known."""
    match statistic:
        case Sum():
            return FileSum(statistic, rows)
        case Mean():
            return FileMean(statistic, rows)
        case Median():
            return FileMedian(statistic)
        case Deviation():
            return FileDeviation(statistic)
    return statistic
