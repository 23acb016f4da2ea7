"""Validation alone, without HTTP and Redis: a compiled suite beside Great Expectations, each in a process of its own."""

import logging
import subprocess
import sys
from collections.abc import Sequence

import msgspec

from loadtest.bench import Plan
from loadtest.errors import AnswersDifferError, BenchmarkError
from loadtest.machine import Cores
from loadtest.markdown import number, table, verdict
from loadtest.records import SuiteTime
from loadtest.results import Results
from loadtest.time_suite import COMPILED, GX, Timing

NAME = "validation"
AIMS_MS = {1: 0.05, 1000: 2.0}  # rows: what the compiled suite may take
CHILD_SECONDS = 300.0

log = logging.getLogger("loadtest")


def measure(_: Plan, cores: Cores, results: Results) -> None:
    """Time both for each number of rows; AnswersDifferError when their verdicts aren't the same."""
    for rows in AIMS_MS:
        compiled, gx = (timed(which, rows, cores.pin_server) for which in (COMPILED, GX))
        if compiled.verdicts != gx.verdicts:
            raise AnswersDifferError(f"{rows} rows: the compiled suite says {compiled.verdicts}, GX {gx.verdicts}")
        results.suites.append(SuiteTime(rows, len(gx.verdicts), compiled.milliseconds, gx.milliseconds))
        log.info("%4d rows validated: compiled %.3f ms, GX %.1f ms", rows, compiled.milliseconds, gx.milliseconds)


def timed(which: str, rows: int, pin: Sequence[str]) -> Timing:
    """Run the child that times one of them; `pin` goes before the command."""
    command = [*pin, sys.executable, "-m", "loadtest.time_suite", which, str(rows)]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, timeout=CHILD_SECONDS, check=False, start_new_session=True
    )
    if done.returncode:
        raise BenchmarkError(f"timing the suite ({which}) failed:\n{done.stderr.decode(errors='replace')[-2000:]}")
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Timing)


def render(results: Results) -> str:
    """Return both times, their ratio and the aim as a table; nothing when it wasn't measured."""
    if not results.suites:
        return ""
    rows = [_row(found) for found in results.suites]
    header = ["one validation", "GX, ms", "compiled, ms", "times", "to reach, ms"]
    return f"### Validation alone\n\n{table(header, rows)}"


def _row(found: SuiteTime) -> list[str]:
    title = f"{found.rows:,} {'row' if found.rows == 1 else 'rows'} x {found.expectations} expectations"
    times = found.gx_ms / found.compiled_ms
    aim = AIMS_MS.get(found.rows)
    said = f"{aim:g}: {verdict(found.compiled_ms < aim)}" if aim else ""
    return [title, number(found.gx_ms), number(found.compiled_ms), f"**{number(times)}**", said]
