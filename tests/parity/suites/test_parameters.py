"""`$PARAMETER`s: values that a run gives, converted and refused as Great Expectations does it."""

from typing import Any

import pytest

from service.suites import Frame, ParameterError, compile_suite

from .compare import differences
from .reference import Reference

COLUMNS = {"age": [5, 20, 70, None], "plan": ["basic", "plus", "other", "basic"]}
LIMIT = {"$PARAMETER": "limit"}
SUITE = {
    "name": "with parameters",
    "expectations": [
        {
            "type": "expect_column_values_to_be_between",
            "kwargs": {"column": "age", "min_value": 0, "max_value": LIMIT},
            "id": "00000000-0000-0000-0000-000000000001",
        },
        {
            "type": "expect_column_max_to_be_between",
            "kwargs": {"column": "age", "max_value": LIMIT, "strict_max": {"$PARAMETER": "strict"}},
            "id": "00000000-0000-0000-0000-000000000002",
        },
        {
            "type": "expect_column_values_to_be_in_set",
            "kwargs": {"column": "plan", "value_set": {"$PARAMETER": "plans"}, "mostly": {"$PARAMETER": "share"}},
            "id": "00000000-0000-0000-0000-000000000003",
        },
    ],
}
PARAMETERS = {"limit": 70, "plans": ["basic", "plus"], "share": 0.75, "strict": True, "unused": 1}


@pytest.mark.parametrize(
    "given", [{}, {"limit": "70"}, {"limit": "2024-01-01"}, {"plans": []}, {"share": 0.8}, {"strict": "yes"}], ids=str
)
def test_results_with_parameters_are_the_same(reference: Reference, given: dict[str, Any]) -> None:
    """The values, converted as those of a document are, stand in the results' arguments."""
    parameters = PARAMETERS | given
    suite, frame = compile_suite(SUITE, "suite.json"), Frame(COLUMNS)
    results = suite.result(suite.run(frame, parameters), frame, "COMPLETE")
    theirs = reference.validate(SUITE, COLUMNS, parameters=parameters)["results"]
    by_id = {result["expectation_config"]["id"]: result for result in theirs}
    for result in results:
        assert list(differences(by_id[result["expectation_config"]["id"]], result)) == []


@pytest.mark.parametrize("given", [{"limit": "abc"}, {"plans": "basic"}, {"share": 2}, {"strict": "perhaps"}], ids=str)
def test_values_that_gx_refuses_are_refused(reference: Reference, given: dict[str, Any]) -> None:
    """GX raises, and answers nothing; the message here names expectation and argument."""
    with pytest.raises(ValueError, match="validation error"):
        reference.validate(SUITE, COLUMNS, parameters=PARAMETERS | given)
    with pytest.raises(ParameterError, match="expect_column"):
        compile_suite(SUITE, "suite.json").run(Frame(COLUMNS), PARAMETERS | given)


def test_a_missing_parameter_is_refused(reference: Reference) -> None:
    """GX raises for it, too."""
    given = {name: value for name, value in PARAMETERS.items() if name != "limit"}
    with pytest.raises(Exception, match="No value found for \\$PARAMETER limit"):
        reference.validate(SUITE, COLUMNS, parameters=given)
    with pytest.raises(ParameterError, match="no value is given for its parameter limit"):
        compile_suite(SUITE, "suite.json").run(Frame(COLUMNS), given)
