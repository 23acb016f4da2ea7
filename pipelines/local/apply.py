"""Applies a Feast repository and materializes it: always a child process, since Feast's imports are heavy.

`python -m pipelines.local.apply REPO_DIR CONFIG_NAME`, with the environment that the configuration needs.
"""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from feast import FeatureStore
from feast.repo_config import load_repo_config
from feast.repo_operations import apply_total

# Older than any sample row: rows past their ttl are to reach the online store too.
MATERIALIZE_DAYS = 3 * 365


def apply(repo_dir: Path, config: Path) -> None:
    """Do what `feast -f CONFIG apply` and `feast -f CONFIG materialize` do, with one import of Feast."""
    sys.path.insert(0, str(repo_dir))
    apply_total(load_repo_config(repo_dir, config), repo_dir, skip_source_validation=False)
    store = FeatureStore(repo_path=str(repo_dir), fs_yaml_file=config)
    end = datetime.now(UTC)
    store.materialize(end - timedelta(days=MATERIALIZE_DAYS), end)


if __name__ == "__main__":
    apply(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
