"""A file in batches: the same outcomes as at once, and little that is kept from one batch to the next."""

from typing import Any

from service.suites import Frame, Run, compile_suite
from service.suites.dtypes import Census

ROWS, SIZE = 1000, 64
COLUMNS: dict[str, list[Any]] = {
    "id": [*range(ROWS - 2), 3, None],
    "score": [row % 10 / 10 for row in range(ROWS)],
    "plan": ["basic" if row % 100 else "gold" for row in range(ROWS)],
}
SUITE = compile_suite(
    {
        "name": "s",
        "expectations": [
            {"type": kind, "kwargs": kwargs}
            for kind, kwargs in [
                ("expect_column_values_to_be_unique", {"column": "id"}),
                ("expect_column_values_to_be_in_set", {"column": "plan", "value_set": ["basic"]}),
                ("expect_column_values_to_be_of_type", {"column": "id", "type_": "float64"}),
                ("expect_column_mean_to_be_between", {"column": "score", "min_value": 0.5}),
                ("expect_column_max_to_be_between", {"column": "score", "max_value": 0.5}),
                ("expect_column_unique_value_count_to_be_between", {"column": "score", "max_value": 3}),
                ("expect_table_row_count_to_equal", {"value": 1}),
                ("expect_column_values_to_be_between", {"column": "plan", "min_value": 0}),
            ]
        ],
    },
    "s.json",
)


def batches() -> list[dict[str, list[Any]]]:
    """The columns, cut."""
    return [{name: values[start : start + SIZE] for name, values in COLUMNS.items()} for start in range(0, ROWS, SIZE)]


def finished() -> Run:
    """A run that has taken in all batches, after a first pass over them for the dtypes."""
    censuses = {name: Census() for name in COLUMNS}
    for batch in batches():
        for name, values in batch.items():
            censuses[name].observe(values)
    dtypes = {name: census.dtype for name, census in censuses.items()}
    run = SUITE.begin()
    for batch in batches():
        run.take(Frame(batch, dtypes=dtypes))
    return run


def test_rows_are_counted_through() -> None:
    """A duplicate names its first row, too, though that was in another batch."""
    unique, in_set, *_ = finished().conclude()
    assert unique.rows == [3, ROWS - 2]
    assert in_set.rows == list(range(0, ROWS, 100))


def test_results_are_those_of_the_whole() -> None:
    """All fields, whatever the kind of expectation."""
    whole = SUITE.result(SUITE.run(Frame(COLUMNS)), None, "COMPLETE")
    assert SUITE.result(finished().conclude(), None, "COMPLETE") == whole
    assert whole[2]["result"] == {"observed_value": "float64"}
    assert whole[-1]["exception_info"]["raised_exception"]
