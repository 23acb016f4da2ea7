"""`data_quality_pipeline`: each hour the customer data are validated; good ones are enriched, bad ones put into quarantine.

The work is done by `pipelines/`, in an interpreter of its own: see feature_pipelines_environment.py.
"""

from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, CronDataIntervalTimetable, Param, TriggerRule, task
from feature_pipelines_environment import DEFAULTS, EXPECTATIONS, FEAST_REPO, INTERVAL_END, PYTHON, RUN_TIME

DATA_PATH = "{{ params.data_path }}"
# As a template rather than an argument, which would draw an arrow of its own past the branch.
VALIDATION = "{{ ti.xcom_pull(task_ids='validate_data') | tojson }}"


@task.external_python(python=PYTHON, expect_airflow=False)
def validate_data(place: str, expectations: str) -> dict:
    """Return what the suite says of the file. Bad data are an answer; a file that can't be read fails the task."""
    from pathlib import Path

    from pipelines.file_validation import validate_file

    return validate_file(place, "customer_data_checkpoint", Path(expectations)).as_json()


@task.branch
def branch_on_validation(validation: dict) -> str:
    """Return the task that the file goes to."""
    return "proceed_to_feature_engineering" if validation["success"] else "send_alert_and_quarantine"


@task.external_python(python=PYTHON, expect_airflow=False)
def proceed_to_feature_engineering(
    repo: str, place: str, validation: str, features: list[str], output: str, event_time: str
) -> dict:
    """Add to each row of what was validated, and of nothing else, the features that were known at `event_time`."""
    import json
    from datetime import datetime
    from pathlib import Path

    from pipelines.enrichment import enrich

    moment, etag = datetime.fromisoformat(event_time), json.loads(validation)["etag"]
    return enrich(Path(repo), place, features, output, moment, etag=etag).as_json()


@task.external_python(python=PYTHON, expect_airflow=False)
def validate_enriched_data(enriched: dict, expectations: str) -> dict:
    """Fail if the enriched data don't meet their suite: nothing is to be trained on them."""
    from pathlib import Path

    from pipelines.file_validation import validate_file

    validation = validate_file(enriched["place"], "enriched_data_checkpoint", Path(expectations))
    if not validation.success:
        raise RuntimeError(f"{validation.place} doesn't meet enriched_data_suite: {validation.failed}")
    return validation.as_json()


@task.external_python(python=PYTHON, expect_airflow=False)
def send_alert_and_quarantine(place: str, folder: str, validation: str) -> dict:
    """Move the file to where nobody trains on it, with its validation result beside it."""
    import json

    from pipelines.quarantine import quarantine

    result = json.loads(validation)
    return quarantine(place, folder, result, result["etag"]).as_json()


@task.external_python(python=PYTHON, expect_airflow=False)
def send_alert(validation: str, quarantined: dict, run_name: str) -> None:
    """Tell on Slack which file failed which expectations, and where it is now."""
    import json

    from pipelines.alert import alert

    result = json.loads(validation)
    summary = f"{result['place']} isn't as expected: it was put into quarantine"
    alert(summary, validation=result, quarantined=quarantined, run_name=run_name)


with DAG(
    "data_quality_pipeline",
    description="Validate the customer data; enrich good ones, put bad ones into quarantine and tell Slack",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("0 * * * *", timezone="UTC"),
    start_date=datetime(2024, 1, 1, tzinfo=UTC),
    catchup=False,
    # Each run reads, and may move, the same file.
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=6),
    default_args={**DEFAULTS, "owner": "data-quality-team"},
    tags=["great-expectations", "feast"],
    params={
        "data_path": Param(
            "s3://data/customer_data.csv", type="string", minLength=1, description="The file to validate: csv or parquet"
        ),
        "features": Param(
            ["customer_stats:loyalty_score", "transaction_stats:txn_count_7d"],
            type="array",
            items={"type": "string"},
            minItems=1,
            description="Features that are added to each row, view:feature",
        ),
        "enriched_path": Param(
            "s3://data/enriched_data.parquet", type="string", minLength=1, description="Where the enriched data go"
        ),
        "quarantine_folder": Param(
            "s3://data/quarantine",
            type="string",
            minLength=1,
            description="Bad files go into a folder of this one, named after the run's logical date",
        ),
    },
) as dag:
    start = EmptyOperator(task_id="start")
    validation = validate_data(DATA_PATH, EXPECTATIONS)
    branch = branch_on_validation(validation)
    enriched = proceed_to_feature_engineering(
        FEAST_REPO, DATA_PATH, VALIDATION, dag.param("features"), "{{ params.enriched_path }}", INTERVAL_END
    )
    enriched_validation = validate_enriched_data(enriched, EXPECTATIONS)
    quarantined = send_alert_and_quarantine(DATA_PATH, "{{ params.quarantine_folder.rstrip('/') }}/" + RUN_TIME, VALIDATION)
    alert = send_alert(VALIDATION, quarantined, "{{ dag.dag_id }} {{ run_id }}")
    # One of the two ways is always skipped; neither may have failed.
    end = EmptyOperator(task_id="end", trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS)

    start >> validation >> branch >> [enriched, quarantined]
    enriched_validation >> end
    alert >> end
