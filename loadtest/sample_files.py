"""Write the sample's customers as parquet and CSV: `python -m loadtest.sample_files FOLDER`, 9 columns, all rows valid.

A process of its own, so that what a million rows take in memory isn't the benchmark's.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from pyarrow import csv

from loadtest.scenario import SEED
from pipelines.local.sample import customer_stats, write_table

FORMATS = ("parquet", "csv")
FEW_ROWS, ROWS, COLUMNS = 10, 1_000_000, 9


def sample_file(folder: Path, rows: int, kind: str) -> Path:
    """Return the path of one of them."""
    return folder / f"customers-{rows}.{kind}"


def write(folder: Path) -> None:
    """Write both numbers of rows in both formats; times are UTC timestamps."""
    for rows in (FEW_ROWS, ROWS):
        table = customer_stats(np.random.default_rng(SEED), datetime.now(UTC).date(), rows)
        write_table(table, sample_file(folder, rows, "parquet"))
        csv.write_csv(table, sample_file(folder, rows, "csv"))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
