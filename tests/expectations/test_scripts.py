"""The scripts of expectations/: what they write, that a second run changes nothing, and what a validation says."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import great_expectations as gx
import pandas as pd
import pytest

from pipelines.local.customer_data import write_customer_data
from tests.servers.webhook import WebhookServer

PROJECT = Path(__file__).parents[2] / "expectations"
WRITTEN = ("suites", "checkpoints", "validation_definitions")
# As the issue of the data quality team has it.
CUSTOMER_DATA = [
    (
        "expect_table_columns_to_match_ordered_list",
        {"column_list": ["customer_id", "tenure_months", "monthly_charges", "total_charges", "contract_type", "churn"]},
    ),
    ("expect_table_row_count_to_be_between", {"min_value": 1000, "max_value": 1_000_000}),
    ("expect_column_values_to_not_be_null", {"column": "customer_id"}),
    ("expect_column_values_to_be_unique", {"column": "customer_id"}),
    ("expect_column_values_to_be_between", {"column": "tenure_months", "min_value": 0, "max_value": 120}),
    ("expect_column_values_to_be_between", {"column": "monthly_charges", "min_value": 0, "max_value": 500}),
    (
        "expect_column_values_to_be_in_set",
        {"column": "contract_type", "value_set": ["Month-to-month", "One year", "Two year"]},
    ),
    ("expect_column_values_to_be_in_set", {"column": "churn", "value_set": [0, 1]}),
    ("expect_column_mean_to_be_between", {"column": "monthly_charges", "min_value": 50, "max_value": 80}),
    (
        "expect_column_proportion_of_unique_values_to_be_between",
        {"column": "customer_id", "min_value": 0.99, "max_value": 1.0},
    ),
]


@pytest.fixture(scope="module")
def webhook() -> Iterator[WebhookServer]:
    """What stands for Slack."""
    with WebhookServer() as server:
        yield server


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project, without results."""
    folder = tmp_path / "expectations"
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns("uncommitted", "__pycache__"))
    return folder


def run(script: str, *arguments: str | Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """A script of the repository, with its exit code and what it prints."""
    given = {name: value for name, value in os.environ.items() if name != "SLACK_WEBHOOK"} | environment
    command = [sys.executable, str(PROJECT / script), *map(str, arguments)]
    return subprocess.run(command, env=given, capture_output=True, text=True, check=False)


def contents(project: Path) -> dict[str, bytes]:
    """Every file that the scripts write."""
    files = [path for folder in WRITTEN for path in (project / folder).rglob("*.json")]
    return {str(path.relative_to(project)): path.read_bytes() for path in files}


def expectations(project: Path, suite: str) -> list[dict[str, Any]]:
    """Those of a suite's file."""
    found: list[dict[str, Any]] = json.loads((project / "suites" / f"{suite}.json").read_text())["expectations"]
    return found


def comparable(pairs: list[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """Whatever the order; 0 is 0.0."""
    return sorted(json.dumps([type_, _floats(dict(kwargs))], sort_keys=True) for type_, kwargs in pairs)


def _floats(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {name: float(value) if isinstance(value, int) else value for name, value in kwargs.items()}


def test_a_second_run_changes_nothing(project: Path) -> None:
    """Not a byte: ids stay, so that results of last year are found by them. What is in git is what the code says."""
    before = contents(project)
    for script in ("create_expectations.py", "create_checkpoint.py"):
        done = run(script, project)
        assert done.returncode == 0, done.stderr
    assert contents(project) == before == contents(PROJECT)
    assert len(before) == 7


def test_from_nothing(project: Path) -> None:
    """The same expectations and checkpoints, under new ids."""
    for folder in WRITTEN:
        shutil.rmtree(project / folder)
    assert run("create_expectations.py", project).stdout.split() == [
        "suites/customer_data_suite.json",
        "suites/enriched_data_suite.json",
        "suites/customer_push_suite.json",
    ]
    assert run("create_checkpoint.py", project).stdout.split() == [
        "checkpoints/customer_data_checkpoint.json",
        "checkpoints/enriched_data_checkpoint.json",
    ]
    assert set(contents(project)) == set(contents(PROJECT))
    for suite in ("customer_data_suite", "enriched_data_suite", "customer_push_suite"):
        made, ours = ([(one["type"], one["kwargs"]) for one in expectations(root, suite)] for root in (project, PROJECT))
        assert comparable(made) == comparable(ours)


def test_what_was_changed_is_brought_back(project: Path) -> None:
    """And nothing else gets another id."""
    path = project / "suites" / "customer_data_suite.json"
    suite = json.loads(path.read_text())
    changed = next(one for one in suite["expectations"] if one["kwargs"].get("column") == "tenure_months")
    changed["kwargs"]["max_value"] = 99
    path.write_text(json.dumps(suite))
    run("create_expectations.py", project)
    before = {one["id"]: one for one in expectations(PROJECT, "customer_data_suite")}
    after = {one["id"]: one for one in expectations(project, "customer_data_suite")}
    assert len(after) == len(before) == len(CUSTOMER_DATA)
    assert set(before) - set(after) == {changed["id"]}


def test_the_customer_data_suite_is_what_was_agreed() -> None:
    """Every expectation, with its bounds."""
    found = [(one["type"], one["kwargs"]) for one in expectations(PROJECT, "customer_data_suite")]
    assert comparable(found) == comparable(CUSTOMER_DATA)


def enriched(rows: int = 100, **columns: Any) -> pd.DataFrame:
    """Good enriched data, but for some columns."""
    good = {
        "customer_id": range(1, rows + 1),
        "event_timestamp": pd.Timestamp("2026-01-31", tz="UTC"),
        "loyalty_score": 0.5,
        "txn_count_7d": 3,
    }
    frame = pd.DataFrame(good | columns)
    return frame[[name for name in frame.columns if frame[name].iloc[0] != "gone"]]


@pytest.mark.parametrize(
    ("frame", "failed"),
    [
        (enriched(), set()),
        (enriched(loyalty_score=[None] * 20 + [0.5] * 80), set()),
        (enriched(loyalty_score=[None] * 21 + [0.5] * 79), {"loyalty_score"}),
        (enriched(txn_count_7d=[None] * 21 + [1] * 79), {"txn_count_7d"}),
        (enriched(txn_count_7d=-1), {"txn_count_7d"}),
        (enriched(txn_count_7d=20_161), {"txn_count_7d"}),
        (enriched(loyalty_score=1.01), {"loyalty_score"}),
        (enriched(loyalty_score="gone"), {"loyalty_score"}),
        (enriched(txn_count_7d="gone"), {"txn_count_7d"}),
        (enriched(event_timestamp=None), {"event_timestamp"}),
        (enriched(customer_id=[None, *range(99)]), {"customer_id"}),
    ],
)
def test_enriched_data_are_present_in_range_and_mostly_found(project: Path, frame: pd.DataFrame, failed: set[str]) -> None:
    """By the checkpoint itself, as Great Expectations runs it."""
    context = gx.get_context(mode="file", context_root_dir=project)
    result = context.checkpoints.get("enriched_data_checkpoint").run(batch_parameters={"dataframe": frame})
    (validation,) = result.run_results.values()
    assert result.success == (not failed)
    assert {one.expectation_config.kwargs["column"] for one in validation.results if not one.success} == failed


def test_a_checkpoint_stores_its_result_updates_data_docs_and_tells_slack(
    project: Path, tmp_path: Path, webhook: WebhookServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a failure; the address comes from the environment."""
    monkeypatch.setenv("SLACK_WEBHOOK", webhook.url)
    posted = len(webhook.posts)
    context = gx.get_context(mode="file", context_root_dir=project)
    checkpoint = context.checkpoints.get("customer_data_checkpoint")
    for bad in (False, True):
        write_customer_data(tmp_path / "data.csv", 1200, 1, bad=bad)
        result = checkpoint.run(batch_parameters={"dataframe": pd.read_csv(tmp_path / "data.csv")})
        assert result.success is not bad
        assert len(webhook.posts) == posted + bad
        stored = list((project / "uncommitted" / "validations").rglob("*.json"))
        pages = list((project / "uncommitted" / "data_docs" / "local_site" / "validations").rglob("*.html"))
        assert len(stored) == len(pages) == 1 + bad
    assert "customer_data_suite" in json.dumps(webhook.posts[-1])
    assert webhook.url not in (project / "checkpoints" / "customer_data_checkpoint.json").read_text()


def test_a_file_is_validated_from_the_shell(project: Path, tmp_path: Path, webhook: WebhookServer) -> None:
    """0, 1 with the list of failed expectations, 2 where it can't be told."""
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    write_customer_data(good, 1200, 1)
    write_customer_data(bad, 1200, 1, bad=True)
    root = project.parent
    shutil.copytree(PROJECT.parent / "pipelines", root / "pipelines")
    script = str(project / "run_validation.py")
    done = run(script, good)
    assert (done.returncode, "SLACK_WEBHOOK isn't set" in done.stderr) == (0, True), done.stderr
    posted = len(webhook.posts)
    done = run(script, bad, SLACK_WEBHOOK=webhook.url)
    assert done.returncode == 1
    first, second, *_ = done.stderr.splitlines()
    assert first == f"Validation of {bad} FAILED. Failed expectations:"
    assert json.loads(second)["type"].startswith("expect_")
    assert len(webhook.posts) == posted + 1
    done = run(script, tmp_path / "nowhere.csv")
    assert done.returncode == 2
    assert "nowhere.csv" in done.stderr
    assert "Traceback" not in done.stderr
