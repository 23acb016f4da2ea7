"""What both DAGs share: where the pipelines run, which moments a run is about, and how often a task that failed is tried again.

Settings are read from the environment of the processes that parse and run the DAGs; secrets (S3, Redis, the registry, Slack)
only by the pipelines themselves, from the environment that they inherit: none passes through Airflow's database.

    FEATURE_PIPELINES_PYTHON        interpreter that has this repository installed (default: the checkout's .venv)
    FEATURE_PIPELINES_FEAST_REPO    folder of feature_store.yaml, or the file itself (default: the checkout's)
    FEATURE_PIPELINES_EXPECTATIONS  the Great Expectations project (default: the checkout's)
    FEATURE_PIPELINES_RETRIES       how often a task that failed is tried again (default: 2)
    FEATURE_PIPELINES_RETRY_SECONDS how long it waits before each (default: 300)
"""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]

PYTHON = os.environ.get("FEATURE_PIPELINES_PYTHON") or str(CHECKOUT / ".venv/bin/python")
FEAST_REPO = os.environ.get("FEATURE_PIPELINES_FEAST_REPO") or str(CHECKOUT / "feast-repo/customer_features")
EXPECTATIONS = os.environ.get("FEATURE_PIPELINES_EXPECTATIONS") or str(CHECKOUT / "expectations")

# The hour that the run is about, whenever it runs. Triggered without a logical date a run is about no hour; begin and end are
# then the moment from which it was due, which is kept with the run, so that its retries do again what it did.
INTERVAL_START = "{{ (dag_run.data_interval_start or dag_run.run_after) | ts }}"
INTERVAL_END = "{{ (dag_run.data_interval_end or dag_run.run_after) | ts }}"
# One name for each run: no two of a DAG share a logical date, and a run without one shares the moment it was due with no other.
RUN_TIME = "{{ (dag_run.logical_date or dag_run.run_after).strftime('%Y%m%dT%H%M%SZ') }}"

RETRIES = int(os.environ.get("FEATURE_PIPELINES_RETRIES") or 2)
RETRY_SECONDS = float(os.environ.get("FEATURE_PIPELINES_RETRY_SECONDS") or 300)
DEFAULTS: dict[str, Any] = {"retries": RETRIES, "retry_delay": timedelta(seconds=RETRY_SECONDS)}
