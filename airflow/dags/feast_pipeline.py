"""`feast_feature_pipeline`: each hour, features up to its end go online; then the training set is made anew.

The work is done by `pipelines/`, in an interpreter of its own: see feature_pipelines_environment.py.
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, Param, task
from feature_pipelines_environment import DEFAULTS, FEAST_REPO, INTERVAL_END, INTERVAL_START, PYTHON

# A scheduled run goes on where the last materialization ended: an hour in which nothing ran is made good by the next one.
# A backfill is about its own hour: what is newer than that has been materialized long since.
START = """
{%- if params.start %}{{ params.start }}
{%- elif dag_run.run_type == 'backfill' %}{{ dag_run.data_interval_start | ts }}
{%- endif %}"""


# One at a time, whatever runs and backfills are under way: two would read and write the same rows.
@task.external_python(python=PYTHON, expect_airflow=False, max_active_tis_per_dag=1)
def materialize_features(repo: str, start: str, hour: str, end: str, views: list[str]) -> dict:
    """Write the newest rows of each view up to `end` into the online store."""
    from datetime import datetime
    from pathlib import Path

    from pipelines.materialize import Materialized, materialize

    begin, until = datetime.fromisoformat(start) if start else None, datetime.fromisoformat(end)
    done = materialize(Path(repo), begin, until, views, resume=begin is None)
    # Views that were materialized to the end before: the run is done again, so its own hour is, too. There is nothing to go on
    # with from where they were left.
    again = [view.view for view in done.views if view.skipped]
    if not again:
        return done.as_json()
    redone = materialize(Path(repo), datetime.fromisoformat(hour), until, again)
    reports = (*(view for view in done.views if not view.skipped), *redone.views)
    return Materialized(reports, done.rows + redone.rows, done.seconds + redone.seconds).as_json()


@task.external_python(python=PYTHON, expect_airflow=False, max_active_tis_per_dag=1)
def get_training_features(repo: str, entities: str, features: list[str], output: str) -> dict:
    """Join to each entity row what was known at its event time, and write the result."""
    from pathlib import Path

    from pipelines.training_set import make_training_set

    service = features[0] if len(features) == 1 and ":" not in features[0] else None
    return make_training_set(Path(repo), entities, service or features, output).as_json()


with DAG(
    "feast_feature_pipeline",
    description="Materialize features into the online store, then make the training set",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("0 * * * *", timezone="UTC"),
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    default_args={**DEFAULTS, "owner": "ml-team"},
    tags=["feast"],
    params={
        "start": Param(
            None,
            type=["null", "string"],
            format="date-time",
            description="Materialize rows from this moment on; empty: from where the last materialization ended",
        ),
        "views": Param([], type="array", items={"type": "string"}, description="Feature views; empty: all that are online"),
        "entities": Param(
            "s3://data/training_entities.csv",
            type="string",
            minLength=1,
            description="Entity rows with event_timestamp, and the columns that on-demand features need: csv or parquet",
        ),
        "features": Param(
            [
                "customer_stats:tenure_months",
                "customer_stats:total_spend",
                "customer_stats:loyalty_score",
                "transaction_stats:txn_count_7d",
            ],
            type="array",
            items={"type": "string"},
            minItems=1,
            description="Features of the training set, view:feature; or the name of one feature service",
        ),
        "training_data": Param(
            "s3://data/training_data.parquet", type="string", minLength=1, description="Where the training set goes"
        ),
    },
) as dag:
    materialized = materialize_features(FEAST_REPO, START, INTERVAL_START, INTERVAL_END, dag.param("views"))
    training_set = get_training_features(
        FEAST_REPO, "{{ params.entities }}", dag.param("features"), "{{ params.training_data }}"
    )
    materialized >> training_set
