"""Everything that must stand before the service starts: sample data, Redis, an applied registry, materialized features.

This module imports neither Feast nor pandas: both live in child processes that end before serving begins.
"""

import hashlib
import importlib.metadata
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from pipelines.local.layout import (
    CUSTOMER_FILE,
    DATA_FOLDER,
    GOOD_FOR_DAYS,
    LOCAL_CONFIG,
    MANIFEST_FILE,
    REDIS_FOLDER,
    REGISTRY_FILE,
    TRANSACTION_FILE,
)
from pipelines.local.process import die_with_parent
from pipelines.local.redis import EmbeddedRedis

# Kept in Redis itself, so that it is there exactly when the features it vouches for are.
STAMP_KEY = "pipelines.local:prepared"

Say = Callable[[str], object]  # writes a piece of a line; such as sys.stdout.write


def say_nothing(_: str) -> None:
    """Keep quiet: for callers that have no terminal."""


class PrepareError(RuntimeError):
    """A step failed; the message holds the child's output."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A machine ready to serve: its Redis (running, the caller stops it) and what the service needs to find it."""

    redis: EmbeddedRedis
    config: Path
    environment: dict[str, str]  # what feature_store.local.yaml and features.py read
    reused: bool  # nothing had changed, so nothing was applied or materialized


def prepare(repo_dir: Path, local_dir: Path, say: Say = say_nothing) -> Prepared:
    """Make `local_dir` hold what `repo_dir` defines, doing only what is not done yet, and return it with Redis running.

    Takes about 10 s the first time and 0.1 s when nothing has changed. Raises PrepareError, RedisUnavailableError.
    """
    repo_dir, local_dir = repo_dir.resolve(), local_dir.resolve()
    data_dir = local_dir / DATA_FOLDER
    config = repo_dir / LOCAL_CONFIG
    local_dir.mkdir(parents=True, exist_ok=True)
    if not sample_is_good(data_dir, datetime.now(UTC).date()):
        with step("sample data: 10,000 customers", say):
            run_child("pipelines.local.sample", data_dir, environment=dict(os.environ))
    redis = EmbeddedRedis(local_dir / REDIS_FOLDER)
    with step("Redis", say):
        redis.start()
    try:
        environment = {
            "FEAST_DATA_URL": str(data_dir),
            "FEAST_LOCAL_DIR": str(local_dir),
            "FEAST_LOCAL_REDIS_PORT": str(redis.port),
        }
        reused = is_stamped(redis, fingerprint(repo_dir, local_dir)) and (local_dir / REGISTRY_FILE).is_file()
        if not reused:
            apply(repo_dir, local_dir, redis, environment, say)
    except BaseException:
        redis.stop()
        raise
    return Prepared(redis, config, environment, reused)


def apply(repo_dir: Path, local_dir: Path, redis: EmbeddedRedis, environment: dict[str, str], say: Say) -> None:
    """Replace what the registry and Redis hold by what the repository and the sample data say, and stamp it."""
    with step("feast apply and materialize", say):
        redis.command("FLUSHALL")
        for leftover in local_dir.glob(REGISTRY_FILE + "*"):
            leftover.unlink()
        run_child("pipelines.local.apply", repo_dir, repo_dir / LOCAL_CONFIG, environment=os.environ | environment)
        redis.command("SET", STAMP_KEY, fingerprint(repo_dir, local_dir))
        redis.command("SAVE")  # a crash from here on costs nothing


def sample_is_good(data_dir: Path, today: date) -> bool:
    """Return whether the sample data is all there and at most 30 days old."""
    try:
        day = date.fromisoformat(json.loads((data_dir / MANIFEST_FILE).read_text())["day"])
    except (OSError, ValueError, KeyError):
        return False
    return 0 <= (today - day).days <= GOOD_FOR_DAYS and all(
        (data_dir / name).is_file() for name in (CUSTOMER_FILE, TRANSACTION_FILE)
    )


def fingerprint(repo_dir: Path, local_dir: Path) -> str:
    """Return a digest of all that decides what the registry (which holds absolute paths) and Redis hold.

    Of the data it is the manifest that counts: offline pushes are appended to the files, and that is no reason to begin anew.
    """
    digest = hashlib.sha256(f"{importlib.metadata.version('feast')}\n{local_dir}\n".encode())
    for path in [*sorted(repo_dir.rglob("*.py")), repo_dir / LOCAL_CONFIG, local_dir / DATA_FOLDER / MANIFEST_FILE]:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def is_stamped(redis: EmbeddedRedis, expected: str) -> bool:
    """Return whether Redis holds the stamp of exactly these definitions and data."""
    return redis.command("GET", STAMP_KEY) == expected.encode()


def run_child(module: str, *arguments: Path, environment: dict[str, str]) -> None:
    """Run a module of this package to its end, showing its output only when it fails: PrepareError."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        start_new_session=True,  # the terminal's Ctrl-C is for this process, which ends its children in order
        preexec_fn=die_with_parent(),
    )
    if done.returncode != 0:
        raise PrepareError(f"{module} failed (exit code {done.returncode}):\n{done.stdout}")


@contextmanager
def step(name: str, say: Say) -> Iterator[None]:
    """Say a step's name when it begins, and on the same line how long it took."""
    say(f"  {name} ... ")
    begin = time.monotonic()
    try:
        yield
    except BaseException:
        say("\n")
        raise
    say(f"{time.monotonic() - begin:.1f} s\n")
