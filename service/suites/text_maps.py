"""Expectations about the text of each value: every value has one, that which `Series.astype(str)` gives it."""

import re
from collections.abc import Sequence
from typing import Any

from service.suites.arguments import Arguments, DefaultRegexArguments, LengthArguments, LengthsArguments, RegexArguments
from service.suites.column import Column
from service.suites.column_maps import ColumnMapCheck
from service.suites.comparison import interval_of
from service.suites.errors import MetricError


class MatchRegex(ColumnMapCheck):
    """expect_column_values_to_match_regex."""

    model: type[Arguments] = DefaultRegexArguments
    must_match = True

    def __init__(self, expectation: Any, arguments: Any, condition: Any) -> None:
        super().__init__(expectation, arguments, condition)
        self._defect: str | None = None
        try:
            self._search = re.compile(arguments.regex).search
        except re.error as error:
            # GX takes such a suite, and fails when it is run; so does this.
            self._defect = str(error)

    def unexpected(self, column: Column) -> Sequence[int]:
        """See ColumnMapCheck."""
        if self._defect is not None:
            raise MetricError(self._defect)
        search, must_match = self._search, self.must_match
        matches = map(search, column.texts)
        if all(matches) if must_match else not any(matches):
            return ()
        return [index for index, text in enumerate(column.texts) if (search(text) is not None) != must_match]

    def rule(self) -> str:
        """See Check."""
        return f"{self.column} must {'' if self.must_match else 'not '}match {self.arguments.regex!r}"


class NotMatchRegex(MatchRegex):
    """expect_column_values_to_not_match_regex."""

    model = RegexArguments
    must_match = False


class LengthsBetween(ColumnMapCheck):
    """expect_column_value_lengths_to_be_between."""

    model = LengthsArguments

    def __init__(self, expectation: Any, arguments: Any, condition: Any) -> None:
        super().__init__(expectation, arguments, condition)
        self._interval = interval_of(arguments)

    def unexpected(self, column: Column) -> Sequence[int]:
        """See ColumnMapCheck."""
        lengths = list(map(len, column.texts))
        holds = self._interval.holds
        if not lengths or (holds(min(lengths)) and holds(max(lengths))):
            return ()
        return self._interval.outside(lengths)

    def rule(self) -> str:
        """See Check."""
        return f"the length of {self.column} must be {self._interval}"


class LengthsEqual(ColumnMapCheck):
    """expect_column_value_lengths_to_equal."""

    model = LengthArguments

    def unexpected(self, column: Column) -> Sequence[int]:
        """See ColumnMapCheck."""
        wanted = self.arguments.value
        return [index for index, text in enumerate(column.texts) if len(text) != wanted]

    def rule(self) -> str:
        """See Check."""
        return f"the length of {self.column} must be {self.arguments.value:g}"
