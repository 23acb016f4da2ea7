"""Expectations about each value of one column.

Each first asks, at the speed of C, whether all is as expected; only when it isn't does it look for the rows. Source of the
meaning: GX's expectations/metrics/column_map_metrics, their `_pandas` functions.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from service.suites.arguments import Arguments, BetweenArguments, ColumnMapArguments, SetArguments
from service.suites.column import Column
from service.suites.comparison import check_bounds, interval_of
from service.suites.dtypes import INT64, OBJECT
from service.suites.errors import MetricError
from service.suites.frame import Frame
from service.suites.instants import read_with_dateutil
from service.suites.maps import MapCheck
from service.suites.membership import ValueSet
from service.suites.outcomes import MAX_RESULT_RECORDS, Tally

# Values of a set that a message repeats.
_LISTED_VALUES = 10


class OneColumnCheck(MapCheck):
    """About each value of a column."""

    model: type[Arguments] = ColumnMapArguments

    def __init__(self, expectation: Any, arguments: Any, condition: Any) -> None:
        super().__init__(expectation, arguments, condition)
        self.column: str = arguments.column

    def columns(self) -> Sequence[str]:
        """See MapCheck."""
        return (self.column,)


class ColumnMapCheck(OneColumnCheck):
    """About each value of a column that isn't null, by itself."""

    def take(self, state: Tally, frame: Frame, offset: int) -> None:
        """See Check."""
        column = frame.find(self.column, self.condition)
        unexpected = self.unexpected(column)
        state.elements += column.size
        state.missing += len(column.absent)
        if unexpected:
            positions, present = column.positions, column.present
            values = [present[index] for index in unexpected[:MAX_RESULT_RECORDS]]
            state.keep([positions[index] for index in unexpected], values, offset)

    @abstractmethod
    def unexpected(self, column: Column) -> Sequence[int]:
        """Indices, among the values that are present, of those that aren't as expected. Hot."""


class NotNull(OneColumnCheck):
    """expect_column_values_to_not_be_null."""

    reports_missing = False

    def take(self, state: Tally, frame: Frame, offset: int) -> None:
        """See Check."""
        column = frame.find(self.column, self.condition)
        state.elements += column.size
        if column.absent:
            state.keep(column.absent, column.nulls, offset)

    def rule(self) -> str:
        """See Check."""
        return f"{self.column} must not be null"


class Null(OneColumnCheck):
    """expect_column_values_to_be_null."""

    reports_missing = False
    reports_index_names = False

    def take(self, state: Tally, frame: Frame, offset: int) -> None:
        """See Check."""
        column = frame.find(self.column, self.condition)
        state.elements += column.size
        if column.present:
            state.keep(column.positions, column.present, offset)

    def rule(self) -> str:
        """See Check."""
        return f"{self.column} must be null"


class Between(ColumnMapCheck):
    """expect_column_values_to_be_between."""

    model = BetweenArguments

    def __init__(self, expectation: Any, arguments: Any, condition: Any) -> None:
        super().__init__(expectation, arguments, condition)
        self._interval = interval_of(arguments)
        self._defect = self._interval.defect()

    def unexpected(self, column: Column) -> Sequence[int]:
        """See ColumnMapCheck."""
        if self._defect is not None:
            raise MetricError(self._defect)
        dtype, interval = column.dtype, self._interval
        if dtype.is_datetime:
            check_bounds(interval, dtype)
        if not column.present:
            return ()
        if dtype is OBJECT:
            return self._outside_objects(column)
        low, high = column.bounds
        # numpy compares integers with a float as floats, however large they are; bounds are floats.
        if dtype is INT64:
            low, high = float(low), float(high)
        if interval.holds(low) and interval.holds(high):
            return ()
        return interval.outside(list(map(float, column.present)) if dtype is INT64 else column.present)

    def _outside_objects(self, column: Column) -> Sequence[int]:
        holds = self._interval.holds
        outside = []
        for index, value in enumerate(column.present):
            # Bounds are numbers and times, never texts: GX converts those that it is given, or refuses them.
            if isinstance(value, str):
                raise MetricError("Column values, min_value, and max_value must either be None or of the same type.")
            if not holds(value):
                outside.append(index)
        return outside

    def rule(self) -> str:
        """See Check."""
        return f"{self.column} must be {self._interval}"


class InSet(ColumnMapCheck):
    """expect_column_values_to_be_in_set."""

    model = SetArguments

    def __init__(self, expectation: Any, arguments: Any, condition: Any) -> None:
        super().__init__(expectation, arguments, condition)
        self._values = ValueSet(arguments.value_set)

    def unexpected(self, column: Column) -> Sequence[int]:
        """See ColumnMapCheck."""
        if self._values.holds_all(column):
            return ()
        contains = self._values.membership(column)
        return [index for index, value in enumerate(column.present) if not contains(value)]

    def rule(self) -> str:
        """See Check."""
        return f"{self.column} must be one of {_listed(self.arguments.value_set)}"


class NotInSet(ColumnMapCheck):
    """expect_column_values_to_not_be_in_set."""

    model = SetArguments

    def __init__(self, expectation: Any, arguments: Any, condition: Any) -> None:
        super().__init__(expectation, arguments, condition)
        self._values = ValueSet(arguments.value_set)

    def unexpected(self, column: Column) -> Sequence[int]:
        """See ColumnMapCheck."""
        values = self._values
        if column.dtype.is_datetime:
            # GX reads the texts of the set, with dateutil and only here; what it can't read raises.
            given = self.arguments.value_set
            values = ValueSet(read_with_dateutil(value) if isinstance(value, str) else value for value in given)
        elif values.holds_none(column):
            return ()
        contains = values.membership(column)
        return [index for index, value in enumerate(column.present) if contains(value)]

    def rule(self) -> str:
        """See Check."""
        return f"{self.column} must not be one of {_listed(self.arguments.value_set)}"


def _listed(values: Sequence[Any]) -> str:
    """The first of a set of values, for messages."""
    return ", ".join(map(repr, values[:_LISTED_VALUES])) + (", ..." if len(values) > _LISTED_VALUES else "")
