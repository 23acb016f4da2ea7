"""Customer data with features beside them, as of a given moment, and judged."""

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.cli import main
from pipelines.enrichment import FEATURES, enrich
from pipelines.errors import BadInput, ObjectChanged
from pipelines.local import layout
from pipelines.local.customer_data import COLUMNS, write_customer_data
from pipelines.places import stat
from tests.servers.s3 import S3Server

from .buckets import open_bucket
from .sample_site import sample_repository

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Feast's configuration of the sample repository."""
    with sample_repository(tmp_path_factory) as config:
        yield config


@pytest.fixture
def source(tmp_path: Path) -> str:
    """An export of customer data."""
    write_customer_data(tmp_path / "customer_data.csv", 1_000, 5)
    return str(tmp_path / "customer_data.csv")


def test_every_row_is_kept_with_features_as_of_the_given_time(repo: Path, source: str, tmp_path: Path) -> None:
    """A run for an earlier time gives what was known then; customers whose features are too old get none, and stay."""
    output = tmp_path / "enriched.parquet"
    made = enrich(repo, source, FEATURES, str(output), NOW)
    assert made.columns == (*COLUMNS, "event_timestamp", "loyalty_score", "txn_count_7d")
    assert made.rows == 1_000
    now = pq.read_table(output)
    assert now["customer_id"].to_pylist() == pd.read_csv(source)["customer_id"].tolist()
    assert now["event_timestamp"].unique().to_pylist() == [NOW]
    assert 0 < now["txn_count_7d"].null_count < 100
    enrich(repo, source, FEATURES, str(output), NOW - timedelta(days=30))
    then = pq.read_table(output)
    assert then["event_timestamp"].unique().to_pylist() == [NOW - timedelta(days=30)]
    assert 0 < then["txn_count_7d"].null_count - now["txn_count_7d"].null_count < 1_000
    assert then.schema.field("txn_count_7d").type == pa.int64()


def test_the_result_is_judged_where_it_lies(
    repo: Path, source: str, s3: S3Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From S3 to S3, then the checkpoint of enriched data; one of a time without features isn't as expected."""
    project = tmp_path / "expectations"
    shutil.copytree(layout.EXPECTATIONS_DIR, project, ignore=shutil.ignore_patterns("uncommitted"))
    with open_bucket(s3) as bucket:
        s3.put(bucket, "customer_data.csv", Path(source).read_bytes())
        places = ["--source", f"s3://{bucket}/customer_data.csv", "--output", f"s3://{bucket}/enriched_data.parquet"]
        command = ["enrich", "--repo", str(repo), *places, "--expectations", str(project), "--json", "--event-time"]
        assert main([*command, NOW.isoformat()]) == 0
        report = json.loads(capsys.readouterr().out)
        assert s3.keys(bucket) == ["customer_data.csv", "enriched_data.parquet"]
        assert report["enrichment"]["rows"] == report["validation"]["rows"] == 1_000
        assert report["validation"]["failed"] == []
        assert main([*command, (NOW - timedelta(days=3_000)).isoformat()]) == 1
        failed = json.loads(capsys.readouterr().out)["validation"]["failed"]
        assert {one["column"] for one in failed} >= {"loyalty_score", "txn_count_7d"}


def test_only_what_was_validated_is_enriched(repo: Path, source: str, tmp_path: Path) -> None:
    """Not a file that was put in its place since."""
    etag = stat(source).etag
    output = tmp_path / "enriched.parquet"
    enrich(repo, source, FEATURES, str(output), NOW, etag=etag)
    before = output.read_bytes()
    write_customer_data(Path(source), 1_000, 6)
    with pytest.raises(ObjectChanged, match=r"customer_data\.csv was replaced since it was validated; nothing was enriched"):
        enrich(repo, source, FEATURES, str(output), NOW, etag=etag)
    assert output.read_bytes() == before


def test_a_time_without_a_zone_is_refused(source: str, tmp_path: Path) -> None:
    """It could be any of 25 moments."""
    with pytest.raises(BadInput, match="has no zone"):
        enrich(tmp_path, source, FEATURES, str(tmp_path / "enriched.parquet"), datetime(2026, 1, 31))


def test_rows_with_times_of_their_own_are_refused(repo: Path, source: str, tmp_path: Path) -> None:
    """They are no enrichment but a training set; and a row that has no customer is named."""
    frame = pd.read_csv(source)
    with_times = tmp_path / "times.parquet"
    frame.assign(event_timestamp=NOW).to_parquet(with_times)
    with pytest.raises(BadInput, match=r"times\.parquet has a column event_timestamp already"):
        enrich(repo, str(with_times), FEATURES, str(tmp_path / "enriched.parquet"), NOW)
    frame.loc[41, "customer_id"] = None
    nobody = tmp_path / "nobody.csv"
    frame.to_csv(nobody, index=False)
    with pytest.raises(BadInput, match=r"nobody\.csv, row 42 .*customer_id is empty"):
        enrich(repo, str(nobody), FEATURES, str(tmp_path / "enriched.parquet"), NOW)
