"""Materializing a million customers, by Feast and by the writer here; and reads of ours while the service materializes."""

import hashlib
import json
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import numpy as np
import redis

from loadtest import beside_materialization
from loadtest.bench import Plan, workplace
from loadtest.beside_materialization import interval
from loadtest.errors import BenchmarkError
from loadtest.files import run
from loadtest.machine import Cores
from loadtest.markdown import MIB, number, table
from loadtest.records import Materialized
from loadtest.results import Results
from loadtest.scenario import SEED
from loadtest.servers import Site
from pipelines.local.layout import CUSTOMER_FILE, EXPECTATIONS_DIR, LOCAL_CONFIG, REPO_DIR, TRANSACTION_FILE
from pipelines.local.prepare import run_child
from pipelines.local.redis import EmbeddedRedis
from pipelines.local.sample import CUSTOMERS, customer_stats, transaction_stats, write_table

NAME = "materialization"
ROWS = 1_000_000
FEAST, OURS = "feast", "ours"
KEYS_AT_ONCE = 5_000

log = logging.getLogger("loadtest")


def measure(plan: Plan, cores: Cores, results: Results) -> None:
    """Materialize by each of both, in turn, and compare what is in Redis; then read, without and with a materialization."""
    with workplace() as folder, million(folder) as site:
        digests = set()
        for number_ in range(1, plan.rounds + 1):
            for writer in (FEAST, OURS) if number_ % 2 else (OURS, FEAST):
                measured = once(site, writer, number_, folder)
                results.materialized.append(measured)
                digests.add(measured.digest)
                rate = measured.rows / measured.seconds
                log.info(
                    "round %d, %s: %.1f s, %.0f rows/s, %.0f MiB",
                    number_,
                    writer,
                    measured.seconds,
                    rate,
                    measured.peak_rss / MIB,
                )
        if len(digests) != 1:
            raise BenchmarkError("what Feast and what this writer left in Redis isn't the same")
        beside_materialization.beside(site, plan, cores, folder, results)


@contextmanager
def million(folder: Path) -> Iterator[Site]:
    """The sample repository over files of a million customers, applied, with an empty Redis."""
    random, day = np.random.default_rng(SEED), datetime.now(UTC).date()
    data = folder / "data"
    data.mkdir()
    write_table(customer_stats(random, day, ROWS), data / CUSTOMER_FILE)
    write_table(transaction_stats(random, day, CUSTOMERS), data / TRANSACTION_FILE)
    config = REPO_DIR / LOCAL_CONFIG
    with EmbeddedRedis(folder / "redis", persist=False) as server:
        environment = {
            "FEAST_DATA_URL": str(data),
            "FEAST_LOCAL_DIR": str(folder),
            "FEAST_LOCAL_REDIS_PORT": str(server.port),
        }
        run_child("loadtest.materialize_once", config, Path("apply"), REPO_DIR, environment={**os.environ, **environment})
        yield Site(REPO_DIR, config, environment, server.pid, EXPECTATIONS_DIR)


def once(site: Site, writer: str, round_: int, folder: Path) -> Materialized:
    """One materialization into an empty Redis, in a process of its own; nothing is pinned."""
    client = redis.Redis(port=int(site.environment["FEAST_LOCAL_REDIS_PORT"]))
    client.flushall()
    command = [
        sys.executable,
        "-m",
        "loadtest.materialize_once",
        str(site.config),
        writer,
        *map(datetime.isoformat, interval()),
    ]
    output = folder / f"{writer}.log"
    _, peak_rss = run(["env", *(f"{name}={value}" for name, value in site.environment.items()), *command], output)
    seconds = json.loads(output.read_text().splitlines()[-1])["seconds"]
    return Materialized(writer, round_, ROWS, seconds, peak_rss, _digest(client))


def _digest(client: "redis.Redis") -> str:
    """Of all that Redis holds, whatever the order."""
    keys = sorted(client.scan_iter(count=KEYS_AT_ONCE))
    if len(keys) != ROWS:
        raise BenchmarkError(f"Redis has {len(keys):,} keys, not {ROWS:,}")
    digest = hashlib.sha256()
    for start in range(0, len(keys), KEYS_AT_ONCE):
        part = keys[start : start + KEYS_AT_ONCE]
        with client.pipeline(transaction=False) as pipeline:
            for key in part:
                pipeline.hgetall(key)
            for key, found in zip(part, pipeline.execute(), strict=True):
                digest.update(repr((key, sorted(found.items()))).encode())
    return digest.hexdigest()


def render(results: Results) -> str:
    """Return both as tables; nothing where it wasn't measured."""
    if not results.materialized:
        return ""
    rows = [
        _row(title, [one for one in results.materialized if one.writer == writer])
        for title, writer in (("Feast's own", FEAST), ("this one's", OURS))
    ]
    theirs, ours = (median(one.seconds for one in results.materialized if one.writer == writer) for writer in (FEAST, OURS))
    rows.append(["times", "", f"**{number(theirs / ours)}**", ""])
    header = [f"{ROWS:,} customers x 6 features", "seconds", "rows/s", "memory at its peak, MiB"]
    text = (
        "By Feast's local engine from one parquet file, once with Feast's writer and once with this one; of the process, "
        "without imports, on all cores, at full speed. What is in Redis afterwards was the same, byte for byte."
    )
    parts = ["### Materialization", table(header, rows), text]
    parts += beside_materialization.render(results.beside_materialization)
    return "\n\n".join(parts)


def _row(title: str, runs: Sequence[Materialized]) -> list[str]:
    seconds = median(one.seconds for one in runs)
    return [f"{title} writer", number(seconds), number(ROWS / seconds), number(median(one.peak_rss for one in runs) / MIB)]
