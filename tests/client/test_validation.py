"""Validation: rows are checked, nothing is written, and the answer has GX's shape."""

from collections.abc import Callable

import pandas as pd
import pytest

from feature_client import NotFound
from tests.http.handmade.pushes import SUITE, Pusher, scores

from .clients import AnyClient

Connect = Callable[..., AnyClient]


@pytest.fixture
def checker(connect: Connect, pusher: Pusher) -> AnyClient:
    """A client of the service that has suites."""
    return connect(pusher.service.url)


def test_good_rows_succeed(checker: AnyClient) -> None:
    """A frame's, too."""
    result = checker.validate(SUITE, pd.DataFrame(scores(1, 2)))
    assert (result.success, result.suite_name, result.failed) == (True, SUITE, ())
    assert result.statistics["evaluated_expectations"] == len(result.results)


def test_bad_rows_are_no_error(checker: AnyClient, pusher: Pusher) -> None:
    """What failed is told as GX tells it."""
    result = checker.validate(SUITE, scores(70_001, 70_002, score=[0.5, 1.5]), result_format="COMPLETE")
    assert not result.success
    (failed,) = result.failed
    assert failed["expectation_config"]["type"] == "expect_column_values_to_be_between"
    assert failed["result"]["unexpected_list"] == [1.5]
    assert result.to_json_dict()["statistics"]["unsuccessful_expectations"] == 1
    assert pusher.score(70_001) is None


def test_a_suite_gets_its_parameters(checker: AnyClient) -> None:
    """By name."""
    rows = {"score": [0.5]}
    assert not checker.validate("parametrized", rows, expectation_parameters={"most": 0.4}).success
    assert checker.validate("parametrized", rows, expectation_parameters={"most": 0.6}).success


def test_a_push_can_be_tried(checker: AnyClient, pusher: Pusher) -> None:
    """By its source's suite; nothing is written."""
    assert not checker.validate_push("reject", scores(70_003, score=[1.5])).success
    assert checker.validate_push("reject", scores(70_003)).success
    assert pusher.score(70_003) is None


def test_an_unknown_suite_is_told(checker: AnyClient) -> None:
    """With the nearest one."""
    with pytest.raises(NotFound, match=SUITE):
        checker.validate(SUITE + "s", scores(1))
