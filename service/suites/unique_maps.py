"""Expectations that no value, or no combination of values, occurs twice. GX names every row of those that do.

They remember each different value from one batch to the next: in a file their state grows with the number of these.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from service.suites.arguments import CompoundArguments
from service.suites.column_maps import OneColumnCheck
from service.suites.dtypes import OBJECT
from service.suites.frame import Frame
from service.suites.maps import MapCheck, without_nulls
from service.suites.nulls import is_null
from service.suites.outcomes import MAX_RESULT_RECORDS, Outcome, Tally

_IGNORED = {"all_values_are_missing": all, "any_value_is_missing": any, "never": None}
_HASHABLE = {str, int, float, bool, bytes}
# Keys of some rows, what the rows hold, their positions in the frame, and the row that the frame starts at.
Batch = tuple[Sequence[Hashable], Sequence[Any], Sequence[int], int]


@dataclass(slots=True)
class UniqueTally(Tally):
    """The first row of each key, and the rows of the keys that occurred again."""

    held: Batch | None = None
    first: dict[Hashable, tuple[int, Any]] = field(default_factory=dict)
    repeated: dict[int, Any] = field(default_factory=dict)

    def add(self, batch: Batch) -> None:
        """Take in some rows. The first ones are held back: mostly none follow, and then a set answers faster."""
        if self.held is None and not self.first:
            self.held = batch
            return
        self._release()
        self._enter(batch)

    def _release(self) -> None:
        if self.held is not None:
            held, self.held = self.held, None
            self._enter(held)

    def _enter(self, batch: Batch) -> None:
        keys, values, rows, offset = batch
        for key, value, row in zip(keys, values, rows, strict=True):
            place = (row + offset, value)
            known = self.first.setdefault(key, place)
            if known is not place:
                self.repeated[known[0]] = known[1]
                self.repeated[row + offset] = value

    def settle(self) -> None:
        """Tell the rows that aren't unique."""
        if self.held is None or len(set(self.held[0])) != len(self.held[0]):
            self._release()
            self.rows = sorted(self.repeated)
            self.values = [self.repeated[row] for row in self.rows[:MAX_RESULT_RECORDS]]


class Unique(OneColumnCheck):
    """expect_column_values_to_be_unique."""

    def begin(self) -> UniqueTally:
        """See Check."""
        return UniqueTally()

    def take(self, state: Any, frame: Frame, offset: int) -> None:
        """See Check."""
        column = frame.find(self.column, self.condition)
        state.elements += column.size
        state.missing += len(column.absent)
        keys = column.present
        if column.dtype is OBJECT and not column.types <= _HASHABLE:
            keys = list(map(_frozen, keys))
        state.add((keys, column.present, column.positions, offset))

    def conclude(self, state: Any) -> Outcome:
        """See MapCheck."""
        state.settle()
        return super().conclude(state)

    def rule(self) -> str:
        """See Check."""
        return f"{self.column} must be unique"


class CompoundUnique(MapCheck):
    """expect_compound_columns_to_be_unique."""

    model = CompoundArguments

    def __init__(self, expectation: Any, arguments: Any, condition: Any) -> None:
        super().__init__(expectation, arguments, condition)
        self._columns: Sequence[str] = arguments.column_list
        self._ignored = _IGNORED[arguments.ignore_row_if]

    def columns(self) -> Sequence[str]:
        """See MapCheck."""
        return self._columns

    def begin(self) -> UniqueTally:
        """See Check."""
        return UniqueTally()

    def take(self, state: Any, frame: Frame, offset: int) -> None:
        """See Check."""
        rows = frame.rows_where(self.condition)
        columns = [frame.find(name) for name in self._columns]
        kept = without_nulls(rows, columns, self._ignored)
        state.elements += len(rows)
        state.missing += len(rows) - len(kept)
        records = list(zip(*(column.aligned for column in columns), strict=True))
        if len(kept) < frame.row_count:
            records = [records[row] for row in kept]
        for place, column in enumerate(columns):
            if column.dtype is OBJECT and not column.types <= _HASHABLE:
                # Raises for what can't be hashed, column by column, as pandas does.
                {record[place] for record in records}
        keys: Sequence[Hashable] = records
        if any(column.absent for column in columns):
            # All nulls of a column are one value here, unlike anywhere else.
            keys = [tuple(None if is_null(value) else value for value in record) for record in records]
        state.add((keys, records, kept, offset))

    def conclude(self, state: Any) -> Outcome:
        """See MapCheck."""
        state.settle()
        state.values = [dict(zip(self._columns, record, strict=True)) for record in state.values]
        return super().conclude(state)

    def rule(self) -> str:
        """See Check."""
        return f"{', '.join(self._columns)} must be unique together"


def _frozen(value: Any) -> Hashable:
    """Something that can be hashed, and equals another such thing when the values are equal."""
    if isinstance(value, list):
        return tuple(map(_frozen, value))
    if isinstance(value, dict):
        return frozenset((key, _frozen(item)) for key, item in value.items())
    return value  # type: ignore[no-any-return]
