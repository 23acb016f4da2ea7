"""Validate a file by Great Expectations, read by pandas: `python -m loadtest.gx_file SUITE.json FILE`; exit code 1 if it's bad.

What a script of a data producer would do: the whole file in one data frame, and `Batch.validate` with its usual answer.
"""

import sys
from pathlib import Path
from typing import Any

import great_expectations
import orjson
import pandas as pd  # type: ignore[import-untyped]
from great_expectations.data_context.types.base import ProgressBarsConfig


def read(file: Path) -> Any:
    """Return the data frame of a parquet or a CSV file."""
    return pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_csv(file)


def main(suite: Path, file: Path) -> int:
    """Print how many expectations are met."""
    context = great_expectations.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("files").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": read(file)})
    document = orjson.loads(suite.read_bytes())
    found = batch.validate(
        great_expectations.ExpectationSuite(name=document["name"], expectations=document["expectations"]),
        result_format="SUMMARY",
    )
    print(f"{found.statistics['successful_expectations']} of {found.statistics['evaluated_expectations']} expectations are met")
    return 0 if found.success else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
