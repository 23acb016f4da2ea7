"""What the DAGs are: schedule, parameters, arrows, retries, and no secret in what Airflow keeps of them."""

import json
import subprocess
from typing import Any

import pytest

from .platform import AIRFLOW, Platform

# A run starts a dozen interpreters, and the first test all servers.
pytestmark = pytest.mark.timeout(300)

# Run by Airflow's own interpreter.
SCRIPT = """
import json
from airflow.configuration import conf
from airflow.dag_processing.dagbag import BundleDagBag
from airflow.serialization.serialized_objects import DagSerialization

folder = conf.get("core", "dags_folder")
bag = BundleDagBag(folder, bundle_path=folder, bundle_name="dags-folder")
found = {name: DagSerialization.to_dict(dag) for name, dag in bag.dags.items()}
print(json.dumps({
    "errors": bag.import_errors,
    "dags": found,
    "schedules": {name: dag["dag"]["timetable"]["__var"]["expression"] for name, dag in found.items()},
    "params": {name: {key: dag.params[key] for key in dag.params} for name, dag in bag.dags.items()},
    "tasks": {
        name: {
            task.task_id: [
                sorted(task.downstream_task_ids), task.retries, task.retry_delay.total_seconds(), task.trigger_rule.value
            ]
            for task in dag.tasks
        }
        for name, dag in bag.dags.items()
    },
}))
"""


@pytest.fixture(scope="module")
def dags(platform: Platform) -> dict[str, Any]:
    """All that Airflow finds."""
    done = subprocess.run(
        [str(AIRFLOW.with_name("python")), "-c", SCRIPT], env=platform.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_they_are_found_without_errors(dags: dict[str, Any]) -> None:
    """Two, hourly."""
    assert dags["errors"] == {}
    assert dags["schedules"] == dict.fromkeys(("feast_feature_pipeline", "data_quality_pipeline"), "0 * * * *")


def test_parameters_have_the_agreed_defaults(dags: dict[str, Any]) -> None:
    """Where the data lie."""
    feast, quality = (dags["params"][name] for name in ("feast_feature_pipeline", "data_quality_pipeline"))
    assert (feast["entities"], feast["training_data"]) == ("s3://data/training_entities.csv", "s3://data/training_data.parquet")
    assert (feast["start"], feast["views"]) == (None, [])
    assert quality["data_path"] == "s3://data/customer_data.csv"
    assert quality["enriched_path"] == "s3://data/enriched_data.parquet"
    assert quality["quarantine_folder"] == "s3://data/quarantine"


def test_arrows(dags: dict[str, Any]) -> None:
    """Materialize, then the training set; start >> validate >> branch, and two ways from there to the end."""
    arrows = {name: {task: more[0] for task, more in tasks.items()} for name, tasks in dags["tasks"].items()}
    assert arrows["feast_feature_pipeline"] == {"materialize_features": ["get_training_features"], "get_training_features": []}
    assert arrows["data_quality_pipeline"] == {
        "start": ["validate_data"],
        "validate_data": ["branch_on_validation"],
        "branch_on_validation": ["proceed_to_feature_engineering", "send_alert_and_quarantine"],
        "proceed_to_feature_engineering": ["validate_enriched_data"],
        "validate_enriched_data": ["end"],
        "send_alert_and_quarantine": ["send_alert"],
        "send_alert": ["end"],
        "end": [],
    }
    assert dags["tasks"]["data_quality_pipeline"]["end"][3] == "none_failed_min_one_success"


def test_tasks_are_tried_again(dags: dict[str, Any]) -> None:
    """Twice, after a while that the environment says."""
    for tasks in dags["tasks"].values():
        assert {tuple(more[1:3]) for more in tasks.values()} == {(2, 1.0)}


def test_no_secret_is_kept(dags: dict[str, Any], platform: Platform) -> None:
    """In what Airflow's database and its pages have of them."""
    text = json.dumps(dags)
    for name in ("AWS_SECRET_ACCESS_KEY", "SLACK_WEBHOOK", "FEAST_REGISTRY_URL"):
        assert platform.environment[name] not in text
