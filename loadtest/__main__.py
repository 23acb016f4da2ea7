"""The command: `python -m loadtest`, which `make bench` runs."""

import argparse
import logging
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from loadtest import arrow, bench, beside, files, machine, markdown, materialization, plot, report, row_wise, soak, validation
from loadtest.bench import Plan
from loadtest.errors import BenchmarkError, MissingToolError
from loadtest.machine import Cores
from loadtest.results import Results, load
from loadtest.servers import Kind
from loadtest.stages import STAGES
from loadtest.wrk import CONNECTIONS
from pipelines.local.prepare import PrepareError
from pipelines.local.redis import RedisUnavailableError

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "performance.md"
RAW = ROOT / ".local" / "bench"
QUICK = Plan(rounds=1, warm_up_seconds=1, seconds=2)
SCENARIOS = [name for stage in STAGES for name in stage.scenarios]
# What is measured beside the scenarios of both servers.
PARTS = {part.NAME: part.measure for part in (row_wise, arrow, beside, validation, files, materialization)}
FAILED, MISSING, INTERRUPTED = 1, 2, 130

log = logging.getLogger("loadtest")


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(
        prog="python -m loadtest",
        description="Compare stock Feast's feature server with this one: same core, same data, same requests.",
        epilog="Only a whole run writes docs/performance.md of itself; a partial one needs --output.",
    )
    parser.add_argument("--quick", action="store_true", help="one round of 2 s a scenario: a look, not a result")
    parser.add_argument("--rounds", type=int, metavar="N", help=f"rounds of both servers in turn ({Plan().rounds})")
    parser.add_argument(
        "--scenario",
        metavar="NAME",
        choices=[*SCENARIOS, *PARTS],
        help=f"only this one: {', '.join([*SCENARIOS, *PARTS])} (entities x features, rows of a push)",
    )
    parser.add_argument("--only", type=Kind, choices=list(Kind), help="measure one server alone; compares nothing")
    parser.add_argument("--soak", type=int, metavar="N", help="instead: our worker's memory over N requests")
    parser.add_argument("--render", type=Path, metavar="JSON", help="instead: write the page of an earlier run again")
    parser.add_argument("--output", type=Path, metavar="FILE", help="the page to write, its picture beside it")
    options = parser.parse_args(arguments)
    options.command = " ".join(["python -m loadtest", *_shown(arguments)])
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code: 1 for a failed benchmark, 2 when a program is missing."""
    options = parse_arguments(sys.argv[1:] if arguments is None else arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        if options.render:
            publish(load(options.render), options.output or PAGE)
            return 0
        machine.check_tools()
        cores = machine.choose_cores()
        if cores.load is None:
            log.warning("only one core to run on: nothing is pinned, and the numbers say little")
        return run_soak(options, cores) if options.soak else run_bench(options, cores)
    except MissingToolError as error:
        log.error("%s", error)
        return MISSING
    except (BenchmarkError, PrepareError, RedisUnavailableError) as error:
        log.error("%s: %s", type(error).__name__, error)
        return FAILED
    except KeyboardInterrupt:
        log.error("stopped")
        return INTERRUPTED


def run_bench(options: argparse.Namespace, cores: Cores) -> int:
    """Measure, keep the raw results, print the report, and write it to its page."""
    plan = _plan(options)
    results = Results(date=_now(), command=options.command, machine=machine.describe(cores))
    results.machine["runs"] = (
        f"{CONNECTIONS} connections, rounds: {plan.rounds}, each with {plan.warm_up_seconds} s of warm-up and "
        f"{plan.seconds} s of measuring a scenario, a fresh server a round"
    )
    measure(plan, cores, results)
    log.info("raw results: %s", _relative(results.save(RAW)))
    print(report.render(results, plot=None))
    partial = options.quick or options.scenario or options.only
    if options.output or not partial:
        publish(results, options.output or PAGE)
    return 0


def measure(plan: Plan, cores: Cores, results: Results) -> None:
    """Measure what the plan wants: scenarios of both servers, then the other parts. One server alone has only scenarios."""
    if plan.scenario not in PARTS:
        bench.measure(plan, cores, results)
    for name, part in PARTS.items():
        if plan.scenario == name or (plan.scenario is None and plan.only is None):
            part(plan, cores, results)


def publish(results: Results, page: Path) -> None:
    """Write the report into a page and the picture beside it."""
    picture = page.with_suffix(".svg")
    drawn = plot.draw(results, picture)
    markdown.put_between(page, "bench", report.render(results, picture.name if drawn else None))
    log.info("written: %s", _relative(page))


def run_soak(options: argparse.Namespace, cores: Cores) -> int:
    """Measure memory over many requests and write it to its page; exit code 1 when it grew."""
    samples = soak.soak(options.soak, cores)
    text = soak.render(samples, _now(), options.command)
    print(text)
    markdown.put_between(options.output or PAGE, "soak", text)
    if soak.growth_mib(samples) > soak.GROWTH_LIMIT_MIB:
        log.error("memory grew by more than %.0f MiB", soak.GROWTH_LIMIT_MIB)
        return FAILED
    return 0


def _plan(options: argparse.Namespace) -> Plan:
    base = QUICK if options.quick else Plan()
    return Plan(options.rounds or base.rounds, base.warm_up_seconds, base.seconds, options.only, options.scenario)


def _shown(arguments: Sequence[str]) -> list[str]:
    """Return the arguments that say how it was measured: not where the page was written."""
    shown = list(arguments)
    if "--output" in shown:
        del shown[shown.index("--output") : shown.index("--output") + 2]
    return [argument for argument in shown if not argument.startswith("--output=")]


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _relative(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: everything started is stopped
    sys.exit(main())
