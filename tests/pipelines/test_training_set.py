"""Training sets: features as of each row's own time, no row lost, and what doesn't fit named."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast import FeatureView, Field, FileSource
from feast.types import Int64

from pipelines.errors import BadInput, PipelineError, PlaceNotFound, ServerUnavailable
from pipelines.training_set import make_training_set
from tests.servers.feast_repo import CUSTOMER, FeastRepo
from tests.servers.s3 import S3Server
from tests.servers.tcp_proxy import TcpProxy

from .buckets import open_bucket
from .sample_site import sample_repository

NOW = datetime.now(UTC)
FEATURES = [
    "customer_derived_features:balance_to_spend_ratio",
    "customer_stats:total_purchases",
    "transaction_stats:txn_count_7d",
    "customer_derived_features:is_high_value",
]


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Feast's configuration of the sample repository."""
    with sample_repository(tmp_path_factory) as config:
        yield config


@pytest.fixture(scope="module")
def offline(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, pd.DataFrame]:
    """The rows in the offline store, by view and customer."""
    folder = tmp_path_factory.getbasetemp() / "sample-repository" / "data"
    names = ("customer_stats", "transaction_stats")
    return {name: pd.read_parquet(folder / f"{name}.parquet").set_index("customer_id") for name in names}


def repo_data() -> Path:
    """Where the rows of transaction_stats lie."""
    return Path(os.environ["FEAST_DATA_URL"]) / "transaction_stats.parquet"


def entity_file(folder: Path, rows: dict[str, list[Any]], name: str = "entities.csv") -> str:
    """Where rows lie as csv or parquet."""
    path = folder / name
    frame = pd.DataFrame(rows)
    if name.endswith(".csv"):
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    return str(path)


def rows_of(**columns: list[Any]) -> dict[str, list[Any]]:
    """Two good rows, with columns replaced, or left out where they are None."""
    rows: dict[str, Any] = {
        "customer_id": [1001, 1002],
        "event_timestamp": ["2026-01-31T12:00:00Z", "2026-01-31T13:00:00Z"],
        "current_balance": [1.0, 2.0],
    } | columns
    return {name: values for name, values in rows.items() if values is not None}


def test_each_row_gets_what_was_known_at_its_time(repo: Path, offline: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    """Compared with the offline rows themselves: before the event nothing, after it the value, after the ttl nothing."""
    times = offline["transaction_stats"]["event_timestamp"]
    customers = [int(times.index[number]) for number in range(50)]
    ages = [timedelta(seconds=-1), timedelta(0), timedelta(days=90), timedelta(days=90, seconds=1)]
    asked = [(customer, times[customer] + age) for customer in customers for age in ages]
    rows = {"customer_id": [row[0] for row in asked], "event_timestamp": [row[1] for row in asked]}
    output = tmp_path / "training.parquet"
    made = make_training_set(repo, entity_file(tmp_path, rows, "e.parquet"), ["transaction_stats:txn_count_30d"], str(output))
    found = pq.read_table(output)
    assert (made.rows, made.place, made.columns) == (200, str(output), ("customer_id", "event_timestamp", "txn_count_30d"))
    assert found.schema.field("txn_count_30d").type == pa.int64()
    counts = offline["transaction_stats"]["txn_count_30d"]
    expected = [each for customer in customers for each in (None, int(counts[customer]), int(counts[customer]), None)]
    assert found["txn_count_30d"].to_pylist() == expected
    assert found["customer_id"].to_pylist() == rows["customer_id"]


def test_on_demand_features_are_computed_for_every_row(repo: Path, offline: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    """Rows of one customer and moment that differ in request data only stay apart; so do unknown customers; labels are kept."""
    rows = {
        "customer_id": [1002, 1001, 1002, 5],
        "event_timestamp": [NOW.isoformat()] * 4,
        "current_balance": [100, 200.5, 300, 400],
        "label": ["a", "b", "c", "d"],
    }
    output = tmp_path / "training.parquet"
    make_training_set(repo, entity_file(tmp_path, rows), FEATURES, str(output))
    found = pq.read_table(output).to_pandas()
    assert list(found.columns) == [*rows, *(reference.partition(":")[2] for reference in FEATURES)]
    assert list(found["label"]) == ["a", "b", "c", "d"]
    spend = offline["customer_stats"]["total_spend"]
    ratios = [100 / (spend[1002] + 1), 200.5 / (spend[1001] + 1), 300 / (spend[1002] + 1)]
    assert list(found["balance_to_spend_ratio"][:3]) == pytest.approx(ratios, rel=1e-6)
    assert found["balance_to_spend_ratio"].isna().tolist() == [False, False, False, True]
    assert found["total_purchases"].isna().tolist() == [False, False, False, True]
    assert pq.read_schema(output).field("total_purchases").type == pa.int64()


def test_it_agrees_with_feast_on_every_row_that_feast_keeps(repo: Path, tmp_path: Path) -> None:
    """Feast's own join of all views at once drops a row where one view has nothing of that time; what it gives is the same."""
    from pipelines.joining import open_store

    random = np.random.default_rng(20260131)
    ages = pd.to_timedelta(random.integers(0, 40 * 86_400, 400), unit="s")
    frame = pd.DataFrame(
        {
            "customer_id": random.permutation(10_000)[:400] + 1001,
            "event_timestamp": (pd.Timestamp(NOW) - ages).floor("s"),
            "current_balance": random.random(400).astype("float32"),
            "label": np.arange(400),
        }
    )
    frame.to_parquet(tmp_path / "entities.parquet")
    output = tmp_path / "training.parquet"
    make_training_set(repo, str(tmp_path / "entities.parquet"), "churn_model_v2", str(output))
    ours = pd.read_parquet(output)
    store = open_store(repo)
    feasts = store.get_historical_features(frame, store.get_feature_service("churn_model_v2")).to_df().sort_values("label")
    assert ours["label"].tolist() == list(range(400))
    assert 50 < len(feasts) < 400
    same = ours.set_index("label").loc[feasts["label"]].reset_index()
    pd.testing.assert_frame_equal(same, feasts[same.columns].reset_index(drop=True), check_dtype=False)


def test_a_feature_service_and_full_names_may_be_asked_for(repo: Path, tmp_path: Path) -> None:
    """In the service's order."""
    output = tmp_path / "training.parquet"
    made = make_training_set(repo, entity_file(tmp_path, rows_of()), "churn_model_v2", str(output), full_feature_names=True)
    assert made.columns[:4] == ("customer_id", "event_timestamp", "current_balance", "customer_stats__tenure_months")
    assert made.columns[-1] == "customer_derived_features__is_high_value"


def test_times_without_a_zone_are_utc(repo: Path, tmp_path: Path) -> None:
    """In csv as in parquet, and others are turned into it."""
    stamps = ["2026-01-31 12:00:00", "2026-01-31T14:00:00+02:00"]
    output = tmp_path / "training.parquet"
    make_training_set(repo, entity_file(tmp_path, rows_of(event_timestamp=stamps)), FEATURES, str(output))
    assert pq.read_table(output)["event_timestamp"].to_pylist() == [datetime(2026, 1, 31, 12, tzinfo=UTC)] * 2
    naive = [datetime(2026, 1, 31, 12)] * 2
    make_training_set(repo, entity_file(tmp_path, rows_of(event_timestamp=naive), "e.parquet"), FEATURES, str(output))
    assert pq.read_table(output)["event_timestamp"].to_pylist() == [datetime(2026, 1, 31, 12, tzinfo=UTC)] * 2


@pytest.mark.parametrize(
    ("columns", "features", "message"),
    [
        (
            {"current_balance": None, "event_timestamp": None},
            FEATURES,
            r"lacks columns: event_timestamp \(.*\), current_balance \(request data of customer_derived_features\)\. It has: ",
        ),
        ({"customer_id": None}, FEATURES, r"customer_id \(join key of customer_stats\)"),
        ({"event_timestamp": ["2026-01-31T12:00:00Z", "31.1.2026"]}, FEATURES, r"row 2 .*event_timestamp is '31\.1\.2026'"),
        ({"event_timestamp": [None, "2026-01-31"]}, FEATURES, r"row 1 .*event_timestamp is empty"),
        ({"event_timestamp": [1769860800, 1769860800]}, FEATURES, "event_timestamp holds numbers; write ISO 8601"),
        ({"customer_id": ["1001", "many"]}, FEATURES, r"row 2 .*customer_id is 'many', and Feast's type of it is INT64"),
        ({"customer_id": [1001, 1002.5]}, FEATURES, r"row 2 .*customer_id is 1002\.5"),
        ({"customer_id": [None, None]}, FEATURES, r"row 1 and 1 more .*customer_id is empty, and it is a join key"),
        ({"current_balance": ["much", 1]}, FEATURES, r"row 1 .*current_balance is 'much', and Feast's type of it is FLOAT"),
        ({"txn_count_7d": [1, 2]}, FEATURES, "several columns named txn_count_7d. Ask for full feature names"),
        ({}, ["customer_stats:tenure_month"], "has no feature tenure_month. Did you mean tenure_months"),
        ({}, ["customer_stat:tenure_months"], "customer_stat does not exist .* Did you mean customer_stats"),
        ({}, ["tenure_months"], 'A feature reference is "view:feature"'),
        ({}, "churn_model_v9", "Feature service churn_model_v9 does not exist"),
        ({}, [], "No features are asked for"),
    ],
)
def test_what_does_not_fit_is_named(repo: Path, tmp_path: Path, columns: dict[str, Any], features: Any, message: str) -> None:
    """And the output is what it was."""
    output = tmp_path / "training.parquet"
    output.write_bytes(b"the last one")
    with pytest.raises(BadInput, match=message):
        make_training_set(repo, entity_file(tmp_path, rows_of(**columns)), features, str(output))
    assert output.read_bytes() == b"the last one"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["entities.csv", "training.parquet"]


def test_no_rows_are_told(repo: Path, tmp_path: Path) -> None:
    """An empty training set is nobody's wish."""
    entities = entity_file(tmp_path, rows_of(customer_id=[], event_timestamp=[], current_balance=[]))
    with pytest.raises(BadInput, match="has no rows"):
        make_training_set(repo, entities, FEATURES, str(tmp_path / "training.parquet"))


def test_places_are_looked_at_before_the_work(tmp_path: Path) -> None:
    """Before Feast is imported, too: there is no repository here."""
    entities = entity_file(tmp_path, rows_of())
    with pytest.raises(BadInput, match=r"isn't named \.parquet"):
        make_training_set(tmp_path, entities, FEATURES, str(tmp_path / "training.csv"))
    with pytest.raises(BadInput, match=r"neither \.csv, \.csv\.gz nor \.parquet"):
        make_training_set(tmp_path, "entities.xlsx", FEATURES, str(tmp_path / "training.parquet"))
    with pytest.raises(BadInput, match="There is no Feast configuration at"):
        make_training_set(tmp_path, entities, FEATURES, str(tmp_path / "training.parquet"))


def test_a_registry_that_was_never_applied_is_told(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do."""
    monkeypatch.setenv("FEAST_LOCAL_DIR", str(tmp_path))
    with pytest.raises(PipelineError, match=r"The registry of .* can't be read: .*whether `feast apply` was run"):
        make_training_set(repo, entity_file(tmp_path, rows_of()), FEATURES, str(tmp_path / "training.parquet"))


def test_offline_rows_that_are_gone_are_named(repo: Path, tmp_path: Path) -> None:
    """By the view and its file."""
    data = repo_data()
    away = data.with_suffix(".away")
    data.rename(away)
    try:
        with pytest.raises(PipelineError, match=r"Feast can't read the offline rows of transaction_stats \(.*\.parquet\)"):
            make_training_set(repo, entity_file(tmp_path, rows_of()), FEATURES, str(tmp_path / "training.parquet"))
    finally:
        away.rename(data)


def test_offline_rows_in_s3_are_joined(s3: S3Server, tmp_path: Path) -> None:
    """Through Feast's own reader; a server that is gone is told with the view and its object."""
    rows = {
        "customer_id": [1001, 1001],
        "event_timestamp": [NOW - timedelta(days=2), NOW - timedelta(days=1)],
        "visits": [7, 8],
    }
    with open_bucket(s3) as bucket, TcpProxy(urlsplit(s3.endpoint_url).port) as proxy:
        s3.put(bucket, "visits.parquet", Path(entity_file(tmp_path, rows, "visits.parquet")).read_bytes())
        source = FileSource(
            name="visits",
            path=f"s3://{bucket}/visits.parquet",
            timestamp_field="event_timestamp",
            s3_endpoint_override=f"http://127.0.0.1:{proxy.port}",
        )
        site = FeastRepo(tmp_path / "repo", "127.0.0.1:1")
        schema = [Field(name="visits", dtype=Int64)]
        site.apply(FeatureView(name="visits", entities=[CUSTOMER], ttl=timedelta(days=9), schema=schema, source=source))
        asked = {"customer_id": [1001, 1001, 1001], "event_timestamp": [NOW - timedelta(days=age) for age in (0, 1.5, 3)]}
        entities = entity_file(tmp_path, asked, "entities.parquet")
        output = str(tmp_path / "training.parquet")
        make_training_set(site.folder, entities, ["visits:visits"], output)
        assert pq.read_table(output)["visits"].to_pylist() == [8, 7, None]
        proxy.refuse()
        with pytest.raises(
            PipelineError, match=rf"Feast can't read the offline rows of visits \(s3://{bucket}/visits\.parquet\)"
        ):
            make_training_set(site.folder, entities, ["visits:visits"], output)


def test_it_reads_from_s3_and_writes_to_it(repo: Path, s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The object is there at once; a server that goes away leaves the last one."""
    with open_bucket(s3, attempts=1) as bucket:
        s3.put(bucket, "entities.csv", Path(entity_file(tmp_path, rows_of())).read_bytes())
        made = make_training_set(repo, f"s3://{bucket}/entities.csv", FEATURES, f"s3://{bucket}/sets/training.parquet")
        assert s3.keys(bucket) == ["entities.csv", "sets/training.parquet"]
        written = s3.get(bucket, "sets/training.parquet")
        assert pq.read_table(pa.BufferReader(written)).column_names == list(made.columns)
        with pytest.raises(PlaceNotFound, match=rf"s3://{bucket}/none\.csv isn't there: the bucket {bucket} has no"):
            make_training_set(repo, f"s3://{bucket}/none.csv", FEATURES, f"s3://{bucket}/sets/training.parquet")
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        with pytest.raises(ServerUnavailable, match=r"can't be reached to .* s3://"):
            make_training_set(repo, entity_file(tmp_path, rows_of()), FEATURES, f"s3://{bucket}/sets/training.parquet")
        assert s3.get(bucket, "sets/training.parquet") == written
