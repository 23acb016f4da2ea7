"""Checks that nothing occurs twice, and counts of what is different, for files: by fingerprints instead of values.

Which values are repeated shows at the end, when they are no longer there; those that are to be shown are looked up by reading
the file once more.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from service.files.columns import FileColumn
from service.files.fingerprints import Distinct, Repetitions, fingerprints, together
from service.files.tallies import FileTally
from service.suites.column import Column
from service.suites.column_statistics import DistinctCount, UniqueProportion
from service.suites.frame import Frame
from service.suites.maps import without_nulls
from service.suites.outcomes import MAX_RESULT_RECORDS
from service.suites.unique_maps import CompoundUnique, Unique


@dataclass(slots=True)
class RepeatedTally(FileTally):
    """A tally of rows that aren't unique; `shown` has what those hold whose values are looked up."""

    repetitions: Repetitions = field(default_factory=Repetitions)
    shown: dict[int, Any] = field(default_factory=dict)

    def settle(self) -> None:
        """Tell the rows that aren't unique, once all have been taken in."""
        if not self.rows:
            for rows, offset in self.repetitions.rows():
                self.rows.add(rows.tolist(), offset)
            self.repetitions = Repetitions()
        self.values = [self.shown.get(row) for row in self.wanted()]

    def wanted(self) -> Sequence[int]:
        """The rows whose values have to be looked up."""
        return self.rows[:MAX_RESULT_RECORDS]


class LooksBack(Protocol):
    """A check that has to see some rows again when it has seen all."""

    def look_back(self, state: RepeatedTally, frame: Frame, offset: int) -> None:
        """Take what the rows of `state.wanted()` hold from a frame that starts at row `offset`."""


class FileUnique(Unique):
    """expect_column_values_to_be_unique."""

    def begin(self) -> Any:
        """See Check."""
        return RepeatedTally()

    def take(self, state: Any, frame: Frame, offset: int) -> None:
        """See Check."""
        column = _in_file(frame.find(self.column, self.condition))
        state.elements += column.size
        state.missing += column.array.null_count
        prints = fingerprints(column)
        if column.array.null_count:
            state.repetitions.add(prints[~column.null_mask], column.positions, offset)
        else:
            state.repetitions.add(prints, column.rows, offset)

    def look_back(self, state: RepeatedTally, frame: Frame, offset: int) -> None:
        """See LooksBack."""
        rows = _within(state.wanted(), frame, offset)
        values = _in_file(frame.find(self.column).take([row - offset for row in rows])).present
        state.shown.update(zip(rows, values, strict=True))


class FileCompoundUnique(CompoundUnique):
    """expect_compound_columns_to_be_unique."""

    def begin(self) -> Any:
        """See Check."""
        return RepeatedTally()

    def take(self, state: Any, frame: Frame, offset: int) -> None:
        """See Check."""
        rows = frame.rows_where(self.condition)
        columns = [_in_file(frame.find(name)) for name in self._columns]
        kept = without_nulls(rows, columns, self._ignored)
        state.elements += len(rows)
        state.missing += len(rows) - len(kept)
        prints = together(columns)
        every = len(kept) == frame.row_count
        state.repetitions.add(prints if every else prints[list(kept)], None if every else kept, offset)

    def look_back(self, state: RepeatedTally, frame: Frame, offset: int) -> None:
        """See LooksBack."""
        rows = _within(state.wanted(), frame, offset)
        columns = [_in_file(frame.find(name).take([row - offset for row in rows])) for name in self._columns]
        state.shown.update(zip(rows, zip(*(column.aligned for column in columns), strict=True), strict=True))


class FileDistinctCount(DistinctCount):
    """How many different values there are."""

    def __init__(self) -> None:
        super().__init__()
        self.distinct: Any = Distinct()

    def take(self, column: Column) -> None:
        """See Statistic."""
        ours = _in_file(column)
        prints = fingerprints(ours)
        self.distinct.add(prints[~ours.null_mask] if ours.array.null_count else prints)
        self.rows += column.size
        self.present += column.size - ours.array.null_count


class FileUniqueProportion(FileDistinctCount, UniqueProportion):
    """How many different values there are to each value."""


def _in_file(column: Column) -> FileColumn:
    if not isinstance(column, FileColumn):
        raise TypeError("The checks of files judge frames of files.")
    return column


def _within(rows: Sequence[int], frame: Frame, offset: int) -> list[int]:
    return [row for row in rows if offset <= row < offset + frame.row_count]
