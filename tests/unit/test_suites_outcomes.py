"""Outcomes: verdict, rows, a sentence that says why, and GX's exception_info."""

from typing import Any

import pytest

from service.suites import Frame, Outcome, compile_suite

COLUMNS = {
    "id": [1, 2, 2, None],
    "age": [30, -4, 200, 55],
    "plan": ["basic", "gold", None, "plus"],
    "low": [1, 5, 3, 2],
    "high": [2, 4, 3, None],
}


def outcome(kind: str, columns: dict[str, list[Any]] = COLUMNS, **kwargs: Any) -> Outcome:
    """The outcome of one expectation."""
    suite = compile_suite({"name": "s", "expectations": [{"type": kind, "kwargs": kwargs}]}, "s.json")
    assert suite.expectations[0].compiled, suite.expectations[0].why
    (only,) = suite.run(Frame(columns))
    return only


@pytest.mark.parametrize(
    ("kind", "kwargs", "rows", "reason"),
    [
        ("expect_column_values_to_not_be_null", {"column": "id"}, [3], "id must not be null, but 1 of 4 values is not: null."),
        (
            "expect_column_values_to_be_null",
            {"column": "plan"},
            [0, 1, 3],
            "plan must be null, but 3 of 4 values are not: 'basic', 'gold', 'plus'.",
        ),
        (
            "expect_column_values_to_be_unique",
            {"column": "id"},
            [1, 2],
            "id must be unique, but 2 of 3 values are not: 2.0, 2.0.",
        ),
        (
            "expect_column_values_to_be_between",
            {"column": "age", "min_value": 0, "max_value": 120, "strict_max": True},
            [1, 2],
            "age must be at least 0 and less than 120, but 2 of 4 values are not: -4, 200.",
        ),
        (
            "expect_column_values_to_be_in_set",
            {"column": "plan", "value_set": ["basic", "plus"]},
            [1],
            "plan must be one of 'basic', 'plus', but 1 of 3 values is not: 'gold'.",
        ),
        (
            "expect_column_values_to_match_regex",
            {"column": "plan", "regex": "s"},
            [1],
            "plan must match 's', but 1 of 3 values is not: 'gold'.",
        ),
        (
            "expect_column_value_lengths_to_be_between",
            {"column": "plan", "max_value": 4},
            [0],
            "the length of plan must be at most 4, but 1 of 3 values is not: 'basic'.",
        ),
        (
            "expect_column_pair_values_a_to_be_greater_than_b",
            {"column_A": "high", "column_B": "low", "or_equal": True},
            [1, 3],
            "high must be at least low, but 2 of 4 values are not: (4.0, 5), (nan, 2).",
        ),
        (
            "expect_compound_columns_to_be_unique",
            {"column_list": ["id", "high"], "ignore_row_if": "any_value_is_missing"},
            (),
            "",
        ),
    ],
)
def test_a_map_expectation_names_its_rows(kind: str, kwargs: dict[str, Any], rows: Any, reason: str) -> None:
    """And says what they hold."""
    found = outcome(kind, **kwargs)
    assert found.success is not bool(rows)
    assert found.rows == rows
    assert found.reason == reason
    assert found.exception is None


@pytest.mark.parametrize(
    ("kind", "kwargs", "reason"),
    [
        (
            "expect_column_mean_to_be_between",
            {"column": "age", "max_value": 50},
            "the mean of age must be at most 50, not 70.25.",
        ),
        (
            "expect_column_unique_value_count_to_be_between",
            {"column": "id", "min_value": 3},
            "the number of different values of id must be at least 3, not 2.",
        ),
        ("expect_table_row_count_to_equal", {"value": 5}, "the number of rows must be 5, not 4."),
        ("expect_column_to_exist", {"column": "name"}, "there must be a column name."),
        (
            "expect_table_columns_to_match_set",
            {"column_set": ["id", "age", "plan", "low", "name"]},
            "the columns must be age, id, low, name, plan; unexpected: high; missing: name.",
        ),
        (
            "expect_table_columns_to_match_ordered_list",
            {"column_list": ["id", "age", "plan", "high", "low"]},
            "the columns must be id, age, plan, high, low, in this order; at 3 is low, not high; at 4 is high, not low.",
        ),
        ("expect_column_values_to_be_of_type", {"column": "age", "type_": "float"}, "age must be of type float, not 'int64'."),
    ],
)
def test_an_expectation_about_the_whole_names_no_rows(kind: str, kwargs: dict[str, Any], reason: str) -> None:
    """It is the batch that isn't as expected."""
    found = outcome(kind, **kwargs)
    assert not found.success
    assert found.rows is None
    assert found.reason == reason


def test_enough_is_enough() -> None:
    """With `mostly`, rows that aren't as expected are no failure, and aren't named as one."""
    found = outcome("expect_column_values_to_not_be_null", column="id", mostly=0.75)
    assert found.success
    assert found.rows == ()


def test_what_gx_raises_is_an_outcome_about_the_whole_batch() -> None:
    """Text can't be compared with a number."""
    found = outcome("expect_column_values_to_be_between", column="plan", min_value=0)
    assert not found.success
    assert found.rows is None
    assert found.exception == {
        "raised_exception": True,
        "exception_message": "Column values, min_value, and max_value must either be None or of the same type.",
        "exception_traceback": None,
    }
    assert found.reason.startswith("plan must be at least 0, which can't be told: Column values")


def test_one_row_has_a_short_reason() -> None:
    """The common case of a push."""
    found = outcome("expect_column_values_to_be_between", {"age": [130]}, column="age", max_value=120)
    assert found.reason == "age must be at most 120, not 130."
