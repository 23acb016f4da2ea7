"""Apply the wide repository and fill its online store, by Feast: `python -m loadtest.wide_repo FOLDER`.

LOADTEST_REDIS is the address, `host:port,db=0`. A process of its own, since Feast's imports (5 s, 190 MB) are of no
use to the benchmark itself.
"""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from feast import FeatureStore

from loadtest.wide_repo.features import FEATURES_PER_VIEW, VIEWS, entity, feature_service_0, feature_views, source

KEYS = 10_000
SEED = 50
# As the sample repository: an SQL registry in SQLite, so that both servers read the same kind of registry.
CONFIG = """\
project: wide
provider: local
registry:
  registry_type: sql
  path: sqlite:///{folder}/registry.db
online_store:
  type: redis
  connection_string: "{redis}"
offline_store:
  type: file
entity_key_serialization_version: 3
"""


def rows() -> pa.Table:
    """Return a row for each of the 10,000 keys from 1 on, values from 1 to 9,999, event time now; always the same."""
    random = np.random.default_rng(SEED)
    now = pa.scalar(datetime.now(UTC).replace(microsecond=0), pa.timestamp("us", tz="UTC"))
    return pa.table(
        {
            "entity": np.arange(1, KEYS + 1),
            "event_timestamp": pa.repeat(now, KEYS),
            **{f"feature_{i}": random.integers(1, KEYS, KEYS) for i in range(VIEWS * FEATURES_PER_VIEW)},
        }
    )


def fill(folder: Path, redis: str) -> None:
    """Write the configuration and the parquet file into a folder, apply the definitions and write all rows online."""
    (folder / "feature_store.yaml").write_text(CONFIG.format(folder=folder, redis=redis))
    table = rows()
    pq.write_table(table, folder / "generated_data.parquet")
    store = FeatureStore(repo_path=str(folder))
    store.apply([entity, source, *feature_views, feature_service_0])
    for view in feature_views:
        names = [field.name for field in view.schema if field.name != "entity"]
        store.write_to_online_store(view.name, table.select(["entity", "event_timestamp", *names]).to_pandas())


if __name__ == "__main__":
    fill(Path(sys.argv[1]).absolute(), os.environ["LOADTEST_REDIS"])
