"""The benchmark, start to end: fill Redis, compare the answers, then measure both servers in turn, round by round."""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from loadtest import wrk
from loadtest.answers import Comparison
from loadtest.errors import AnswersDifferError, BenchmarkError, ServerFailedError
from loadtest.machine import Cores, move_to
from loadtest.repositories import REPOSITORIES, Repository
from loadtest.results import Checked, Results, Run, Start
from loadtest.scenario import SEED, Scenario
from loadtest.servers import Kind, Server, Site, serving

CHECKED_BODIES = 16  # a scenario
OTHER_IDS = 100  # expired, incomplete and absent ones, to show where the servers differ

log = logging.getLogger("loadtest")


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure, and for how many seconds a run; `only` None means both servers, `scenario` None all of them."""

    rounds: int = 3
    warm_up_seconds: int = 2
    seconds: int = 10
    only: Kind | None = None
    scenario: str | None = None

    @property
    def servers(self) -> tuple[Kind, ...]:
        """Return the servers to measure."""
        return (self.only,) if self.only else tuple(Kind)


@dataclass(frozen=True, slots=True)
class Stage:
    """A repository that is ready to be served, with its scenarios."""

    repository: Repository
    site: Site
    scenarios: list[Scenario]


def measure(plan: Plan, cores: Cores, results: Results) -> None:
    """Run the whole plan and put what is found into the results; BenchmarkError ends it early. Stops all it starts."""
    with workplace() as folder, ExitStack() as sites:
        stages = []
        for repository in REPOSITORIES:
            if any(wanted(scenario, plan) for scenario in repository.scenarios(repository.ids)):
                log.info("%s: applying the definitions and filling Redis", repository.name)
                site = sites.enter_context(repository.site(folder / repository.name))
                stages.append(compare_servers(Stage(repository, site, []), plan, folder, results))
        if not stages:
            names = [scenario.name for repository in REPOSITORIES for scenario in repository.scenarios(repository.ids)]
            raise BenchmarkError(f"there is no scenario {plan.scenario!r}, only {', '.join(names)}")
        move_to(cores.load, os.getpid(), *(stage.site.redis_pid for stage in stages))
        for number in range(1, plan.rounds + 1):
            turn = plan.servers if number % 2 else plan.servers[::-1]
            for stage in stages:
                for kind in turn:
                    measure_server(kind, stage, number, plan, cores, folder, results)


@contextmanager
def workplace() -> Iterator[Path]:
    """Give a temporary folder with a folder for each repository, for as long as the block runs."""
    with TemporaryDirectory(prefix="loadtest-") as folder:
        for repository in REPOSITORIES:
            (Path(folder) / repository.name).mkdir()
        yield Path(folder)


def wanted(scenario: Scenario, plan: Plan) -> bool:
    """Return whether the plan measures this scenario."""
    return plan.scenario in (None, scenario.name)


def compare_servers(stage: Stage, plan: Plan, folder: Path, results: Results) -> Stage:
    """Start both servers, find the entities that are alive and compare all scenarios' answers.

    Return the stage with its scenarios; AnswersDifferError when there is any difference.
    """
    repository = stage.repository
    with ExitStack() as stack:
        first = repository.survey(repository.ids[:1])
        servers = [stack.enter_context(serving(kind, stage.site, first, (), folder)) for kind in plan.servers]
        alive = repository.alive(servers[0])
        log.info(
            "%s: %d of %d entities are complete and within their ttl",
            repository.name,
            len(alive),
            len(repository.ids),
        )
        scenarios = [scenario for scenario in repository.scenarios(alive) if wanted(scenario, plan)]
        for scenario in scenarios:
            compared = compare(scenario, servers, CHECKED_BODIES)
            results.scenarios.append(Checked(scenario.name, scenario.title, repository.name, scenario.target, compared))
            if compared and not compared.same:
                raise AnswersDifferError(f"{scenario.name}: the answers differ, so speeds can't be compared: {compared}")
        if others := compare(repository.survey(other_ids(repository, alive)), servers, 1):
            results.others[repository.name] = others
    return replace(stage, scenarios=scenarios)


def compare(scenario: Scenario, servers: Sequence[Server], bodies: int) -> Comparison | None:
    """Ask both servers for the same bodies and return what differs; None when there is only one server."""
    if len(servers) < 2:
        return None
    stock, ours = servers
    sample = Random(SEED).sample(scenario.bodies, min(bodies, len(scenario.bodies)))
    return reduce(add, (scenario.check(stock.ask(scenario, b), ours.ask(scenario, b)) for b in sample))


def other_ids(repository: Repository, alive: Sequence[int]) -> list[int]:
    """Return ids whose values are in part expired or null, and as many that were never stored: at most 100."""
    unfit = sorted(set(repository.ids).difference(alive))[: OTHER_IDS // 2]
    absent = range(repository.ids.stop, repository.ids.stop + OTHER_IDS // 2)
    return [*unfit, *absent]


def measure_server(kind: Kind, stage: Stage, number: int, plan: Plan, cores: Cores, folder: Path, results: Results) -> None:
    """Start a server, run its scenarios one after the other, stop it; adds one Start and a Run a scenario."""
    with serving(kind, stage.site, stage.scenarios[0], cores.pin_server, folder) as server:
        at_start = server.usage
        for scenario in stage.scenarios:
            script = folder / f"{scenario.name}.lua"
            script.write_text(wrk.script(scenario))
            drive(server, script, plan.warm_up_seconds, cores)
            before = server.settle()
            load = drive(server, script, plan.seconds, cores)
            after = server.settle()
            if not load.requests:
                raise ServerFailedError(f"{kind}, {scenario.name}: not one answer in {plan.seconds} s")
            worker = after.busiest_since(at_start)
            if scenario is stage.scenarios[0]:
                memory = at_start.rss_bytes(worker), at_start.pss_bytes
                results.starts.append(Start(kind, stage.repository.name, number, server.start_seconds, *memory))
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
            )
            results.runs.append(run)
            log.info(
                "round %d, %-5s %7s: %9.1f requests/s, %8.1f us CPU a request",
                *(number, kind, scenario.name, load.per_second, run.cpu_us_per_request),
            )


def drive(server: Server, script: Path, seconds: int, cores: Cores) -> wrk.Load:
    """Put load on a server for some seconds; ServerFailedError with the scenario and its log when a request failed."""
    try:
        load = wrk.run(script, server.port, seconds, cores.pin_load)
    except BenchmarkError as error:
        raise type(error)(f"{server.kind}, {script.stem}: {error}\n{server.log_end()}") from error
    server.check_alive()
    return load
