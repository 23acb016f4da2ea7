"""What the tag `row_wise: "true"` brings a pandas view: the rows of requests in flight together go through one call.

Two repositories that differ in this tag alone, our server, and reads over few and many connections.
"""

import logging
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from loadtest import wrk
from loadtest.bench import Plan, drive, workplace
from loadtest.errors import BenchmarkError
from loadtest.machine import Cores, move_to
from loadtest.markdown import number, table, verdict
from loadtest.on_demand import PANDAS, scenario_name
from loadtest.records import RowWise
from loadtest.repositories import SAMPLE, sample_site
from loadtest.results import Results
from loadtest.servers import Kind, Server, serving
from pipelines.local.layout import REPO_DIR

NAME = "row-wise"
READS = scenario_name(PANDAS, 1)
CONNECTIONS = (8, 64)
AT_LEAST = 3.0  # times the requests/s, and times less CPU
TAG = ', "row_wise": "true"'
DEFINITIONS = "features.py"

log = logging.getLogger("loadtest")


def measure(plan: Plan, cores: Cores, results: Results) -> None:
    """Measure both repositories in changing order, a fresh server each time."""
    with workplace() as folder:
        plain = untagged(REPO_DIR, folder / "definitions")
        with sample_site(folder / "tagged") as with_tag, sample_site(folder / "untagged", plain) as without:
            move_to(cores.load, os.getpid(), with_tag.redis_pid, without.redis_pid)
            reads = next(scenario for scenario in SAMPLE.scenarios(SAMPLE.ids) if scenario.name == READS)
            script = folder / f"{READS}.lua"
            script.write_text(wrk.script(reads))
            sites = {False: without, True: with_tag}
            for round_number in range(1, plan.rounds + 1):
                for tagged in sorted(sites, reverse=round_number % 2 == 0):
                    with serving(Kind.OURS, sites[tagged], reads, cores.pin_server, folder) as server:
                        for connections in CONNECTIONS:
                            run = measure_reads(server, script, connections, round_number, plan, cores, tagged=tagged)
                            results.row_wise.append(run)


def measure_reads(
    server: Server, script: Path, connections: int, round_number: int, plan: Plan, cores: Cores, *, tagged: bool
) -> RowWise:
    """Measure reads over so many connections once."""
    drive(server, script, plan.warm_up_seconds, cores, connections)
    before = server.settle()
    load = drive(server, script, plan.seconds, cores, connections)
    cpu_us = server.settle().cpu_us - before.cpu_us
    run = RowWise(tagged, connections, round_number, load.requests, load.seconds, load.p50_us, load.p99_us, cpu_us)
    log.info(
        "round %d, %s the tag, %2d connections: %9.1f requests/s, %8.1f us CPU a request",
        *(round_number, "with" if tagged else "without", connections, run.per_second, run.cpu_us_per_request),
    )
    return run


def untagged(repository: Path, folder: Path) -> Path:
    """Copy a repository without the tag; BenchmarkError when it isn't there exactly once. Returns the folder."""
    shutil.copytree(repository, folder, ignore=shutil.ignore_patterns("__pycache__"))
    definitions = folder / DEFINITIONS
    text = definitions.read_text()
    if text.count(TAG) != 1:
        raise BenchmarkError(f"{repository / DEFINITIONS} has {TAG!r} {text.count(TAG)} times, not once")
    definitions.write_text(text.replace(TAG, ""))
    return folder


def render(results: Results) -> str:
    """Return the medians without and with the tag by connections, and the ratios; nothing when it wasn't measured."""
    if not results.row_wise:
        return ""
    header = ["1 entity x (4 + 2) features, pandas, without the tag → with it", "requests/s", "p50, ms", "p99, ms"]
    header += ["CPU, us a request", "requests/s, times", "CPU, times", "to reach"]
    rows = [_row(connections, results.row_wise) for connections in CONNECTIONS]
    text = 'The same view at this service, tagged `row_wise: "true"` and not: what the promise is worth.'
    return f"### Rows of several requests in one call\n\n{table(header, rows)}\n\n{text}"


def _row(connections: int, runs: Sequence[RowWise]) -> list[str]:
    def medians(what: Callable[[RowWise], float]) -> tuple[float, float]:
        without, tagged = (
            median(what(run) for run in runs if run.tagged is tagged and run.connections == connections)
            for tagged in (False, True)
        )
        return without, tagged

    per_second = medians(lambda run: run.per_second)
    cpu_us = medians(lambda run: run.cpu_us_per_request)
    latencies = (medians(lambda run: run.p50_us / 1000), medians(lambda run: run.p99_us / 1000))
    ratios = per_second[1] / per_second[0], cpu_us[0] / cpu_us[1]
    return [
        f"{connections} connections",
        *(" → ".join(map(number, pair)) for pair in (per_second, *latencies, cpu_us)),
        *(f"**{number(ratio)}**" for ratio in ratios),
        f"{AT_LEAST:g}: {verdict(min(ratios) >= AT_LEAST)}",
    ]
