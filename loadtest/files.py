"""Validating a whole file: `feature-service validate` beside Great Expectations with pandas, time and memory of the process."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Timer

from loadtest.bench import Plan, workplace
from loadtest.errors import BenchmarkError
from loadtest.machine import Cores
from loadtest.markdown import MIB, number, table
from loadtest.records import FileTime
from loadtest.results import Results
from loadtest.sample_files import COLUMNS, FEW_ROWS, FORMATS, ROWS, sample_file
from pipelines.local.layout import EXPECTATIONS_DIR
from pipelines.local.prepare import run_child
from pipelines.local.process import die_with_parent

NAME = "files"
SUITE = "customer_push_suite"
GX, OURS = "Great Expectations, pandas", "feature-service validate"
CHILD_SECONDS = 600.0
PROGRAM = Path(sys.executable).parent / "feature-service"

log = logging.getLogger("loadtest")


def ours(file: Path) -> list[str]:
    """Return the service's command that validates a file."""
    return [str(PROGRAM), "validate", "--expectations", str(EXPECTATIONS_DIR), "--suite", SUITE, str(file)]


def gx(file: Path) -> list[str]:
    """Return the command by which GX does the same."""
    return [sys.executable, "-m", "loadtest.gx_file", str(EXPECTATIONS_DIR / "suites" / f"{SUITE}.json"), str(file)]


COMMANDS: dict[str, Callable[[Path], list[str]]] = {GX: gx, OURS: ours}


def offered() -> bool:
    """Return whether the service has the command."""
    return subprocess.run([PROGRAM, "validate", "--help"], capture_output=True, check=False).returncode == 0


def measure(plan: Plan, cores: Cores, results: Results) -> None:
    """Validate a file of few rows, which shows what starting takes, and one of a million, in each format by each of both."""
    if not offered():
        if plan.scenario == NAME:
            raise BenchmarkError("this feature-service has no command `validate`")
        log.warning("files aren't measured: this feature-service has no command `validate`")
        return
    with workplace() as folder:
        run_child("loadtest.sample_files", folder, environment=dict(os.environ))
        for rows in (FEW_ROWS, ROWS):
            for kind in FORMATS:
                for validator, command in COMMANDS.items():
                    words = command(sample_file(folder, rows, kind))
                    seconds, peak_rss = run([*cores.pin_server, *words], folder / "output.log")
                    results.files.append(FileTime(kind, validator, rows, COLUMNS, seconds, peak_rss))
                    log.info("%9d rows, %-7s by %s: %.1f s, %.0f MiB", rows, kind, validator, seconds, peak_rss / MIB)


def run(command: Sequence[str], output: Path) -> tuple[float, int]:
    """Run a command to its end: seconds, and the peak of its (or its largest child's) resident memory in bytes.

    BenchmarkError, with its output, when it doesn't find the file good.
    """
    began = time.monotonic()
    with output.open("wb") as log_file:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # the terminal's Ctrl-C is ours
            preexec_fn=die_with_parent(),
        )
    timer = Timer(CHILD_SECONDS, process.kill)
    timer.start()
    try:
        # Popen.wait would throw away what the kernel says of the child.
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        process.kill()
        raise
    finally:
        timer.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise BenchmarkError(f"{' '.join(command)} ended with {process.returncode}:\n{output.read_text()[-2000:]}")
    return time.monotonic() - began, usage.ru_maxrss * 1024


def render(results: Results) -> str:
    """Return seconds and memory by file as a table; nothing when it wasn't measured."""
    if not results.files:
        return ""
    rows = [_row(results.files, kind) for kind in FORMATS]
    header = [f"{ROWS:,} rows x {COLUMNS} columns", "GX, s", "ours, s", "times", "GX, MiB", "ours, MiB"]
    starts = ", ".join(f"{name} {number(_found(results.files, FORMATS[0], name, FEW_ROWS).seconds)} s" for name in COMMANDS)
    text = f"From the start of the process to its end, memory at its peak. On a {FORMATS[0]} file of {FEW_ROWS} rows: {starts}."
    return f"### Validating a file\n\n{table(header, rows)}\n\n{text}"


def _row(files: Sequence[FileTime], kind: str) -> list[str]:
    theirs, mine = (_found(files, kind, name, ROWS) for name in (GX, OURS))
    seconds = [number(theirs.seconds), number(mine.seconds), f"**{number(theirs.seconds / mine.seconds)}**"]
    return [kind, *seconds, number(theirs.peak_rss / MIB), number(mine.peak_rss / MIB)]


def _found(files: Sequence[FileTime], kind: str, validator: str, rows: int) -> FileTime:
    return next(one for one in files if (one.file, one.validator, one.rows) == (kind, validator, rows))
