"""Reads of ours while pushes arrive: the p99 of a closed loop of reads, without and with an open-loop stream of pushes."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

import msgspec

from loadtest import wrk
from loadtest.bench import Plan, drive, workplace
from loadtest.errors import BenchmarkError, ServerFailedError
from loadtest.machine import Cores, move_to
from loadtest.markdown import number, table, verdict
from loadtest.producer import Stream
from loadtest.records import Beside
from loadtest.repositories import SAMPLE
from loadtest.results import Results
from loadtest.servers import Kind, Server, serving
from pipelines.local.process import die_with_parent

NAME = "reads-beside-pushes"
READS = "10x12"
READ_CONNECTIONS = 4  # moderate: the server is busy, but few reads wait for others
READS_TITLE = f"10 entities x 12 features, {READ_CONNECTIONS} connections"
PUSHES_PER_SECOND, ROWS = 200, 10
AT_MOST = 2.0  # times the p99 without pushes
PRODUCER_SECONDS = 60.0

log = logging.getLogger("loadtest")


def measure(plan: Plan, cores: Cores, results: Results) -> None:
    """Measure reads alone and beside pushes in changing order, both on one fresh server a round."""
    with workplace() as folder, SAMPLE.site(folder / SAMPLE.name) as site:
        move_to(cores.load, os.getpid(), site.redis_pid)
        reads = next(scenario for scenario in SAMPLE.scenarios(SAMPLE.ids) if scenario.name == READS)
        script = folder / f"{READS}.lua"
        script.write_text(wrk.script(reads))
        for number in range(1, plan.rounds + 1):
            with serving(Kind.OURS, site, reads, cores.pin_server, folder) as server:
                for with_pushes in (False, True) if number % 2 else (True, False):
                    run = measure_reads(server, script, number, plan, cores, with_pushes=with_pushes)
                    results.beside.append(run)
                    log.info(
                        "round %d, reads %s: p99 %.2f ms, %d pushes answered",
                        *(number, "beside pushes" if with_pushes else "alone", run.p99_us / 1000, run.pushes),
                    )


def measure_reads(server: Server, script: Path, number: int, plan: Plan, cores: Cores, *, with_pushes: bool) -> Beside:
    """Measure reads once; ServerFailedError when one pushed row wasn't written."""
    if not with_pushes:
        drive(server, script, plan.warm_up_seconds, cores, READ_CONNECTIONS)
        load = drive(server, script, plan.seconds, cores, READ_CONNECTIONS)
        return Beside(number, load.requests, load.seconds, load.p50_us, load.p99_us)
    with producing(server, cores) as streams:
        drive(server, script, plan.warm_up_seconds, cores, READ_CONNECTIONS)
        load = drive(server, script, plan.seconds, cores, READ_CONNECTIONS)
    pushes, p99_us = judge(streams[0])
    return Beside(number, load.requests, load.seconds, load.p50_us, load.p99_us, pushes, p99_us)


@contextmanager
def producing(server: Server, cores: Cores) -> Iterator[list[Stream]]:
    """Send a stream of pushes until the block ends; then what it found is in the list."""
    found: list[Stream] = []
    command = [sys.executable, "-m", "loadtest.producer", str(server.port), str(PUSHES_PER_SECOND), str(ROWS)]
    with subprocess.Popen(
        [*cores.pin_load, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=die_with_parent(),
    ) as process:
        try:
            if process.stdout is None or process.stdout.readline() != b"begun\n":
                raise BenchmarkError(f"the producer of pushes did not begin\n{server.log_end()}")
            yield found
            said, _ = process.communicate(timeout=PRODUCER_SECONDS)
        finally:
            process.terminate()
    if process.returncode:
        raise BenchmarkError(f"the producer of pushes ended with {process.returncode}")
    found.append(msgspec.json.decode(said, type=Stream))


def judge(stream: Stream) -> tuple[int, int]:
    """Return how many pushes there were and their p99 in microseconds; ServerFailedError if not every row was written."""
    if stream.due < 2 or stream.written != stream.due * ROWS:
        raise ServerFailedError(
            f"of the rows of {stream.due} pushes {stream.written:,} were written, not {stream.due * ROWS:,}; "
            f"answers by status (0: none): {stream.statuses}"
        )
    return stream.due, round(quantiles(stream.latencies_us, n=100)[98])


def render(results: Results) -> str:
    """Return the medians of both as a table, and what the stream was; nothing when it wasn't measured."""
    alone = [run for run in results.beside if not run.pushes]
    beside = [run for run in results.beside if run.pushes]
    if not alone or not beside:
        return ""

    def row(title: str, runs: Sequence[Beside]) -> list[str]:
        per_second = median(run.requests / run.seconds for run in runs)
        latencies = (median(getattr(run, which) for run in runs) / 1000 for which in ("p50_us", "p99_us"))
        return [title, number(per_second), *map(number, latencies)]

    times = median(run.p99_us for run in beside) / median(run.p99_us for run in alone)
    rows = [row("alone", alone), row(f"while {PUSHES_PER_SECOND} pushes/s of {ROWS} rows arrive", beside)]
    rows.append(["times", "", "", f"**{number(times)}**"])
    header = [f"reads of this service, {READS_TITLE}", "requests/s", "p50, ms", "p99, ms"]
    pushed_ms = number(median(run.pushes_p99_us for run in beside) / 1000)
    text = (
        f"The aim is a p99 of less than {AT_MOST:g} times that without pushes: {verdict(times < AT_MOST)}. All rows of "
        f"{sum(run.pushes for run in beside):,} pushes were written, 99% of the pushes answered within {pushed_ms} ms of the "
        "moment at which they were due."
    )
    return f"### Reads beside pushes\n\n{table(header, rows)}\n\n{text}"
