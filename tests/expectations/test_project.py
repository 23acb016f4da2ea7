"""The project in expectations/ as Great Expectations itself sees it, and its suites held against data."""

import json
import re
import shutil
import subprocess
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import great_expectations as gx
import pandas as pd
import pytest
from great_expectations.data_context import FileDataContext
from great_expectations.expectations.expectation import ColumnMapExpectation

from pipelines.local.layout import CUSTOMER_FILE
from pipelines.local.sample import write_sample

PROJECT = Path(__file__).parents[2] / "expectations"
SUITES = sorted(path.stem for path in (PROJECT / "suites").glob("*.json"))
PUSHED = [
    "customer_id", "tenure_months", "total_purchases", "total_spend", "avg_purchase_value", "customer_segment",
    "loyalty_score", "event_timestamp", "created_timestamp",
]  # fmt: skip
# A row of which one value at a time is made bad.
GOOD_ROW = {
    "customer_id": 1001,
    "tenure_months": 25,
    "total_purchases": 150,
    "total_spend": 5500.0,
    "avg_purchase_value": 36.67,
    "customer_segment": "gold",
    "loyalty_score": 0.85,
    "event_timestamp": datetime(2026, 3, 1, tzinfo=UTC),
    "created_timestamp": datetime(2026, 3, 1, tzinfo=UTC),
}
BAD_VALUES = [
    ("customer_id", None),
    ("customer_id", 0),
    ("tenure_months", -1),
    ("tenure_months", 1201),
    ("total_purchases", -1),
    ("total_spend", -0.01),
    ("avg_purchase_value", -0.01),
    ("customer_segment", "Gold"),
    ("loyalty_score", -0.01),
    ("loyalty_score", 1.01),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, as git has it."""
    folder = tmp_path_factory.mktemp("gx") / "expectations"
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns("uncommitted", "__pycache__"))
    return folder


@pytest.fixture(scope="module")
def context(project: Path) -> FileDataContext:
    """The project, loaded by Great Expectations."""
    return gx.get_context(mode="file", context_root_dir=project)


@pytest.fixture(scope="module")
def customers(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """The rows of the sample data, as somebody who pushes them reads them."""
    folder = tmp_path_factory.mktemp("sample")
    write_sample(folder, date(2026, 3, 1))
    return pd.read_parquet(folder / CUSTOMER_FILE)[PUSHED]


def failures(context: FileDataContext, suite: str, frame: pd.DataFrame) -> list[tuple[str, Any]]:
    """The types of the expectations that a frame doesn't meet, and the columns."""
    rows = context.data_sources.get("pandas_datasource").get_asset("rows").get_batch_definition("whole")
    validation = rows.get_batch({"dataframe": frame}).validate(context.suites.get(suite))
    configurations = [result.expectation_config for result in validation.results if not result.success]
    assert validation.success == (not configurations)
    return [(configuration.type, configuration.kwargs.get("column")) for configuration in configurations]


def test_great_expectations_finds_every_suite_whole(context: FileDataContext) -> None:
    """It leaves out of a suite what it doesn't know, and says so only in its log."""
    found = {suite.name: len(suite.expectations) for suite in context.suites.all()}
    assert found == {
        name: len(json.loads((PROJECT / "suites" / f"{name}.json").read_text())["expectations"]) for name in SUITES
    }
    assert found == {"customer_push_suite": 8, "customer_data_suite": 10, "enriched_data_suite": 9}


@pytest.mark.parametrize("name", SUITES)
def test_a_suite_is_saved_as_it_stands(context: FileDataContext, project: Path, name: str) -> None:
    """So that a change that Great Expectations saves shows in git as that change alone."""
    context.suites.get(name).save()
    ours = (PROJECT / "suites" / f"{name}.json").read_text()
    # Saving writes the version that saved; the rest must be the same to the byte.
    version = re.compile(r'"great_expectations_version": "[^"]+"')
    assert version.sub("", (project / "suites" / f"{name}.json").read_text()) == version.sub("", ours)


def test_loading_leaves_no_trace_in_git(context: FileDataContext, project: Path) -> None:
    """What Great Expectations makes of its own accord are folders, and what is in them is ignored."""
    subprocess.run(["git", "init", "--quiet"], cwd=project, check=True)
    subprocess.run(["git", "add", "."], cwd=project, check=True)
    (project / "uncommitted" / "validations").mkdir(parents=True, exist_ok=True)
    (project / "uncommitted" / "validations" / "one.json").touch()
    gx.get_context(mode="file", context_root_dir=project)
    status = subprocess.run(["git", "status", "--porcelain"], cwd=project, check=True, capture_output=True, text=True).stdout
    assert [line for line in status.splitlines() if not line.startswith("A ")] == []
    assert {line.split()[1] for line in status.splitlines()} == {
        str(path.relative_to(project))
        for path in project.rglob("*")
        if path.is_file() and not _ignored(path.relative_to(project))
    }


def _ignored(path: Path) -> bool:
    return path.parts[0] in (".git", "uncommitted")


def test_ids_are_all_different(context: FileDataContext) -> None:
    """A result is found by its expectation's id."""
    ids = [expectation.id for suite in context.suites.all() for expectation in suite.expectations]
    ids += [suite.id for suite in context.suites.all()]
    assert None not in ids
    assert len(set(ids)) == len(ids)


def test_every_expectation_says_why_it_stands_there(context: FileDataContext) -> None:
    """And every suite, what it is for and who looks after it."""
    for suite in context.suites.all():
        assert suite.notes
        assert suite.meta["owner"]
        assert all(expectation.notes for expectation in suite.expectations)


def test_the_sample_data_may_be_pushed(context: FileDataContext, customers: pd.DataFrame) -> None:
    """All at once, and any part of it: no expectation judges the batch. Some values are null."""
    assert len(customers) == 10_000
    assert customers["customer_segment"].isna().any()
    assert customers["avg_purchase_value"].isna().any()
    assert failures(context, "customer_push_suite", customers) == []
    for part in (customers[:1], customers[customers["loyalty_score"].isna()], customers[::997], customers[:0]):
        assert failures(context, "customer_push_suite", part) == []
    for expectation in context.suites.get("customer_push_suite").expectations:
        assert isinstance(expectation, ColumnMapExpectation)
        assert expectation.mostly == 1


@pytest.mark.parametrize(("column", "value"), BAD_VALUES)
def test_a_bad_row_may_not_be_pushed(context: FileDataContext, column: str, value: Any) -> None:
    """Each bound of each column, and one step over it."""
    assert failures(context, "customer_push_suite", pd.DataFrame([GOOD_ROW])) == []
    failed = failures(context, "customer_push_suite", pd.DataFrame([GOOD_ROW, {**GOOD_ROW, column: value}]))
    assert [name for _, name in failed] == [column]


def test_nulls_pass_where_the_offline_data_have_them(context: FileDataContext) -> None:
    """Everywhere but in the join key."""
    nulls = {**dict.fromkeys(GOOD_ROW), "customer_id": 1002, "event_timestamp": GOOD_ROW["event_timestamp"]}
    assert failures(context, "customer_push_suite", pd.DataFrame([GOOD_ROW, nulls])) == []
    assert failures(context, "customer_push_suite", pd.DataFrame([nulls])) == []


def export(rows: int) -> pd.DataFrame:
    """Customer data as the churn model is trained on."""
    numbers = range(rows)
    return pd.DataFrame(
        {
            "customer_id": [1001 + number for number in numbers],
            "tenure_months": [number % 121 for number in numbers],
            "monthly_charges": [20 + number % 90 for number in numbers],
            "total_charges": [1000.5 for _ in numbers],
            "contract_type": [["Month-to-month", "One year", "Two year"][number % 3] for number in numbers],
            "churn": [number % 2 for number in numbers],
        }
    )


def test_an_export_of_customer_data_is_judged_as_a_whole(context: FileDataContext) -> None:
    """Its header in order, its size, its ids, its values, its mean."""
    good = export(1000)
    assert failures(context, "customer_data_suite", good) == []
    bad = {
        "expect_table_row_count_to_be_between": good[:999],
        "expect_table_columns_to_match_ordered_list": good[good.columns[::-1]],
        "expect_column_mean_to_be_between": good.assign(monthly_charges=[81.0] * 1000),
    }
    for type_, frame in bad.items():
        assert [failed for failed, _ in failures(context, "customer_data_suite", frame)] == [type_]
    values = {"tenure_months": 121, "contract_type": "monthly", "churn": 2}
    for column, value in values.items():
        frame = good.assign(**{column: [value, *good[column][1:]]})
        assert [name for _, name in failures(context, "customer_data_suite", frame)] == [column]
    twice = good.assign(customer_id=[1002, *good["customer_id"][1:]])
    assert failures(context, "customer_data_suite", twice) == [("expect_column_values_to_be_unique", "customer_id")]
