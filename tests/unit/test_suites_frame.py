"""Frames of plain Python columns: which dtype each has, and which column a name means."""

import math
import random
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pandas as pd
import pytest

from service.suites import Frame
from service.suites.column import make_column
from service.suites.dtypes import Census
from service.suites.errors import MissingColumn

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
COLUMNS: list[list[Any]] = [
    [],
    [None],
    [None, math.nan],
    [math.nan],
    [1, 2],
    [1, None],
    [1, 2.5],
    [1, math.inf, -math.inf],
    [True, False],
    [True, None],
    [True, 1],
    [1.0, True],
    ["a"],
    ["a", None],
    ["a", 1],
    [2**63],
    [2**63, 1],
    [2**63, -1],
    [2**64],
    [-(2**63)],
    [-(2**63) - 1],
    [None, 2**70],
    [2**70, None],
    [None, 2**63, -1],
    [2**63, math.nan, -1],
    [2**63, None, -1],
    [1.5, 2**70],
    [1.5, 2**63],
    [NOON],
    [NOON, None],
    [NOON, math.nan],
    [NOON, 1.5],
    [NOON, "x"],
    [NOON, NOON.replace(tzinfo=None)],
    [NOON.replace(tzinfo=None), None],
    [NOON.astimezone(timezone(timedelta(hours=2)))],
    [NOON, NOON.astimezone(timezone(timedelta(hours=2)))],
    [datetime(1600, 1, 1, tzinfo=UTC)],
    [datetime(3000, 1, 1)],
    [date(2024, 1, 1)],
    [[1]],
    [{}],
    [b"a"],
]


@pytest.mark.parametrize("values", COLUMNS, ids=str)
def test_dtypes_are_those_that_pandas_infers(values: list[Any]) -> None:
    """Of nulls, numbers of all sizes, mixtures and times."""
    expected = pd.DataFrame({"a": values})["a"]
    column = make_column(values)
    assert column.dtype.name == str(expected.dtype)
    assert column.dtype.scalar == expected.dtype.type.__name__
    assert list(column.positions) == [row for row, null in enumerate(expected.isna()) if not null]
    assert list(column.present) == [value for value in expected if not pd.isna(value)] or column.dtype.name == "object"


@pytest.mark.parametrize("seed", range(200))
def test_a_census_in_batches_finds_the_dtype_of_the_whole(seed: int) -> None:
    """Wherever the batches part the column."""
    draw = random.Random(seed)
    pool = draw.choice(COLUMNS[1:]) + draw.choice(COLUMNS[1:])
    values = [draw.choice(pool) for _ in range(draw.randint(1, 12))]
    census = Census()
    start = 0
    while start < len(values):
        size = draw.randint(1, 5)
        census.observe(values[start : start + size])
        start += size
    assert census.dtype.name == str(pd.DataFrame({"a": values})["a"].dtype)


def test_names_are_found_in_any_case() -> None:
    """As GX does it; the first column that fits is taken, even if a later one is written exactly so."""
    frame = Frame({"Age": [1], "AGE": [2], "größe": [3]})
    assert frame.find("age").present == [1]
    assert frame.find("AGE").present == [1]
    assert frame.find("GRÖSSE").present == [3]
    assert frame.column("AGE").present == [2]
    with pytest.raises(MissingColumn, match='The column "height" in BatchData does not exist'):
        frame.find("height")


def test_columns_of_different_lengths_are_refused() -> None:
    """They are no frame."""
    with pytest.raises(ValueError, match="same length"):
        Frame({"a": [1], "b": [1, 2]})


def test_a_part_of_a_file_has_the_dtypes_of_the_whole() -> None:
    """Integers in a column that has nulls elsewhere are floats here, too."""
    dtypes = {"a": Census().observe([1, None]).dtype}
    assert Frame({"a": [7]}, dtypes=dtypes).column("a").present == [7.0]
    assert type(Frame({"a": [7]}, dtypes=dtypes).column("a").present[0]) is float
