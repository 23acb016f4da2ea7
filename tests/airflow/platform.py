"""What the DAGs run on: servers, Feast's production configuration, the GX project, and Airflow's command."""

import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import redis

from pipelines.local.customer_data import write_customer_data
from pipelines.local.layout import CUSTOMER_FILE, REPO_DIR, ROOT, TRANSACTION_FILE
from pipelines.local.redis import EmbeddedRedis
from pipelines.local.sample import write_sample
from tests.servers.postgres import PostgresServer
from tests.servers.s3 import S3Server
from tests.servers.webhook import WebhookServer

AIRFLOW = ROOT / ".venv-airflow" / "bin" / "airflow"
BUCKET = "data"
CUSTOMERS = 1_500
# All rows of the sample lie before it.
DAY = date(2026, 2, 1)
DOCS_URL = "https://docs.example/gx"
TASK_SECONDS = 300.0


@dataclass(frozen=True)
class Platform:
    """`environment` is what Airflow's processes have, and with them the tasks."""

    folder: Path
    s3: S3Server
    webhook: WebhookServer
    redis: "redis.Redis"
    expectations: Path
    environment: Mapping[str, str]

    def airflow(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """One command of Airflow's."""
        return subprocess.run(
            [str(AIRFLOW), *arguments],
            env={**self.environment, **environment},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=TASK_SECONDS,
            check=False,
        )

    def run(self, dag: str, moment: datetime, parameters: Mapping[str, Any], **environment: str) -> "Run":
        """`airflow dags test`: the whole DAG for a logical date; what became of it."""
        words = ["dags", "test", dag, moment.isoformat(), "--conf", json.dumps(parameters)]
        done = self.airflow(*words, **environment)
        return Run(done.returncode, done.stdout + done.stderr, self._states(dag))

    def _states(self, dag: str) -> dict[str, str]:
        # Airflow's command wants the name of a run, and `dags test` makes one up.
        newest = "SELECT run_id FROM dag_run WHERE dag_id = ? ORDER BY id DESC LIMIT 1"
        query = f"SELECT task_id, state FROM task_instance WHERE dag_id = ? AND run_id = ({newest})"  # noqa: S608
        return dict(self.query(query, dag, dag))

    def query(self, question: str, *parameters: str) -> list[tuple[Any, ...]]:
        """Rows of Airflow's own database."""
        with closing(sqlite3.connect(self.folder / "airflow" / "airflow.db")) as database:
            return database.execute(question, parameters).fetchall()

    def frame(self, key: str) -> pd.DataFrame:
        """A parquet object."""
        return pd.read_parquet(io.BytesIO(self.s3.get(BUCKET, key)))

    def upload_customer_data(self, key: str, *, bad: bool = False) -> str:
        """An export of customer data; its address."""
        path = self.folder / "export.csv"
        write_customer_data(path, CUSTOMERS, bad=bad)
        self.s3.put(BUCKET, key, path.read_bytes())
        return f"s3://{BUCKET}/{key}"


@dataclass(frozen=True)
class Run:
    """How Airflow's command ended, what it printed, and the state of each task."""

    code: int
    output: str
    states: Mapping[str, str]


@contextmanager
def open_platform(folder: Path) -> Iterator[Platform]:
    """Start everything, apply the repository, fill the offline store, and make Airflow's database."""
    assert AIRFLOW.is_file(), f"{AIRFLOW} is missing: make test builds it (make .venv-airflow/.installed)"
    with ExitStack() as stack:
        s3 = stack.enter_context(S3Server(folder / "s3"))
        postgres = stack.enter_context(PostgresServer())
        server = stack.enter_context(EmbeddedRedis(folder / "redis", persist=False))
        webhook = stack.enter_context(WebhookServer())
        expectations = folder / "expectations"
        shutil.copytree(ROOT / "expectations", expectations, ignore=shutil.ignore_patterns("uncommitted", "__pycache__"))
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "FEAST_", "AIRFLOW"))},
            **s3.environment,
            "FEAST_REGISTRY_URL": postgres.url,
            "FEAST_REDIS": f"127.0.0.1:{server.port},db=0",
            "FEAST_DATA_URL": f"s3://{BUCKET}/features",
            "SLACK_WEBHOOK": webhook.url,
            "DATA_DOCS_URL": DOCS_URL,
            "AIRFLOW_HOME": str(folder / "airflow"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "airflow" / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
            "FEATURE_PIPELINES_PYTHON": sys.executable,
            "FEATURE_PIPELINES_EXPECTATIONS": str(expectations),
            "FEATURE_PIPELINES_RETRY_SECONDS": "1",
        }
        client = stack.enter_context(redis.Redis(port=server.port))
        platform = Platform(folder, s3, webhook, client, expectations, environment)
        _fill(s3, folder / "sample")
        _check(
            subprocess.run(
                [Path(sys.executable).with_name("feast"), "-c", REPO_DIR, "apply"],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
        )
        (folder / "airflow").mkdir()
        _check(platform.airflow("db", "migrate"))
        yield platform


def _fill(s3: S3Server, folder: Path) -> None:
    write_sample(folder, DAY, CUSTOMERS)
    s3.create_bucket(BUCKET)
    for name in (CUSTOMER_FILE, TRANSACTION_FILE):
        s3.put(BUCKET, f"features/{name}", (folder / name).read_bytes())
    times = [datetime(2026, 1, day, 12, tzinfo=UTC).isoformat() for day in (31, 30, 29)]
    rows = [f"{1001 + number},{moment},{number % 2}" for number, moment in enumerate(times)]
    s3.put(BUCKET, "training_entities.csv", "\n".join(["customer_id,event_timestamp,churn", *rows]).encode())


def _check(done: "subprocess.CompletedProcess[str]") -> None:
    assert done.returncode == 0, done.stdout + done.stderr
