"""Expectations about the table: its columns and its rows."""

from abc import abstractmethod
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from service.suites.checks import Check
from service.suites.column_statistics import Figure
from service.suites.comparison import interval_of
from service.suites.frame import Frame
from service.suites.outcomes import Outcome
from service.suites.verdicts import judge
from service.suites.whole_arguments import (
    ColumnCountArguments,
    ColumnCountBounds,
    ColumnListArguments,
    ColumnSetArguments,
    ExistArguments,
    RowCountArguments,
    RowCountBounds,
)


@dataclass(slots=True)
class Table:
    """The names of the columns, and how many rows there have been."""

    names: tuple[str, ...] = ()
    rows: int = 0


class TableCheck(Check[Table]):
    """About the table as a whole."""

    def begin(self) -> Table:
        """See Check."""
        return Table()

    def take(self, state: Table, frame: Frame, offset: int) -> None:
        """See Check."""
        state.names = frame.names
        state.rows += frame.row_count if self.condition is None else len(frame.rows_where(self.condition))

    def conclude(self, state: Table) -> Outcome:
        """See Check."""
        return Outcome(self, *self.decide(state))

    @abstractmethod
    def decide(self, table: Table) -> tuple[bool, dict[str, Any]]:
        """The verdict, and GX's result."""


class ColumnsMatchOrderedList(TableCheck):
    """expect_table_columns_to_match_ordered_list."""

    model = ColumnListArguments

    def decide(self, table: Table) -> tuple[bool, dict[str, Any]]:
        """See TableCheck."""
        wanted, names = self.arguments.column_list, table.names
        result: dict[str, Any] = {"observed_value": names}
        if wanted is None or tuple(wanted) == names:
            return True, result
        mismatched = [
            {"Expected Column Position": place, "Expected": expected, "Found": found}
            for place, (expected, found) in enumerate(zip_longest(wanted, names))
            if expected != found
        ]
        return False, {**result, "details": {"mismatched": mismatched}}

    def rule(self) -> str:
        """See Check."""
        return f"the columns must be {', '.join(map(str, self.arguments.column_list or ()))}, in this order"


class ColumnsMatchSet(TableCheck):
    """expect_table_columns_to_match_set."""

    model = ColumnSetArguments

    def decide(self, table: Table) -> tuple[bool, dict[str, Any]]:
        """See TableCheck."""
        wanted, found = set(self.arguments.column_set or ()), set(table.names)
        unexpected, missing = sorted(found - wanted), sorted(map(str, wanted - found))
        result: dict[str, Any] = {"observed_value": sorted(found)}
        if unexpected or missing:
            mismatched = {"unexpected": unexpected, "missing": missing}
            result["details"] = {"mismatched": {kind: names for kind, names in mismatched.items() if names}}
        return not missing and not (unexpected and self.arguments.exact_match), result

    def rule(self) -> str:
        """See Check."""
        names = ", ".join(sorted(map(str, self.arguments.column_set or ())))
        return f"the columns must be {'' if self.arguments.exact_match else 'at least '}{names}"


class ColumnExists(TableCheck):
    """expect_column_to_exist."""

    model = ExistArguments

    def decide(self, table: Table) -> tuple[bool, dict[str, Any]]:
        """See TableCheck."""
        names, column, index = table.names, self.arguments.column, self.arguments.column_index
        if not index:
            return column in names, {}
        return -len(names) <= index < len(names) and names[index] == column, {}

    def rule(self) -> str:
        """See Check."""
        index = self.arguments.column_index
        return f"there must be a column {self.arguments.column}" + (f" at position {index}" if index else "")


class RowCountBetween(TableCheck):
    """expect_table_row_count_to_be_between."""

    model = RowCountBounds

    def __init__(self, expectation: Any, arguments: Any, condition: Any) -> None:
        super().__init__(expectation, arguments, condition)
        self._interval = interval_of(arguments)

    def decide(self, table: Table) -> tuple[bool, dict[str, Any]]:
        """See TableCheck."""
        success, observed = judge(Figure(table.rows, "int"), self._interval)
        return success, {"observed_value": observed}

    def rule(self) -> str:
        """See Check."""
        return f"the number of rows must be {self._interval}"


class RowCountEquals(TableCheck):
    """expect_table_row_count_to_equal."""

    model = RowCountArguments

    def decide(self, table: Table) -> tuple[bool, dict[str, Any]]:
        """See TableCheck."""
        return table.rows == self.arguments.value, {"observed_value": table.rows}

    def rule(self) -> str:
        """See Check."""
        return f"the number of rows must be {self.arguments.value}"


class ColumnCountBetween(TableCheck):
    """expect_table_column_count_to_be_between."""

    model = ColumnCountBounds

    def __init__(self, expectation: Any, arguments: Any, condition: Any) -> None:
        super().__init__(expectation, arguments, condition)
        self._interval = interval_of(arguments)

    def decide(self, table: Table) -> tuple[bool, dict[str, Any]]:
        """See TableCheck."""
        success, observed = judge(Figure(len(table.names), "int"), self._interval)
        return success, {"observed_value": observed}

    def rule(self) -> str:
        """See Check."""
        return f"the number of columns must be {self._interval}"


class ColumnCountEquals(TableCheck):
    """expect_table_column_count_to_equal."""

    model = ColumnCountArguments

    def decide(self, table: Table) -> tuple[bool, dict[str, Any]]:
        """See TableCheck."""
        return len(table.names) == self.arguments.value, {"observed_value": len(table.names)}

    def rule(self) -> str:
        """See Check."""
        return f"the number of columns must be {self.arguments.value}"
