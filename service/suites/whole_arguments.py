"""The keyword arguments of expectations about a column or a table as a whole; see `arguments`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import v1 as pydantic
from pydantic.v1 import Field, StrictStr

from service.suites.arguments import Arguments, Bounded, ColumnArguments, Comparable, Parameter, WithCondition


class AggregateArguments(ColumnArguments, Bounded):
    """expect_column_min, max, mean, median and sum_to_be_between."""


class FloatBounds(ColumnArguments):
    """expect_column_stdev and proportion_of_unique_values_to_be_between."""

    min_value: float | Parameter | None = None
    max_value: float | Parameter | None = None
    strict_min: bool | Parameter = False
    strict_max: bool | Parameter = False


class IntegerBounds(ColumnArguments):
    """expect_column_unique_value_count_to_be_between."""

    min_value: int | Parameter | None = None
    max_value: int | Parameter | None = None
    strict_min: bool | Parameter = False
    strict_max: bool | Parameter = False


class ColumnListArguments(Arguments):
    """expect_table_columns_to_match_ordered_list."""

    column_list: list[Any] | set[Any] | Parameter | None


class ColumnSetArguments(Arguments):
    """expect_table_columns_to_match_set."""

    column_set: list[Any] | set[Any] | Parameter | None
    exact_match: bool | Parameter | None = True


class ExistArguments(Arguments):
    """expect_column_to_exist."""

    column: StrictStr = Field(min_length=1)
    column_index: int | Parameter | None = None


class RowCountBounds(WithCondition):
    """expect_table_row_count_to_be_between."""

    min_value: int | Parameter | datetime | None = None
    max_value: int | Parameter | datetime | None = None
    strict_min: bool | Parameter = False
    strict_max: bool | Parameter = False

    @pydantic.root_validator
    @classmethod
    def _check_bounds(cls, values: dict[str, Any]) -> dict[str, Any]:
        low, high = values.get("min_value"), values.get("max_value")
        if any(isinstance(bound, Mapping) and "$PARAMETER" not in bound for bound in (low, high)):
            raise ValueError("a bound that is an object must contain the key $PARAMETER")
        if low is not None and high is not None and not isinstance(low, dict) and not isinstance(high, dict) and low > high:
            raise ValueError(f"min_value ({low}) must be less than or equal to max_value ({high})")
        return values


class RowCountArguments(WithCondition):
    """expect_table_row_count_to_equal."""

    value: int | Parameter


class ColumnCountBounds(Arguments):
    """expect_table_column_count_to_be_between."""

    min_value: Comparable | None
    max_value: Comparable | None


class ColumnCountArguments(Arguments):
    """expect_table_column_count_to_equal."""

    value: int | Parameter
