"""`python -m tests.spark.suite PROJECT CSV ...`: customer_data_suite on each file, by Spark and by pandas; prints JSON."""

import json
import sys
from pathlib import Path
from typing import Any

import great_expectations as gx
import pandas as pd
from pyspark.sql import SparkSession

SUITE = "customer_data_suite"


def judged(context: Any, source: str, frame: Any) -> dict[str, Any]:
    """Whether a frame passes, and which expectations it fails."""
    rows = context.data_sources.get(source).get_asset("rows").get_batch_definition("whole")
    found = rows.get_batch({"dataframe": frame}).validate(context.suites.get(SUITE))
    failed = [one.expectation_config for one in found.results if not one.success]
    return {
        "success": found.success,
        "evaluated": len(found.results),
        "failed": sorted([one.type, one.kwargs.get("column")] for one in failed),
    }


def main(project: Path, files: list[str]) -> None:
    """Judge each file by both."""
    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    spark = builder.config("spark.sql.shuffle.partitions", "2").getOrCreate()
    context = gx.get_context(mode="file", context_root_dir=project)
    for file in files:
        frame = spark.read.csv(file, header=True, inferSchema=True)
        both = {
            "spark": judged(context, "spark_datasource", frame),
            "pandas": judged(context, "pandas_datasource", pd.read_csv(file)),
        }
        print("\n" + json.dumps(both))
    spark.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
