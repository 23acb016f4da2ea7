"""`feature-pipelines materialize`: the table, JSON, the bar on a terminal, and how it ends."""

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pyarrow as pa
from feast.types import Int64

from tests.servers.waiting import wait_until

from .shelf import END, MOMENT, OURS, START, Shelf, view, visits

PROGRAM = Path(sys.executable).with_name("feature-pipelines")
INTERVAL = ("--start", START.isoformat(), "--end", END.isoformat())


def run(shelf: Shelf, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """The command on ours."""
    command = [PROGRAM, "materialize", "--repo", shelf.ours.folder, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def many(shelf: Shelf, rows: int) -> None:
    """A view with many rows."""
    table = {
        "customer_id": pa.array(range(rows), pa.int64()),
        "x": pa.array(range(rows), pa.int64()),
        "event_timestamp": pa.array([MOMENT] * rows, pa.timestamp("us", "UTC")),
    }
    shelf.apply(view("many", shelf.file("many", table), {"x": Int64}))


def test_a_table_and_json(shelf: Shelf) -> None:
    """A line for each view, in words or for machines; without a terminal there is no bar."""
    shelf.apply(visits(shelf, {1: 10, 2: 20}), visits(shelf, {1: 7}, "others"))
    done = run(shelf, *INTERVAL)
    assert done.returncode == 0, done.stderr
    head, first, second, total = done.stdout.splitlines()
    assert head.split() == ["view", "from", "to", "rows", "seconds"]
    assert first.split()[:6] == ["visits", "2026-01-01", "00:00", "2026-02-01", "00:00", "2"]
    assert second.split()[0] == "others"
    assert total.startswith("3 rows in ")
    assert "rows" not in done.stderr
    done = run(shelf, *INTERVAL, "--view", "others", "--resume", "--json")
    report = json.loads(done.stdout)
    assert [(one["view"], one["skipped"]) for one in report["views"]] == [("others", True)]


def test_what_cant_be_done(shelf: Shelf) -> None:
    """2, and a sentence."""
    shelf.apply(visits(shelf, {1: 10}))
    done = run(shelf, *INTERVAL, "--view", "vists")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("feature-pipelines: ")
    assert done.stderr.endswith("There are visits.\n")
    assert run(shelf, "--start", "yesterday").returncode == 2


def test_a_bar_on_a_terminal_and_an_interrupt(shelf: Shelf) -> None:
    """How far each view is; Ctrl-C ends it as a shell expects, without a trace, and what was written stays."""
    many(shelf, 400_000)
    terminal, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    command = [PROGRAM, "materialize", "--repo", shelf.ours.folder, *INTERVAL]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=end) as process:
        os.close(end)
        shown = b""

        def bar() -> bool:
            nonlocal shown
            try:
                shown += os.read(terminal, 4096)
            except OSError:
                raise AssertionError(f"it ended, having shown {shown!r}") from None
            return b"many: " in shown and b"/400000" in shown

        wait_until(bar, "the bar", 60)
        process.send_signal(signal.SIGINT)
        assert process.wait() == -signal.SIGINT
    os.close(terminal)
    assert b"Traceback" not in shown
    assert shelf.redis(OURS).dbsize() < 400_000
