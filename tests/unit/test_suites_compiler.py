"""Suite documents: what is compiled, what is left to Great Expectations, and what is refused."""

import subprocess
import sys
from typing import Any

import pytest

from service.suites import Frame, ParameterError, SuiteError, compile_suite

NOT_NULL = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "age"}}
BETWEEN = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "age", "min_value": 0}}


def document(*expectations: Any, **more: Any) -> dict[str, Any]:
    """A suite document of these expectations."""
    return {"name": "customers", "expectations": list(expectations), **more}


def entry(kind: str, **kwargs: Any) -> dict[str, Any]:
    """One expectation of it."""
    return {"type": kind, "kwargs": kwargs}


def refusal(refused: Any) -> str:
    """Why a document is refused."""
    with pytest.raises(SuiteError) as caught:
        compile_suite(refused, "suites/customers.json")
    return str(caught.value)


def test_expectations_keep_the_order_and_the_words_of_the_file() -> None:
    """What a result and a listing of suites show is what was written."""
    suite = compile_suite(
        document(NOT_NULL, {**BETWEEN, "id": "b", "meta": {"owner": "team"}, "severity": "warning", "notes": "why"}), "f.json"
    )
    assert suite.name == "customers"
    first, second = suite.expectations
    assert (first.type, first.id, first.meta, first.severity, first.compiled) == (NOT_NULL["type"], None, {}, "critical", True)
    assert (second.kwargs, second.id, second.meta) == (BETWEEN["kwargs"], "b", {"owner": "team"})
    assert (second.severity, second.notes) == ("warning", "why")


def test_a_type_that_gx_does_not_know_is_refused() -> None:
    """GX itself would drop it with a log line, and the suite would pass without it."""
    message = refusal(document(NOT_NULL, entry("expect_column_values_to_not_be_nul", column="age")))
    assert "suites/customers.json" in message
    assert "expectation 2, expect_column_values_to_not_be_nul" in message
    assert "Did you mean expect_column_values_to_not_be_null?" in message


def test_a_type_that_gx_knows_but_does_not_register_is_refused() -> None:
    """It is in GX's folder, and still nothing that a suite could use."""
    assert "doesn't know" in refusal(document(entry("expect_multicolumn_values_to_be_unique", column_list=["a", "b"])))


@pytest.mark.parametrize(
    ("kwargs", "complaint"),
    [
        ({}, "column: field required"),
        ({"column": "age", "mostly": 2}, "mostly: ensure this value is less than or equal to 1.0"),
        ({"column": "age", "max_value": "abc"}, "max_value: value is not a valid float"),
        ({"column": 5, "min_value": 0}, "column: str type expected"),
        ({"column": "age"}, "min_value and max_value cannot both be None"),
        ({"column": "age", "min_value": 0, "max": 5}, "max: extra fields not permitted"),
        ({"column": "age", "min_value": 0, "row_condition": "a > 1", "condition_parser": "sql"}, "condition_parser"),
    ],
)
def test_arguments_that_gx_refuses_are_refused(kwargs: dict[str, Any], complaint: str) -> None:
    """The message names file, type and argument."""
    message = refusal(document(entry("expect_column_values_to_be_between", **kwargs)))
    assert message.startswith("suites/customers.json: expectation 1, expect_column_values_to_be_between: ")
    assert complaint in message


@pytest.mark.parametrize(
    ("refused", "complaint"),
    [
        ({"expectations": []}, "needs a name"),
        ({"name": "", "expectations": []}, "needs a name"),
        ({"name": "s", "expectations": {}}, "must be a list"),
        (document("expect_column_to_exist"), "must be an object"),
        (document({"kwargs": {}}), "needs a type"),
        (document({"expectation_type": "expect_column_to_exist", "kwargs": {}}), "called type, not expectation_type"),
        (document({**NOT_NULL, "kwarg": {}}), "'kwarg' isn't known"),
        (document(data_asset_type="CSVAsset"), "'data_asset_type' isn't known"),
        (document({**NOT_NULL, "severity": "fatal"}), "severity"),
    ],
)
def test_documents_that_are_no_suites_are_refused(refused: Any, complaint: str) -> None:
    """Among them those of GX 0.x."""
    assert complaint in refusal(refused)


@pytest.mark.parametrize(
    ("left", "why"),
    [
        (entry("expect_column_kl_divergence_to_be_less_than", column="age"), "evaluated by Great Expectations itself"),
        (entry("expect_column_values_to_be_of_type", column="age", type_="DateOffset"), "can only be told by numpy and pandas"),
        (entry(**BETWEEN["kwargs"], kind=BETWEEN["type"], row_condition="age.abs() > 5"), "isn't of a column with a constant"),
        (entry(**BETWEEN["kwargs"], kind=BETWEEN["type"], row_condition="a > b"), "isn't a plain constant"),
        (entry(BETWEEN["type"], column="age", min_value={"$PARAMETER": "2 * low"}), "isn't a plain $PARAMETER"),
        (entry(**NOT_NULL["kwargs"], kind=NOT_NULL["type"], windows=[]), "windows"),
        (entry("expect_column_values_to_be_of_type", column="age", type_={"$PARAMETER": "type"}), "when the suite is run"),
        (
            entry(
                BETWEEN["type"],
                column="age",
                min_value={"$PARAMETER": "low"},
                row_condition='col("age") > 5 and col("age") < 7',
                condition_parser="great_expectations",
            ),
            "is not of the form",
        ),
    ],
)
def test_what_only_gx_evaluates_is_left_to_it(left: dict[str, Any], why: str) -> None:
    """The expectation says so and why, and a run has no outcome for it; the others are compiled."""
    suite = compile_suite(document(left, NOT_NULL), "f.json")
    assert [expectation.compiled for expectation in suite.expectations] == [False, True]
    assert why in str(suite.expectations[0].why)
    assert [outcome.expectation for outcome in suite.run(Frame({"age": [1]}))] == [suite.expectations[1]]


def test_parameters_are_given_when_a_suite_is_run() -> None:
    """Each run may bring others; the same suite serves all."""
    suite = compile_suite(document(entry(BETWEEN["type"], column="age", max_value={"$PARAMETER": "limit"})), "f.json")
    frame = Frame({"age": [1, 50, 70]})
    assert [suite.run(frame, {"limit": limit})[0].rows for limit in (60, 10, 60, 100)] == [[2], [1, 2], [2], ()]
    with pytest.raises(ParameterError, match="no value is given for its parameter limit"):
        suite.run(frame)
    with pytest.raises(ParameterError, match="max_value: value is not a valid float"):
        suite.begin({"limit": "high"})


def test_nothing_heavy_is_imported() -> None:
    """A worker that validates pushes stays small, whatever the suite."""
    program = """
import sys
from service.suites import Frame, compile_suite
from service.suites.compiler import CHECKS
suite = compile_suite({"name": "s", "expectations": [
    {"type": "expect_column_values_to_be_of_type", "kwargs": {"column": "a", "type_": "int64"}},
    {"type": "expect_column_median_to_be_between", "kwargs": {"column": "a", "min_value": "2024-01-01"}},
]}, "s.json")
suite.result(suite.run(Frame({"a": [1, 2]})), None, "COMPLETE")
print(sorted({"numpy", "pandas", "great_expectations", "pyarrow", "feast"} & set(sys.modules)))
"""
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "[]"
