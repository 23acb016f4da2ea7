"""Each DAG run by `airflow dags test`, both branches, and what is where afterwards."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from tests.servers.waiting import wait_until

from .online import VIEWS, hours_with_rows, source, times_of_hour, times_online, values_online
from .platform import BUCKET, CUSTOMERS, DOCS_URL, Platform, Run

# A run starts a dozen interpreters, and the first test all servers.
pytestmark = pytest.mark.timeout(300)

FEAST, QUALITY = "feast_feature_pipeline", "data_quality_pipeline"
# The end of the hour that a run by hand is about: Airflow gives it the last hour that is over at its logical date.
HOUR = datetime(2026, 2, 1, 10, tzinfo=UTC)
# For runs that are to fail: that tasks are tried again is another test's matter.
ONE_TRY = {"FEATURE_PIPELINES_RETRIES": "0"}


def results(platform: Platform) -> list[str]:
    """The validation results in the store of the GX project."""
    folder = platform.expectations / "uncommitted" / "validations"
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.json"))


def test_features_go_online_and_the_training_set_is_made(platform: Platform, first_run: Run) -> None:
    """The materialization, then the training set: rows in Redis; features as of each entity's time in S3."""
    assert first_run.code == 0, first_run.output
    assert first_run.states == {"materialize_features": "success", "get_training_features": "success"}
    for view in VIEWS:
        assert times_online(platform)[view] == sorted(source(platform, view)["event_timestamp"])
    customers = source(platform, "customer_stats")
    assert values_online(platform, "customer_stats", "total_spend") == sorted(customers["total_spend"].astype("float32"))
    made = platform.frame("training_data.parquet")
    assert list(made.columns) == [
        "customer_id", "event_timestamp", "churn", "tenure_months", "total_spend", "loyalty_score", "txn_count_7d",
    ]  # fmt: skip
    assert list(made["customer_id"]) == [1001, 1002, 1003]
    known = customers.set_index("customer_id").loc[list(made["customer_id"])].reset_index()
    ages = made["event_timestamp"] - known["event_timestamp"]
    fresh = (ages >= timedelta(0)) & (ages <= timedelta(days=365))
    assert fresh.any()
    assert list(made["total_spend"].isna()) == list(~fresh)
    assert list(made["total_spend"][fresh]) == list(known["total_spend"][fresh])


def test_a_past_hour_is_done_again(platform: Platform, materialized: datetime) -> None:
    """Its rows, and no others, though the registry says that all up to a later time is done."""
    begin = hours_with_rows(platform)[0]
    platform.redis.flushdb()
    run = platform.run(FEAST, begin + timedelta(hours=1), {"training_data": f"s3://{BUCKET}/past.parquet"})
    assert run.code == 0, run.output
    expected = times_of_hour(platform, begin)
    assert all(expected.values())
    assert times_online(platform) == expected


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
    parameters = {"data_path": place, "enriched_path": f"s3://{BUCKET}/early.parquet"}
    run = platform.run(QUALITY, moment, parameters, **ONE_TRY)
    assert run.code != 0
    assert run.states["proceed_to_feature_engineering"] == "success"
    assert run.states["validate_enriched_data"] == "failed"
    assert run.states["end"] == "upstream_failed"
    assert "doesn't meet enriched_data_suite" in run.output
    assert len(platform.webhook.posts) == posts


def test_data_that_were_replaced_after_their_validation_arent_enriched(platform: Platform) -> None:
    """Good as they may be, nobody has judged them."""
    place, before = platform.upload_customer_data("replaced.csv"), results(platform)
    parameters = {"data_path": place, "enriched_path": f"s3://{BUCKET}/replaced.parquet"}
    other = platform.s3.get(BUCKET, "replaced.csv").rstrip().rpartition(b"\n")[0]
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(platform.run, QUALITY, HOUR + timedelta(hours=3), parameters, **ONE_TRY)
        # The next task's interpreter takes seconds to import Feast, and reads the file only then.
        wait_until(lambda: len(results(platform)) > len(before), "the data are judged", 60)
        platform.s3.put(BUCKET, "replaced.csv", other)
        run = running.result()
    assert run.code != 0
    assert run.states["validate_data"] == "success"
    assert run.states["proceed_to_feature_engineering"] == "failed"
    assert f"{place} was replaced since it was validated" in run.output
    assert platform.s3.keys(BUCKET, "replaced.parquet") == []


def test_slack_that_takes_no_message_fails_the_run_and_the_file_is_safe(platform: Platform) -> None:
    """The task is tried three times; the quarantine isn't done twice."""
    place, posts = platform.upload_customer_data("unheard.csv", bad=True), len(platform.webhook.posts)
    for _ in range(3):
        platform.webhook.answer(404, b"no_service")
    run = platform.run(QUALITY, HOUR + timedelta(hours=2), {"data_path": place})
    assert run.code != 0
    assert run.states["send_alert_and_quarantine"] == "success"
    assert run.states["send_alert"] == "failed"
    assert run.states["end"] == "upstream_failed"
    assert len(platform.webhook.posts) == posts + 3
    assert "no_service" in run.output
    assert platform.s3.keys(BUCKET, "unheard.csv") == []
    assert platform.s3.keys(BUCKET, "quarantine/20260201T120000Z/") == [
        "quarantine/20260201T120000Z/unheard.csv",
        "quarantine/20260201T120000Z/unheard.csv.validation.json",
    ]


def test_airflow_keeps_no_secret(platform: Platform, materialized: datetime) -> None:
    """Neither in its database, with parameters, rendered templates and results of all runs, nor in its logs."""
    kept = [path for path in (platform.folder / "airflow").rglob("*") if path.is_file()]
    assert any(path.suffix == ".db" for path in kept)
    for name in ("AWS_SECRET_ACCESS_KEY", "SLACK_WEBHOOK", "FEAST_REGISTRY_URL"):
        secret = platform.environment[name].encode()
        assert [path for path in kept if secret in path.read_bytes()] == []
