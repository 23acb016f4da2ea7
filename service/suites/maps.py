"""Expectations about each row: what makes them succeed.

Source: `_validate` of ColumnMapExpectation, ColumnPairMapExpectation and MulticolumnMapExpectation in GX's
expectations/expectation.py.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from service.suites.checks import Check
from service.suites.column import Column
from service.suites.frame import RowFilter
from service.suites.outcomes import Outcome, Tally


class MapCheck(Check[Tally]):
    """An expectation about each row."""

    # Whether GX reports how much is missing, and on which columns' values an index may be built; see `results`.
    reports_missing = True
    reports_index_names = True

    def __init__(self, expectation: Any, arguments: Any, condition: RowFilter | None) -> None:
        super().__init__(expectation, arguments, condition)
        self._mostly: float = arguments.mostly

    def begin(self) -> Tally:
        """See Check."""
        return Tally()

    def conclude(self, state: Tally) -> Outcome:
        """Enough of the rows that count are as expected."""
        if not state.rows:
            return Outcome(self, True, state)
        considered = state.considered
        return Outcome(self, (considered - len(state.rows)) / considered >= self._mostly, state)

    @abstractmethod
    def columns(self) -> Sequence[str]:
        """The names of the columns that it is about."""


def without_nulls(
    rows: Sequence[int], columns: Sequence[Column], ignored: Callable[[Iterable[bool]], bool] | None
) -> Sequence[int]:
    """The rows without those that `ignore_row_if` leaves out: where `ignored` (all or any) of the columns are null."""
    if ignored is None or not any(column.absent for column in columns):
        return rows
    nulls = [set(column.absent) for column in columns]
    return [row for row in rows if not ignored(row in absent for absent in nulls)]
