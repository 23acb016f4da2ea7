"""Whether memory grows: our worker's resident memory over very many requests of all sizes of the sample repository."""

import logging
import os
from dataclasses import dataclass, replace
from statistics import linear_regression

from loadtest import wrk
from loadtest.bench import drive, workplace
from loadtest.errors import BenchmarkError
from loadtest.machine import Cores, move_to
from loadtest.markdown import MIB, table
from loadtest.repositories import SAMPLE
from loadtest.scenario import Scenario
from loadtest.servers import Kind, serving

SAMPLES = 10  # over the whole soak
RATE_SECONDS = 2
# Allocators take memory in arenas; less than this between the first tenth and the end is no growth.
GROWTH_LIMIT_MIB = 4.0

log = logging.getLogger("loadtest")


@dataclass(frozen=True, slots=True)
class Sample:
    """Resident memory of the worker, in bytes, after so many requests."""

    requests: int
    worker_rss: int


def soak(requests: int, cores: Cores) -> list[Sample]:
    """Send at least so many requests to our server and return its worker's memory at the start and ten times after."""
    with workplace() as folder, SAMPLE.site(folder / SAMPLE.name) as site:
        move_to(cores.load, os.getpid(), site.redis_pid)
        with serving(Kind.OURS, site, SAMPLE.survey(SAMPLE.ids[:1]), cores.pin_server, folder) as server:
            script = folder / "soak.lua"
            script.write_text(wrk.script(mixed(SAMPLE.scenarios(SAMPLE.ids))))
            at_start = server.usage
            load = drive(server, script, RATE_SECONDS, cores)
            worker = server.usage.busiest_since(at_start)
            samples = [Sample(0, at_start.rss_bytes(worker))]
            answered = load.requests
            while answered < requests:
                wanted = requests * len(samples) // SAMPLES - answered
                load = drive(server, script, max(1, round(wanted / max(load.per_second, 1))), cores)
                answered += load.requests
                samples.append(Sample(answered, server.usage.rss_bytes(worker)))
                log.info("%9d requests: %.1f MiB", answered, samples[-1].worker_rss / MIB)
            if not samples[-1].worker_rss:
                raise BenchmarkError(f"the worker was replaced during the soak\n{server.log_end()}")
    return samples


def mixed(scenarios: list[Scenario]) -> Scenario:
    """Return one scenario with the bodies of several that share method, path and headers."""
    return replace(scenarios[0], name="soak", bodies=tuple(body for s in scenarios for body in s.bodies))


def growth_mib(samples: list[Sample]) -> float:
    """Return by how much memory grew, in MiB, from the first sample under load to the last."""
    return (samples[-1].worker_rss - samples[1].worker_rss) / MIB


def render(samples: list[Sample], date: str, command: str) -> str:
    """Return the samples as Markdown, with what a request leaves behind on average (a line fitted to them)."""
    rows = [[f"{sample.requests:,}", f"{sample.worker_rss / MIB:.1f}"] for sample in samples]
    reads = "reads of 1, 10 and 100 entities mixed, some of them with on-demand features"
    text = f"Measured on {date} UTC by `{command}`: {reads}, 8 connections, one worker."
    loaded = samples[1:]
    verdict = f"From the first sample under load to the last: {growth_mib(samples):+.1f} MiB."
    if len(loaded) > 1:
        slope = linear_regression([s.requests for s in loaded], [s.worker_rss for s in loaded]).slope
        verdict += f" A line through these samples rises by {slope:.2f} bytes a request."
    return f"{text}\n\n{table(['requests answered', 'worker, MiB'], rows)}\n\n{verdict}"
