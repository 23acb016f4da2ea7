"""The export of customer data that examples and tests use."""

from pathlib import Path

import pandas as pd
import pytest

from pipelines.local.customer_data import COLUMNS, write_customer_data
from pipelines.local.layout import EXPECTATIONS_DIR
from service.files.suites import load_suite
from service.files.validation import Request, validate_file


def judged(path: Path) -> list[tuple[str, object]]:
    """The expectations of customer_data_suite that it doesn't meet."""
    suite = load_suite(EXPECTATIONS_DIR, "customer_data_suite")
    result = validate_file(path, Request(suite, {}, "BASIC", fallback=False)).as_gx()
    failed = [one["expectation_config"] for one in result["results"] if not one["success"]]
    return [(one["type"], one["kwargs"].get("column")) for one in failed]


@pytest.mark.parametrize(("rows", "seed"), [(1_000, 1), (2_000, 7), (10_000, 3)])
def test_it_is_as_expected(tmp_path: Path, rows: int, seed: int) -> None:
    """In the order of the columns, of customers that the sample has features of, some of whom leave."""
    path = tmp_path / "customer_data.csv"
    write_customer_data(path, rows, seed)
    assert judged(path) == []
    frame = pd.read_csv(path)
    assert tuple(frame.columns) == COLUMNS
    assert frame["customer_id"].tolist() == list(range(1001, 1001 + rows))
    assert 0.05 < frame["churn"].mean() < 0.5


def test_a_bad_one_fails_in_four_ways(tmp_path: Path) -> None:
    """And in nothing else."""
    path = tmp_path / "customer_data.csv"
    write_customer_data(path, 2_000, 7, bad=True)
    assert sorted(judged(path), key=str) == [
        ("expect_column_values_to_be_between", "monthly_charges"),
        ("expect_column_values_to_be_in_set", "churn"),
        ("expect_column_values_to_be_in_set", "contract_type"),
        ("expect_column_values_to_not_be_null", "customer_id"),
    ]


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    """Another one gives others."""
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_customer_data(tmp_path / name, 1_000, seed)
    contents = [(tmp_path / name).read_bytes() for name in "abc"]
    assert contents[0] == contents[1] != contents[2]


@pytest.mark.parametrize("rows", [999, 10_001])
def test_too_few_or_too_many_rows_are_refused(tmp_path: Path, rows: int) -> None:
    """The suite wants 1,000, and the sample has 10,000 customers."""
    with pytest.raises(ValueError, match="rows from 1,000"):
        write_customer_data(tmp_path / "customer_data.csv", rows, 1)
