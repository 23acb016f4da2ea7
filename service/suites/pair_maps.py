"""Expectations about two columns, row by row.

Source: GX's expectations/metrics/column_pair_map_metrics, and how pandas 2.3 compares two columns, by their dtypes.
"""

import operator
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time
from typing import Any

from service.suites.arguments import Arguments, GreaterArguments, PairArguments
from service.suites.column import Column
from service.suites.dtypes import FLOAT64, INT64, INT64_MAX, INT64_MIN, NAIVE_DATETIME, OBJECT, UINT64
from service.suites.errors import MetricError
from service.suites.frame import Frame
from service.suites.instants import read_timestamp
from service.suites.maps import MapCheck, without_nulls
from service.suites.nulls import NAT, NotATime, is_null
from service.suites.outcomes import MAX_RESULT_RECORDS, Tally

_IGNORED = {"both_values_are_missing": all, "either_value_is_missing": any, "neither": None}


class PairCheck(MapCheck):
    """About the values of two columns in each row."""

    model: type[Arguments] = PairArguments
    compare: Callable[[Any, Any], Any]
    words: str

    def __init__(self, expectation: Any, arguments: Any, condition: Any) -> None:
        super().__init__(expectation, arguments, condition)
        self._ignored = _IGNORED[arguments.ignore_row_if]

    def columns(self) -> Sequence[str]:
        """See MapCheck."""
        return self.arguments.column_A, self.arguments.column_B

    def take(self, state: Tally, frame: Frame, offset: int) -> None:
        """See Check."""
        rows = frame.rows_where(self.condition)
        left, right = frame.find(self.arguments.column_A), frame.find(self.arguments.column_B)
        kept = without_nulls(rows, (left, right), self._ignored)
        state.elements += len(rows)
        state.missing += len(rows) - len(kept)
        if len(kept) < frame.row_count:
            left, right = left.take(kept), right.take(kept)
        unexpected = self._unexpected(left, right)
        if unexpected:
            values = [(_as_in_numpy(left, index), _as_in_numpy(right, index)) for index in unexpected[:MAX_RESULT_RECORDS]]
            state.keep([kept[index] for index in unexpected], values, offset)

    def _unexpected(self, left: Column, right: Column) -> Sequence[int]:
        """Indices of the rows where the comparison doesn't hold. Hot."""
        compare = self.compare
        if left.dtype.is_datetime or right.dtype.is_datetime:
            left, right = _as_times(left), _as_times(right)
            if not self._are_comparable(left, right):
                return range(left.size)
        elif left.dtype is not OBJECT and right.dtype is OBJECT:
            # The one case in which pandas leaves nulls to the comparison, which may raise.
            return [index for index, pair in enumerate(zip(left.aligned, right.aligned, strict=True)) if not compare(*pair)]
        ours, theirs = _as_compared(left, right)
        if not left.absent and not right.absent and all(map(compare, ours, theirs)):
            return ()
        return [
            index
            for index, (one, other) in enumerate(zip(ours, theirs, strict=True))
            if is_null(one) or is_null(other) or not compare(one, other)
        ]

    def _are_comparable(self, left: Column, right: Column) -> bool:
        """Whether timestamps can be compared with the other column; raises as pandas does, except for equality."""
        if left.dtype.is_datetime and right.dtype.is_datetime:
            comparable = left.dtype.is_aware == right.dtype.is_aware
            message = "Cannot compare tz-naive and tz-aware datetime-like objects"
        else:
            times, other = (left, right) if left.dtype.is_datetime else (right, left)
            if other.types == {int} and (other.bounds[0] < INT64_MIN or other.bounds[1] > INT64_MAX) and other.dtype is OBJECT:
                # Of objects that are all integers pandas first tries to make int64.
                raise MetricError("Python int too large to convert to C long")
            comparable = other.dtype is OBJECT
            message = f"Invalid comparison between dtype={times.dtype.name} and ndarray"
        if not comparable and self.compare is not operator.eq:
            raise MetricError(message)
        return comparable

    def rule(self) -> str:
        """See Check."""
        return f"{self.arguments.column_A} must be {self.words} {self.arguments.column_B}"


class Greater(PairCheck):
    """expect_column_pair_values_a_to_be_greater_than_b."""

    model = GreaterArguments

    def __init__(self, expectation: Any, arguments: Any, condition: Any) -> None:
        super().__init__(expectation, arguments, condition)
        self.compare = operator.ge if arguments.or_equal else operator.gt
        self.words = "at least" if arguments.or_equal else "greater than"


class Equal(PairCheck):
    """expect_column_pair_values_to_be_equal."""

    compare = staticmethod(operator.eq)
    words = "equal to"


def _as_compared(left: Column, right: Column) -> tuple[Sequence[Any], Sequence[Any]]:
    """All values of both columns, cast as numpy and pandas cast them before they compare."""
    if left.dtype in (INT64, UINT64) and right.dtype is FLOAT64:
        return list(map(float, left.present)), right.aligned
    if left.dtype is FLOAT64 and right.dtype in (INT64, UINT64):
        return left.aligned, list(map(float, right.present))
    if left.dtype.is_datetime and right.types == {str}:
        return left.aligned, _read_like(left, right)
    if right.dtype.is_datetime and left.types == {str}:
        return _read_like(right, left), right.aligned
    return left.aligned, right.aligned


def _as_times(column: Column) -> Column:
    """A column of days as one of their midnights, which pandas makes of it beside one of timestamps."""
    if column.types != {date}:
        return column
    midnights = [datetime.combine(day, time.min) for day in column.present]
    return Column(NAIVE_DATETIME, midnights, column.positions, column.absent, [NAT] * len(column.absent))


def _read_like(times: Column, texts: Column) -> Sequence[Any]:
    """Texts as points in time, in the timezone of the other column where they name none; as they are if one isn't one."""
    zone = next((time.tzinfo for time in times.present), None)
    try:
        instants = [NAT if is_null(text) else read_timestamp(text) for text in texts.aligned]
    except ValueError:
        return texts.aligned
    return [
        instant.replace(tzinfo=zone) if isinstance(instant, datetime) and not instant.tzinfo else instant
        for instant in instants
    ]


def _as_in_numpy(column: Column, index: int) -> Any:
    """A value as it stands in the array of the column: timestamps there are in UTC and have nanoseconds."""
    value = column.aligned[index]
    if not column.dtype.is_datetime:
        return value
    if isinstance(value, datetime):
        return f"{(value.astimezone(UTC) if value.tzinfo else value):%Y-%m-%dT%H:%M:%S.%f}000"
    return NotATime()
