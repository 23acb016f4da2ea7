"""What `make serve` prepares on one machine, prepared on servers: sample data in S3, an applied registry, features in Redis.

`python -m pipelines.local.servers REPO_DIR`, with the environment of feature_store.yaml and features.py; docker-compose.yml
runs it before the service. A second run applies the definitions again and leaves the data as they are.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from pipelines import s3
from pipelines.errors import ObjectChanged, PipelineError
from pipelines.local.layout import CUSTOMER_FILE, MANIFEST_FILE, TRANSACTION_FILE
from pipelines.local.prepare import PrepareError, Say, run_child, step

CONFIG = "feature_store.yaml"


def prepare(repo_dir: Path, data_url: str, say: Say) -> None:
    """Write sample data where none are, apply what `repo_dir` defines, and materialize.

    `data_url` is the folder of the files, s3://bucket/folder; its bucket is made if it isn't there. What was appended to files
    stays. Raises PipelineError, PrepareError.
    """
    with step(f"sample data in {data_url}", say):
        s3.make_bucket(data_url)
        with tempfile.TemporaryDirectory() as folder:
            run_child("pipelines.local.sample", Path(folder), environment=dict(os.environ))
            for name in (CUSTOMER_FILE, TRANSACTION_FILE, MANIFEST_FILE):
                _keep_or_put(Path(folder) / name, f"{data_url}/{name}")
    with step("feast apply and materialize", say):
        run_child("pipelines.local.apply", repo_dir, repo_dir / CONFIG, environment=dict(os.environ))


def _keep_or_put(path: Path, place: str) -> None:
    try:
        s3.upload_new(path, place)
    except ObjectChanged:
        return  # it is there already


def main() -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.local.servers", description="Prepare S3, registry and Redis.")
    parser.add_argument("repo", type=Path, help="folder of feature_store.yaml and features.py")
    data_url = os.environ.get("FEAST_DATA_URL", "s3://feast/data").rstrip("/")
    try:
        prepare(parser.parse_args().repo, data_url, lambda text: print(text, end="", flush=True))
    except (PipelineError, PrepareError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
