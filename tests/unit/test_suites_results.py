"""Outcomes in GX's shape; tests/parity/suites compares them with GX's own."""

from datetime import UTC, datetime
from typing import Any

import pytest

from service.errors import InvalidRequest, NotSupported
from service.suites import Frame, compile_suite, validation_result

SUITE = compile_suite(
    {
        "name": "ages",
        "expectations": [
            {
                "type": "expect_column_values_to_be_between",
                "kwargs": {"column": "age", "max_value": 100, "mostly": 1.0},
                "id": "a",
            },
            {"type": "expect_column_max_to_be_between", "kwargs": {"column": "age", "max_value": "2024-01-01"}},
            {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 1}},
        ],
    },
    "ages.json",
)


def results(ages: list[Any], result_format: Any) -> list[dict[str, Any]]:
    """Those of the suite over these ages."""
    frame = Frame({"age": ages, "id": list(range(len(ages)))})
    return SUITE.result(SUITE.run(frame), frame, result_format)


def test_a_result_says_what_was_asked_as_gx_understood_it() -> None:
    """Bounds are floats, and what is a default is left out."""
    first = results([5], "BOOLEAN_ONLY")[0]
    assert first == {
        "success": True,
        "expectation_config": {
            "type": "expect_column_values_to_be_between",
            "kwargs": {"column": "age", "max_value": 100.0},
            "meta": {},
            "severity": "critical",
            "id": "a",
        },
        "result": {},
        "meta": {},
        "exception_info": {"raised_exception": False, "exception_traceback": None, "exception_message": None},
    }


def test_values_are_capped_and_rows_are_not() -> None:
    """GX returns 200 values at most, and the positions of all."""
    complete = results([101] * 500, "COMPLETE")[0]["result"]
    assert len(complete["unexpected_list"]) == 200
    assert complete["unexpected_index_list"] == list(range(500))
    assert complete["unexpected_count"] == 500
    assert complete["partial_unexpected_counts"] == [{"value": 101, "count": 200}]


def test_rows_can_be_named_by_other_columns() -> None:
    """As GX's `unexpected_index_column_names` does it."""
    wanted = {"result_format": "COMPLETE", "unexpected_index_column_names": ["id"]}
    assert results([5, None, 300], wanted)[0]["result"]["unexpected_index_list"] == [{"age": 300.0, "id": 2}]


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ("VERBOSE", "result_format"),
        ({}, "result_format"),
        ({"result_format": "BASIC", "partial_unexpected_counts": 5}, "result_format.partial_unexpected_counts"),
        ({"result_format": "BASIC", "partial_unexpected_count": -1}, "result_format.partial_unexpected_count"),
        (
            {"result_format": "COMPLETE", "unexpected_index_column_names": ["name"]},
            "result_format.unexpected_index_column_names",
        ),
        (
            {"result_format": "COMPLETE", "unexpected_index_column_names": "id"},
            "result_format.unexpected_index_column_names",
        ),
        (["COMPLETE"], "result_format"),
    ],
    ids=str,
)
def test_a_result_format_that_is_none_is_refused(wanted: Any, field: str) -> None:
    """The problem names what is wrong with it."""
    with pytest.raises(InvalidRequest) as caught:
        results([300], wanted)
    assert caught.value.problems[0].field == field


def test_what_only_gx_can_format_is_refused() -> None:
    """Whole rows are one such thing."""
    with pytest.raises(NotSupported, match="include_unexpected_rows"):
        results([5], {"result_format": "BASIC", "include_unexpected_rows": True})
    results([5], {"result_format": "BASIC", "include_unexpected_rows": False})


def test_a_validation_result_sums_up() -> None:
    """The shape of GX's ValidationResult.to_json_dict(), without what only a batch of GX's has."""
    at = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    whole = validation_result("ages", results([5, 6], "BASIC"), at)
    assert list(whole) == ["success", "results", "suite_name", "suite_parameters", "statistics", "meta", "id"]
    assert whole["success"] is False
    assert whole["statistics"] == {
        "evaluated_expectations": 3,
        "successful_expectations": 2,
        "unsuccessful_expectations": 1,
        "success_percent": 2 / 3 * 100,
    }
    assert whole["meta"]["run_id"] == {"run_name": None, "run_time": "2024-05-06T07:08:09+00:00"}
    assert whole["results"][1]["exception_info"]["raised_exception"] is True
    assert validation_result("none", [])["statistics"]["success_percent"] is None
