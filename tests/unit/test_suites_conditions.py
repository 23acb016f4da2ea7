"""Row conditions: which of them are compiled, and the rows that they let through."""

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from service.suites.condition_compiler import compile_condition
from service.suites.conditions import PassThroughCondition, UnreadableCondition, read_great_expectations_condition
from service.suites.frame import Frame

COLUMNS: dict[str, list[Any]] = {
    "a": [1, 2, 3, 2**53 + 1],
    "f": [1.0, None, 0.25, -1.0],
    "s": ["x", None, "z", "x"],
    "b": [True, False, True, True],
    "o": [1, "1", None, 2.5],
    "n": [None, None, None, None],
    "t": [datetime(2024, 1, day, tzinfo=UTC) for day in (1, 2, 3, 4)],
}


@pytest.mark.filterwarnings("ignore:The behavior of 'isin' with dtype:FutureWarning")
@pytest.mark.parametrize(
    "text",
    [
        "a > 1",
        "1 < a",
        "1 < a <= 3",
        "a == 9007199254740992.0",
        "a != 2 and f > 0",
        "a > 1 & s == 'x'",
        "a == 1 or s == 'z' and f > 0",
        "a == 1 | s == 'z' & f > 0",
        "(a == 1 or s == 'z') and f > 0",
        "not a > 1",
        "~f.isnull()",
        "f.notna() and ~(a > 1)",
        "s in ['x', 'y']",
        "s not in ['x']",
        "s != 'x'",
        "f != 1",
        "f > -2",
        "b == True",
        "o == 1",
        "o == '1'",
        "n == 'x' or n.isnull()",
        "t > '2024-01-02T00:00:00Z'",
        "t == '2024-01-02 00:00:00+00:00'",
        "t == '2024-01-02'",
        "a in []",
        "a in [1, 2.5, -3]",
    ],
)
def test_compiled_conditions_let_through_what_a_query_does(text: str) -> None:
    """Whatever the types of the column and of the constant."""
    condition = compile_condition(PassThroughCondition(pass_through_filter=text))
    assert list(condition.rows(Frame(COLUMNS))) == list(pd.DataFrame(COLUMNS).query(text).index)


@pytest.mark.parametrize("text", ["s > 1", "a < 'x'", "o > 1", "missing > 1", "t > '2024-01-02'", "t > 5", "t > -5"])
def test_conditions_that_a_query_refuses_are_refused(text: str) -> None:
    """Values that don't compare, and a column that isn't there."""
    condition = compile_condition(PassThroughCondition(pass_through_filter=text))
    with pytest.raises(Exception) as refused:  # noqa: PT011 - of pandas' own class
        pd.DataFrame(COLUMNS).query(text)
    with pytest.raises(Exception) as caught:  # noqa: PT011
        condition.rows(Frame(COLUMNS))
    assert str(caught.value) == str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a > f",
        "a + 1 > 2",
        "a.abs() > 1",
        "index > 1",
        "a > @limit",
        "`a` > 1",
        "a == None",
        "a > \0",
        "a > 1 if b else 2",
        "a > inf",
    ],
)
def test_conditions_that_are_more_than_comparisons_are_not_compiled(text: str) -> None:
    """GX evaluates them."""
    with pytest.raises(UnreadableCondition):
        compile_condition(PassThroughCondition(pass_through_filter=text))


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('col("a") > 2', [2, 3]),
        ('col("s").notnull()', [0, 2, 3]),
        ("col(\"s\") == 'x'", [0, 3]),
        ('col("f") <= -1.0', [3]),
    ],
)
def test_gx_own_notation_is_read(text: str, rows: list[int]) -> None:
    """With condition_parser "great_expectations"."""
    assert list(compile_condition(read_great_expectations_condition(text)).rows(Frame(COLUMNS))) == rows


@pytest.mark.parametrize("text", ['col("a") > 2 and col("b") < 3', 'col("d") == date("2024-01-01")', "a > 2"])
def test_less_plain_notation_is_left_to_gx(text: str) -> None:
    """GX drops what follows the first comparison, among other things."""
    with pytest.raises(UnreadableCondition):
        read_great_expectations_condition(text)
