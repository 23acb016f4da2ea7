"""One materialization in a process of its own: `python -m loadtest.materialize_once CONFIG WRITER START END`; prints JSON.

WRITER is `feast` or `ours`, START and END ISO 8601; `apply` in place of all three applies the repository beside CONFIG.
"""

import json
import sys
import time
from datetime import datetime
from pathlib import Path

from feast import FeatureStore
from feast.repo_config import load_repo_config
from feast.repo_operations import apply_total

from service.materialization.job import Job
from service.materialization.run import materialize

VIEW = "customer_stats"


def apply(config: Path, repository: Path) -> None:
    """Do what `feast apply` does."""
    sys.path.insert(0, str(repository))
    apply_total(load_repo_config(repository, config), repository, skip_source_validation=False)


def once(config: Path, writer: str, start: datetime, end: datetime) -> float:
    """Materialize the view and return the seconds that it took, without imports."""
    store = FeatureStore(fs_yaml_file=config)
    began = time.monotonic()
    if writer == "feast":
        store.materialize(start, end, [VIEW])
    else:
        materialize(config, Job(start, end, (VIEW,)), lambda event: None)
    return time.monotonic() - began


if __name__ == "__main__":
    if sys.argv[2] == "apply":
        apply(Path(sys.argv[1]), Path(sys.argv[3]))
    else:
        moments = [datetime.fromisoformat(text) for text in sys.argv[3:]]
        print(f"\n{json.dumps({'seconds': once(Path(sys.argv[1]), sys.argv[2], *moments)})}")
