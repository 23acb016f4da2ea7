"""`feast_feature_pipeline` as the scheduler runs it: an hour that is over, and a backfill."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.servers.waiting import wait_until

from .online import HOUR, hours_with_rows, times_of_hour, times_online
from .platform import BUCKET, Platform
from .scheduler import scheduler

DAG = "feast_feature_pipeline"
RUN_SECONDS = 120.0


def finished(platform: Platform, kind: str) -> dict[str, Any] | None:
    """What the first run of a kind gave, once it has ended well: another one is scheduled if the hour turns."""
    columns = "run_id, state, data_interval_start, data_interval_end"
    rows = platform.query(f"SELECT {columns} FROM dag_run WHERE dag_id = ? AND run_type = ? ORDER BY id", DAG, kind)  # noqa: S608
    if not rows or rows[0][1] not in ("success", "failed"):
        return None
    name, state, *interval = rows[0]
    assert state == "success", (platform.folder / "scheduler.log").read_text()[-4000:]
    returned = "SELECT value FROM xcom WHERE run_id = ? AND task_id = 'materialize_features' AND key = 'return_value'"
    ((report,),) = platform.query(returned, name)
    rendered = "SELECT rendered_fields FROM rendered_task_instance_fields WHERE run_id = ? AND task_id = 'materialize_features'"
    ((template,),) = platform.query(rendered, name)
    return {
        **json.loads(report),
        "interval": [datetime.fromisoformat(one).replace(tzinfo=UTC) for one in interval],
        "asked": json.loads(template)["op_args"][1],
    }


def interval(report: dict[str, Any], view: str) -> list[datetime]:
    """From when to when a view was materialized."""
    (found,) = [one for one in report["views"] if one["view"] == view]
    return [datetime.fromisoformat(found[name]) for name in ("start", "end")]


@pytest.mark.timeout(300)
def test_hours_are_scheduled_and_backfilled(platform: Platform, materialized: datetime) -> None:
    """A backfill is about its own hour alone; a scheduled run goes on from where the last one ended."""
    begin = hours_with_rows(platform)[-2]
    platform.redis.flushdb()
    with scheduler(platform) as served:
        words = ["--dag-id", DAG, "--from-date", begin.isoformat(), "--to-date", begin.isoformat()]
        conf = json.dumps({"training_data": f"s3://{BUCKET}/backfilled.parquet"})
        made = served.airflow("backfill", "create", *words, "--dag-run-conf", conf)
        assert made.returncode == 0, made.stdout + made.stderr
        resumed = served.airflow("dags", "unpause", DAG)
        assert resumed.returncode == 0, resumed.stdout + resumed.stderr
        backfilled = wait_until(lambda: finished(served, "backfill"), "the backfill ends", RUN_SECONDS)
        scheduled = wait_until(lambda: finished(served, "scheduled"), "the scheduled run ends", RUN_SECONDS)
    assert backfilled["interval"] == [begin, begin + HOUR]
    assert scheduled["interval"][1] > materialized
    assert (backfilled["asked"], scheduled["asked"]) == (begin.isoformat(), "")
    for view in ("customer_stats", "transaction_stats"):
        assert interval(backfilled, view) == [begin, begin + HOUR]
        assert interval(scheduled, view) == [materialized, scheduled["interval"][1]]
    # The sample has nothing after what was materialized before, so that all rows are the backfill's.
    assert times_online(platform) == times_of_hour(platform, begin)
    assert len(platform.frame("backfilled.parquet")) == len(platform.frame("training_data.parquet")) == 3
