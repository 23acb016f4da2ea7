"""The keyword arguments of each compiled expectation type, checked and converted as GX does it.

The models are pydantic 1's, with the fields of GX's own: what those accept, what they convert ("5" to 5.0, "2024-01-01" to
a date) and that defaults are left out again is part of what GX answers. tests/parity/suites compares the two.
"""

from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import v1 as pydantic
from pydantic.v1 import Field, StrictStr

from service.suites.conditions import (
    PassThroughCondition,
    RowCondition,
    check_combination,
    read_great_expectations_condition,
)

# {"$PARAMETER": name}: the value is given when the suite is run.
Parameter = dict[Any, Any]
Comparable = float | Parameter | date | datetime

# Fields that say something about the expectation, not about the data; they stand beside the kwargs in the configuration.
ABOUT = ("id", "meta", "notes", "description", "severity", "rendered_content")


class Severity(StrEnum):
    """How bad a failure is."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class ResultFormat(StrEnum):
    """How much a result says."""

    BOOLEAN_ONLY = "BOOLEAN_ONLY"
    BASIC = "BASIC"
    COMPLETE = "COMPLETE"
    SUMMARY = "SUMMARY"


class Arguments(pydantic.BaseModel):
    """What every expectation takes."""

    class Config:
        """As in GX."""

        smart_union = True
        extra = pydantic.Extra.forbid

    id: str | None = None
    meta: dict[Any, Any] | None = None
    notes: str | list[str] | None = None
    result_format: ResultFormat | dict[Any, Any] = ResultFormat.BASIC
    description: str | None = None
    catch_exceptions: bool = False
    severity: Severity = Severity.CRITICAL
    batch_id: str | None = None

    @pydantic.validator("result_format")
    @classmethod
    def _check_result_format(cls, value: Any) -> Any:
        if isinstance(value, dict) and "result_format" not in value:
            raise ValueError("the key 'result_format' must be present")
        return value

    def kwargs(self) -> dict[str, Any]:
        """The arguments that differ from their defaults, as GX keeps them in a configuration."""
        return {key: value for key, value in self.dict(exclude_defaults=True).items() if key not in ABOUT and key != "batch_id"}


class WithCondition(Arguments):
    """An expectation about the rows that a condition lets through."""

    row_condition: RowCondition = None
    condition_parser: Literal["great_expectations", "great_expectations__experimental__", "pandas", "spark"] | None = None

    @pydantic.validator("row_condition")
    @classmethod
    def _check_row_condition(cls, value: Any) -> Any:
        return check_combination(value)

    @pydantic.root_validator
    @classmethod
    def _read_row_condition(cls, values: dict[str, Any]) -> dict[str, Any]:
        condition = values.get("row_condition")
        if isinstance(condition, str):
            if str(values.get("condition_parser")).startswith("great_expectations"):
                values["row_condition"] = read_great_expectations_condition(condition)
            else:
                values["row_condition"] = PassThroughCondition(pass_through_filter=condition)
        return values


class ColumnArguments(WithCondition):
    """About one column."""

    column: StrictStr = Field(min_length=1)


class ColumnMapArguments(ColumnArguments):
    """About each value of a column."""

    mostly: float | Parameter = Field(1, ge=0.0, le=1.0)
    catch_exceptions: bool = True


class Bounded(Arguments):
    """Two bounds, each inclusive unless strict."""

    min_value: Comparable | None = None
    max_value: Comparable | None = None
    strict_min: bool | Parameter = False
    strict_max: bool | Parameter = False


class BetweenArguments(ColumnMapArguments, Bounded):
    """expect_column_values_to_be_between."""

    @pydantic.root_validator
    @classmethod
    def _check_bounds(cls, values: dict[str, Any]) -> dict[str, Any]:
        low, high = values.get("min_value"), values.get("max_value")
        if low is None and high is None:
            raise ValueError("min_value and max_value cannot both be None")
        if low == {} or high == {}:
            raise ValueError("values cannot be empty strings")
        return values


class LengthsArguments(ColumnMapArguments):
    """expect_column_value_lengths_to_be_between."""

    min_value: int | Parameter | None = None
    max_value: int | Parameter | None = None
    strict_min: bool | Parameter = False
    strict_max: bool | Parameter = False

    @pydantic.root_validator
    @classmethod
    def _check_bounds(cls, values: dict[str, Any]) -> dict[str, Any]:
        if values.get("min_value") is None and values.get("max_value") is None:
            raise ValueError("min_value and max_value cannot both be None")
        return values


class LengthArguments(ColumnMapArguments):
    """expect_column_value_lengths_to_equal."""

    value: float | Parameter


class SetArguments(ColumnMapArguments):
    """expect_column_values_to_be_in_set, and to_not_be_in_set."""

    value_set: list[Any] | Parameter


class RegexArguments(ColumnMapArguments):
    """expect_column_values_to_not_match_regex."""

    regex: str | Parameter


class DefaultRegexArguments(ColumnMapArguments):
    """expect_column_values_to_match_regex."""

    regex: str | Parameter = "(?s).*"


class TypeArguments(ColumnMapArguments):
    """expect_column_values_to_be_of_type."""

    type_: str | Parameter


class TypeListArguments(ColumnMapArguments):
    """expect_column_values_to_be_in_type_list."""

    type_list: list[str] | Parameter | None


class PairArguments(WithCondition):
    """About two columns, row by row."""

    column_A: StrictStr = Field(min_length=1)  # noqa: N815 - GX's name
    column_B: StrictStr = Field(min_length=1)  # noqa: N815 - GX's name
    mostly: float | Parameter = Field(1, ge=0.0, le=1.0)
    catch_exceptions: bool = True
    ignore_row_if: Literal["both_values_are_missing", "either_value_is_missing", "neither"] | Parameter = (
        "both_values_are_missing"
    )


class GreaterArguments(PairArguments):
    """expect_column_pair_values_a_to_be_greater_than_b."""

    or_equal: bool | Parameter | None = None


class CompoundArguments(WithCondition):
    """expect_compound_columns_to_be_unique."""

    column_list: Sequence[str]
    mostly: float | Parameter = Field(1, ge=0.0, le=1.0)
    catch_exceptions: bool = True
    ignore_row_if: Literal["all_values_are_missing", "any_value_is_missing", "never"] = "all_values_are_missing"

    @pydantic.validator("column_list")
    @classmethod
    def _check_column_list(cls, value: Sequence[str]) -> Sequence[str]:
        if len(value) < 2:
            raise ValueError("column_list must contain at least two columns.")
        return value
