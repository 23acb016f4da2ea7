"""The benchmark at both servers: compare what they do, then measure them in turn, round by round."""

import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from loadtest import procstat, wrk
from loadtest.errors import BenchmarkError, ServerFailedError
from loadtest.machine import Cores, move_to
from loadtest.records import Run, Start
from loadtest.results import Results
from loadtest.servers import Kind, Server, serving
from loadtest.stage import Stage, StageKind
from loadtest.stages import STAGES

log = logging.getLogger("loadtest")


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure, and for how many seconds a run; `only` None means both servers, `scenario` None everything."""

    rounds: int = 3
    warm_up_seconds: int = 2
    seconds: int = 10
    only: Kind | None = None
    scenario: str | None = None

    @property
    def servers(self) -> tuple[Kind, ...]:
        """Return the servers to measure."""
        return (self.only,) if self.only else tuple(Kind)

    def wants(self, name: str) -> bool:
        """Return whether a scenario, or another part of the benchmark, is to be measured."""
        return self.scenario in (None, name)


def measure(plan: Plan, cores: Cores, results: Results) -> None:
    """Measure all scenarios of the plan and put what is found into the results; BenchmarkError ends it early.

    Stops all that it starts.
    """
    with workplace() as folder, ExitStack() as sites:
        stages = []
        for kind in STAGES:
            if any(map(plan.wants, kind.scenarios)):
                stage = sites.enter_context(opened(kind, folder))
                compare_servers(stage, plan, folder, results)
                stages.append(stage)
        move_to(cores.load, os.getpid(), *(stage.site.redis_pid for stage in stages))
        for number in range(1, plan.rounds + 1):
            turn = plan.servers if number % 2 else plan.servers[::-1]
            for stage in stages:
                for server in turn:
                    measure_server(server, stage, number, plan, cores, folder, results)


@contextmanager
def workplace() -> Iterator[Path]:
    """Give a temporary folder for as long as the block runs."""
    with TemporaryDirectory(prefix="loadtest-") as folder:
        yield Path(folder)


@contextmanager
def opened(kind: StageKind, folder: Path) -> Iterator[Stage]:
    """Make a stage in a folder of its own."""
    log.info("%s: applying the definitions and filling Redis", kind.name)
    (folder / kind.name).mkdir()
    with kind.opened(folder / kind.name) as stage:
        yield stage


def compare_servers(stage: Stage, plan: Plan, folder: Path, results: Results) -> None:
    """Start the servers together and have the stage compare them."""
    with ExitStack() as stack:
        servers = [stack.enter_context(serving(kind, stage.site, stage.first, (), folder)) for kind in plan.servers]
        stage.compare(servers, plan.wants, results)


def measure_server(kind: Kind, stage: Stage, number: int, plan: Plan, cores: Cores, folder: Path, results: Results) -> None:
    """Start a server, run its scenarios one after the other, stop it; adds one Start and a Run a scenario."""
    with serving(kind, stage.site, stage.first, cores.pin_server, folder) as server:
        at_start = server.usage
        for scenario in stage.scenarios:
            script = folder / f"{scenario.name}.lua"
            script.write_text(wrk.script(scenario))
            drive(server, script, plan.warm_up_seconds, cores)
            before, redis_before = server.settle(), procstat.tree(stage.site.redis_pid)
            load = drive(server, script, plan.seconds, cores)
            after, redis_after = server.settle(), procstat.tree(stage.site.redis_pid)
            if not load.requests:
                raise ServerFailedError(f"{kind}, {scenario.name}: not one answer in {plan.seconds} s")
            worker = after.busiest_since(at_start)
            if scenario is stage.scenarios[0]:
                memory = at_start.rss_bytes(worker), at_start.pss_bytes
                results.starts.append(Start(kind, stage.name, number, server.start_seconds, *memory))
            run = Run(
                server=kind,
                scenario=scenario.name,
                round=number,
                requests=load.requests,
                seconds=load.seconds,
                p50_us=load.p50_us,
                p99_us=load.p99_us,
                cpu_us=after.cpu_us - before.cpu_us,
                worker_rss=after.rss_bytes(worker),
                tree_pss=after.pss_bytes,
                under_way=wrk.CONNECTIONS,
                redis_us=redis_after.cpu_us - redis_before.cpu_us,
            )
            results.runs.append(run)
            log.info(
                "round %d, %-5s %9s: %9.1f requests/s, %8.1f us CPU a request",
                *(number, kind, scenario.name, load.per_second, run.cpu_us_per_request),
            )
            stage.inspect(server, scenario, number, load, results)


def drive(server: Server, script: Path, seconds: int, cores: Cores, connections: int = wrk.CONNECTIONS) -> wrk.Load:
    """Put load on a server for some seconds; ServerFailedError with the scenario and its log when a request failed."""
    try:
        load = wrk.run(script, server.port, seconds, cores.pin_load, connections)
    except BenchmarkError as error:
        raise type(error)(f"{server.kind}, {script.stem}: {error}\n{server.log_end()}") from error
    server.check_alive()
    return load
