"""What lies where under `.local/`, and for how long the sample data is good: known to those who write and who look."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXPECTATIONS_DIR = ROOT / "expectations"
REPO_DIR = ROOT / "feast-repo" / "customer_features"
LOCAL_DIR = ROOT / ".local"

LOCAL_CONFIG = "feature_store.local.yaml"
RUN_FILE = "serve.run"
ENVIRONMENT_FILE = "environment"  # there while `make serve` runs, for a shell to read
REGISTRY_FILE = "registry.db"  # feature_store.local.yaml names it too
DATA_FOLDER = "data"
REDIS_FOLDER = "redis"

CUSTOMER_FILE = "customer_stats.parquet"
TRANSACTION_FILE = "transaction_stats.parquet"
MANIFEST_FILE = "sample.json"  # {"day": "2026-01-31", "customers": 10000, "seed": ...}

# Fresh sample rows are written young enough to be within their view's ttl for so long.
GOOD_FOR_DAYS = 30
