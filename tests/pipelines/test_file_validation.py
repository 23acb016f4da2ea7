"""A file judged by its checkpoint: a real run, whose result is in the store and in Data Docs."""

import fcntl
import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

from pipelines.errors import BadInput, PlaceNotFound
from pipelines.file_validation import validate_file
from pipelines.local import layout
from pipelines.local.customer_data import write_customer_data
from tests.servers.s3 import S3Server
from tests.servers.webhook import WebhookServer

from .buckets import open_bucket

CHECKPOINT = "customer_data_checkpoint"
# Several times what a run takes where it doesn't wait.
WAITED_SECONDS = 2.0


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the project, so that results don't pile up in it."""
    folder = tmp_path_factory.mktemp("project") / "expectations"
    shutil.copytree(layout.EXPECTATIONS_DIR, folder, ignore=shutil.ignore_patterns("uncommitted"))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SLACK_WEBHOOK", raising=False)
        patch.delenv("DATA_DOCS_URL", raising=False)
        yield folder


def customer_data(folder: Path, *, bad: bool = False) -> Path:
    """An export of customer data."""
    path = folder / "customer_data.csv"
    write_customer_data(path, 1_000, 5, bad=bad)
    return path


def test_a_good_file_in_s3_is_as_expected(project: Path, s3: S3Server, tmp_path: Path) -> None:
    """All expectations are evaluated, and the ETag is the one of what was judged."""
    with open_bucket(s3) as bucket:
        s3.put(bucket, "customer_data.csv", customer_data(tmp_path).read_bytes())
        place = f"s3://{bucket}/customer_data.csv"
        found = validate_file(place, CHECKPOINT, project)
        etag = s3.client().head_object(Bucket=bucket, Key="customer_data.csv")["ETag"]
    assert (found.success, found.failed, found.rows, found.place) == (True, [], 1_000, place)
    assert found.statistics == {
        "evaluated_expectations": 10,
        "successful_expectations": 10,
        "unsuccessful_expectations": 0,
        "success_percent": 100.0,
    }
    assert f'"{found.etag}"' == etag


def test_a_bad_file_is_told_by_what_is_wrong_in_which_rows(project: Path, tmp_path: Path) -> None:
    """Also where SLACK_WEBHOOK isn't set, and so that it can be sent on as JSON."""
    found = validate_file(str(customer_data(tmp_path, bad=True)), CHECKPOINT, project)
    assert found.success is False
    assert found.statistics["unsuccessful_expectations"] == 4
    failed = {(one["type"], one["column"]): one for one in json.loads(json.dumps(found.as_json()))["failed"]}
    contract = failed["expect_column_values_to_be_in_set", "contract_type"]
    assert contract["unexpected_count"] == 20
    assert contract["examples"][0] == "Weekly"
    assert contract["rows"][:3] == [2, 52, 102]
    assert contract["kwargs"]["value_set"] == ["Month-to-month", "One year", "Two year"]
    assert ("expect_column_values_to_not_be_null", "customer_id") in failed


def test_the_result_is_kept_and_shown(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the store of the project, on a page of its own and in the index; the address is DATA_DOCS_URL's where that is set."""
    found = validate_file(str(customer_data(tmp_path, bad=True)), CHECKPOINT, project)
    kept = json.loads(Path(str(found.result_place)).read_text())
    assert Path(str(found.result_place)).is_relative_to(project / "uncommitted")
    assert (kept["success"], len(kept["results"])) == (False, 10)
    page = Path(str(found.data_docs).removeprefix("file://"))
    site = project / "uncommitted" / "data_docs" / "local_site"
    assert "Weekly" in page.read_text()
    assert str(page.relative_to(site)) in (site / "index.html").read_text()
    monkeypatch.setenv("DATA_DOCS_URL", "https://docs.example/gx/")
    found = validate_file(str(customer_data(tmp_path)), CHECKPOINT, project)
    public = str(found.data_docs)
    assert public.startswith("https://docs.example/gx/validations/customer_data_suite/customer_data.csv/")
    assert (site / public.removeprefix("https://docs.example/gx/")).is_file()


def test_a_file_without_a_column_fails_and_says_so(project: Path, tmp_path: Path) -> None:
    """Expectations that can't be evaluated aren't met."""
    path = customer_data(tmp_path)
    parquet = tmp_path / "customer_data.parquet"
    pd.read_csv(path).drop(columns="churn").to_parquet(parquet)
    found = validate_file(str(parquet), CHECKPOINT, project)
    assert not found.success
    churn = next(one for one in found.failed if one["column"] == "churn")
    assert "churn" in churn["error"]


def test_slack_is_not_told_by_the_checkpoint(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There would be two messages of one failure."""
    path = customer_data(tmp_path, bad=True)
    with WebhookServer() as slack:
        monkeypatch.setenv("SLACK_WEBHOOK", slack.url)
        assert not validate_file(str(path), CHECKPOINT, project).success
        assert slack.posts == []


def test_the_project_is_left_as_it_is(project: Path, tmp_path: Path) -> None:
    """A run changes nothing but what it is to keep."""
    before = contents(project)
    validate_file(str(customer_data(tmp_path)), CHECKPOINT, project)
    assert contents(project) == before


def contents(project: Path) -> dict[str, bytes]:
    """What git has of it."""
    files = (path for path in project.rglob("*") if path.is_file())
    return {
        str(path): path.read_bytes() for path in files if "uncommitted" not in path.parts and "__pycache__" not in path.parts
    }


def test_what_cannot_be_judged_is_told(project: Path, tmp_path: Path) -> None:
    """The file, the checkpoint, the project."""
    path = str(customer_data(tmp_path))
    with pytest.raises(PlaceNotFound, match="absent"):
        validate_file(str(tmp_path / "absent.csv"), CHECKPOINT, project)
    with pytest.raises(BadInput, match=rf"no checkpoint customers; it has: .*{CHECKPOINT}"):
        validate_file(path, "customers", project)
    with pytest.raises(BadInput, match=f"There is no Great Expectations project at {tmp_path}"):
        validate_file(path, CHECKPOINT, tmp_path)


def test_a_run_waits_for_another_one(project: Path, tmp_path: Path) -> None:
    """Two that write one index of Data Docs at the same time would lose each other's lines."""
    path = str(customer_data(tmp_path))
    validate_file(path, CHECKPOINT, project)
    with ThreadPoolExecutor() as pool:
        with (project / "uncommitted" / ".lock").open("w") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            run = pool.submit(validate_file, path, CHECKPOINT, project)
            with pytest.raises(TimeoutError):
                run.result(WAITED_SECONDS)
        found = run.result()
    index = (project / "uncommitted" / "data_docs" / "local_site" / "index.html").read_text()
    assert "/".join(Path(str(found.data_docs)).parts[-4:]) in index
