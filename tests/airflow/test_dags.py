"""Each DAG run by `airflow dags test`, both branches, and what is where afterwards."""

import io
import json
from datetime import UTC, datetime, timedelta

import pandas as pd

from .platform import BUCKET, CUSTOMERS, DOCS_URL, Platform

FEAST, QUALITY = "feast_feature_pipeline", "data_quality_pipeline"
# The end of the hour that a run by hand is about: Airflow gives it the last hour that is over at its logical date.
HOUR = datetime(2026, 2, 1, 10, tzinfo=UTC)


def times_in_redis(platform: Platform, view: str) -> list[int]:
    """The seconds of the event times that Redis has of a view."""
    from google.protobuf.timestamp_pb2 import Timestamp

    keys = list(platform.redis.scan_iter(count=10_000))
    found = [platform.redis.hget(key, f"_ts:{view}") for key in keys]
    return [Timestamp.FromString(raw).seconds for raw in found if raw]


def results(platform: Platform) -> list[str]:
    """The validation results in the store of the GX project."""
    folder = platform.expectations / "uncommitted" / "validations"
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.json"))


def test_features_go_online_and_the_training_set_is_made(platform: Platform) -> None:
    """The materialization, then the training set: rows in Redis; features as of each entity's time in S3."""
    run = platform.run(FEAST, HOUR, {"start": "2024-01-01T00:00:00Z"})
    assert run.code == 0, run.output
    assert run.states == {"materialize_features": "success", "get_training_features": "success"}
    for view in ("customer_stats", "transaction_stats"):
        assert len(times_in_redis(platform, view)) == CUSTOMERS
    made = platform.frame("training_data.parquet")
    assert list(made.columns) == [
        "customer_id", "event_timestamp", "churn", "tenure_months", "total_spend", "loyalty_score", "txn_count_7d",
    ]  # fmt: skip
    assert list(made["customer_id"]) == [1001, 1002, 1003]
    source = pd.read_parquet(io.BytesIO(platform.s3.get(BUCKET, "features/customer_stats.parquet"))).set_index("customer_id")
    for row in made.itertuples():
        known = source.loc[row.customer_id]
        fresh = row.event_timestamp - timedelta(days=365) <= known["event_timestamp"] <= row.event_timestamp
        assert (row.total_spend == known["total_spend"]) if fresh else pd.isna(row.total_spend)


def test_a_past_hour_is_about_that_hour(platform: Platform) -> None:
    """Nothing newer than its end goes online, whenever it runs."""
    platform.redis.flushdb()
    end = datetime(2026, 1, 15, 11, tzinfo=UTC)
    parameters = {"start": "2024-01-01T00:00:00Z", "views": ["customer_stats"]}
    run = platform.run(FEAST, end, {**parameters, "training_data": f"s3://{BUCKET}/past.parquet"})
    assert run.code == 0, run.output
    times = times_in_redis(platform, "customer_stats")
    assert 0 < len(times) < CUSTOMERS
    assert max(times) <= end.timestamp()
    assert times_in_redis(platform, "transaction_stats") == []


def test_good_data_are_enriched(platform: Platform) -> None:
    """Validated, enriched, validated again: a result of each in the GX store, and Slack isn't told."""
    place, before = platform.upload_customer_data("good.csv"), results(platform)
    posts = len(platform.webhook.posts)
    run = platform.run(QUALITY, HOUR, {"data_path": place, "enriched_path": f"s3://{BUCKET}/enriched.parquet"})
    assert run.code == 0, run.output
    assert run.states == {
        "start": "success",
        "validate_data": "success",
        "branch_on_validation": "success",
        "proceed_to_feature_engineering": "success",
        "validate_enriched_data": "success",
        "send_alert_and_quarantine": "skipped",
        "send_alert": "skipped",
        "end": "success",
    }
    enriched = platform.frame("enriched.parquet")
    assert len(enriched) == CUSTOMERS
    assert set(enriched["event_timestamp"]) == {HOUR}
    assert enriched["loyalty_score"].notna().mean() > 0.8
    new = sorted(set(results(platform)) - set(before))
    assert [name.split("/")[0] for name in new] == ["customer_data_suite", "enriched_data_suite"]
    assert len(platform.webhook.posts) == posts
    assert platform.s3.get(BUCKET, "good.csv")


def test_bad_data_are_put_into_quarantine_and_told(platform: Platform) -> None:
    """Validated, quarantined, told: the object is moved, its result is beside it, and Slack has one message."""
    place = platform.upload_customer_data("bad.csv", bad=True)
    content, posts = platform.s3.get(BUCKET, "bad.csv"), len(platform.webhook.posts)
    enriched = f"s3://{BUCKET}/never.parquet"
    run = platform.run(QUALITY, HOUR + timedelta(hours=1), {"data_path": place, "enriched_path": enriched})
    assert run.code == 0, run.output
    assert run.states == {
        "start": "success",
        "validate_data": "success",
        "branch_on_validation": "success",
        "proceed_to_feature_engineering": "skipped",
        "validate_enriched_data": "skipped",
        "send_alert_and_quarantine": "success",
        "send_alert": "success",
        "end": "success",
    }
    folder = "quarantine/20260201T110000Z"
    assert platform.s3.keys(BUCKET, "quarantine/") == [f"{folder}/bad.csv", f"{folder}/bad.csv.validation.json"]
    assert platform.s3.get(BUCKET, f"{folder}/bad.csv") == content
    result = json.loads(platform.s3.get(BUCKET, f"{folder}/bad.csv.validation.json"))
    assert result["validation"]["success"] is False
    assert platform.s3.keys(BUCKET, "bad.csv") == platform.s3.keys(BUCKET, "never.parquet") == []
    (message,) = platform.webhook.posts[posts:]
    text = json.dumps(message)
    assert f"{DOCS_URL}/validations/customer_data_suite/" in text
    for word in (place, folder, QUALITY, "expect_column_values_to_be_in_set", "contract_type"):
        assert word in text
    assert platform.webhook.url not in run.output


def test_enriched_data_that_arent_as_expected_fail_the_run(platform: Platform) -> None:
    """Before the customers had any features nothing is found: a model mustn't be trained on that."""
    place, posts = platform.upload_customer_data("early.csv"), len(platform.webhook.posts)
    moment = datetime(2024, 1, 2, 10, tzinfo=UTC)
    run = platform.run(QUALITY, moment, {"data_path": place, "enriched_path": f"s3://{BUCKET}/early.parquet"})
    assert run.states["proceed_to_feature_engineering"] == "success"
    assert run.states["validate_enriched_data"] == "failed"
    assert run.states["end"] == "upstream_failed"
    assert "doesn't meet enriched_data_suite" in run.output
    assert len(platform.webhook.posts) == posts


def test_slack_that_takes_no_message_fails_the_run_and_the_file_is_safe(platform: Platform) -> None:
    """The task is tried again; the quarantine isn't done twice."""
    place = platform.upload_customer_data("unheard.csv", bad=True)
    run = platform.run(QUALITY, HOUR + timedelta(hours=2), {"data_path": place}, SLACK_WEBHOOK="http://127.0.0.1:9/secret")
    assert run.states["send_alert_and_quarantine"] == "success"
    assert run.states["send_alert"] == "failed"
    assert "127.0.0.1:9/secret" not in run.output
    assert platform.s3.keys(BUCKET, "quarantine/20260201T120000Z/") == [
        "quarantine/20260201T120000Z/unheard.csv",
        "quarantine/20260201T120000Z/unheard.csv.validation.json",
    ]
