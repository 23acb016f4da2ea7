"""The same suite on a Spark data frame, and Feast's Spark engine: the same as by pandas and Feast's own."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from feast.types import Float32, Int64, String

from pipelines.local.customer_data import write_customer_data
from pipelines.local.layout import REPO_DIR, ROOT
from pipelines.local.redis import EmbeddedRedis
from tests.materialization.shelf import END, FEASTS, MOMENT, OURS, START, Shelf, view
from tests.servers.feast_repo import FeastRepo

PYTHON = ROOT / ".venv-spark" / "bin" / "python"
PRODUCTION, BY_SPARK = (yaml.safe_load((REPO_DIR / f"feature_store{name}.yaml").read_text()) for name in ("", ".spark"))

# The one thing that is left out where it can't be had: pyspark needs a JVM.
pytestmark = [pytest.mark.skipif(shutil.which("java") is None, reason="there is no JVM"), pytest.mark.timeout(300)]


def run(module: str, *arguments: str | Path) -> list[dict[str, Any]]:
    """The JSON that a module prints, in the environment that has pyspark."""
    assert PYTHON.is_file(), f"{PYTHON} is missing: make test builds it (make .venv-spark/.installed)"
    environment = os.environ | {"SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": str(PYTHON), "PYTHONPATH": str(ROOT)}
    environment["FEAST_SPARK_MASTER"] = "local[2]"
    command = [str(PYTHON), "-m", f"tests.spark.{module}", *map(str, arguments)]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def test_the_suite_judges_a_spark_frame_as_one_of_pandas(tmp_path: Path) -> None:
    """Good data pass; of bad ones the same expectations fail."""
    project = tmp_path / "expectations"
    shutil.copytree(ROOT / "expectations", project, ignore=shutil.ignore_patterns("uncommitted", "__pycache__"))
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    write_customer_data(good)
    write_customer_data(bad, bad=True)
    passed, failed = run("suite", project, good, bad)
    assert passed["spark"] == passed["pandas"] == {"success": True, "evaluated": 10, "failed": []}
    assert failed["spark"] == failed["pandas"]
    assert failed["spark"]["success"] is False
    assert len(failed["spark"]["failed"]) >= 4


def test_the_configuration_is_productions_but_for_the_engine() -> None:
    """What is tested below is what is shipped."""
    assert {name: value for name, value in BY_SPARK.items() if name != "batch_engine"} == PRODUCTION
    assert BY_SPARK["batch_engine"]["type"] == "spark.engine"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """A Redis."""
    with EmbeddedRedis(tmp_path / "redis", persist=False) as started:
        yield started


def test_feasts_spark_engine_writes_what_its_local_one_does(tmp_path: Path, server: EmbeddedRedis) -> None:
    """From the same files, to the byte; of two rows of a key the newest. The report says whose writer it was."""
    shelf = Shelf(tmp_path, server)
    numbers = list(range(500))
    table = pa.table(
        {
            "customer_id": pa.array(numbers * 2, pa.int64()),
            "n": pa.array(numbers + [-1] * len(numbers), pa.int64()),
            "f": pa.array([number * 0.1 for number in numbers * 2], pa.float32()),
            "s": pa.array([f"customer {number}" for number in numbers * 2]),
            "event_timestamp": pa.array([MOMENT] * len(numbers) + [START] * len(numbers), pa.timestamp("us", "UTC")),
        }
    )
    shelf.feasts.apply(view("many", shelf.file("many", table), {"n": Int64, "f": Float32, "s": String}))
    shelf.feasts.store.materialize(START, END)
    # The same registry, another Redis database, another engine.
    address, registry = f"127.0.0.1:{server.port},db={OURS}", shelf.feasts.configuration["registry"]
    by_spark = FeastRepo(tmp_path / "spark", address, registry=registry, batch_engine=BY_SPARK["batch_engine"])
    (report,) = run("materialization", by_spark.folder, START.isoformat(), END.isoformat())
    assert [(one["view"], one["writer"], one["rows"]) for one in report["views"]] == [("many", "feast", None)]
    assert len(shelf.dump(OURS)) == len(numbers)
    assert shelf.dump(OURS) == shelf.dump(FEASTS)
