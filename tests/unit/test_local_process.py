"""Run files, leftovers and taken ports."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.local.ports import listener, refusal
from pipelines.local.process import AlreadyRunningError, RunFile, end_process, start_time

HOLDER = """
import sys, time
from pathlib import Path
from pipelines.local.process import RunFile

run = RunFile(Path(sys.argv[1]))
run.end_leftovers()
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """Yield a child that runs until it is ended."""
    with subprocess.Popen(["sleep", "600"]) as child:
        yield child
        child.kill()


def test_one_process_at_a_time_holds_a_run_file(tmp_path: Path) -> None:
    """A second process is refused with the pid of the first, and let in when the first was killed."""
    path = tmp_path / "run"
    with subprocess.Popen([sys.executable, "-c", HOLDER, path], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        try:
            with pytest.raises(AlreadyRunningError) as refused:
                RunFile(path)
            assert refused.value.pid == holder.pid
        finally:
            holder.kill()
    run = RunFile(path)
    assert run.end_leftovers() == []
    run.release()


def test_leftovers_of_a_killed_run_are_ended(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    """A child that is recorded and still runs is ended and named."""
    path = tmp_path / "run"
    path.write_text(f"service {sleeper.pid} {start_time(sleeper.pid)}\n")
    run = RunFile(path)
    assert run.end_leftovers() == ["service"]
    assert sleeper.wait() != 0
    run.release()
    assert path.read_text() == ""


def test_a_reused_pid_is_left_alone(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    """The start time tells that a process is not the recorded one."""
    path = tmp_path / "run"
    path.write_text(f"service {sleeper.pid} 1\n")
    run = RunFile(path)
    assert run.end_leftovers() == []
    assert sleeper.poll() is None
    run.release()


def test_garbage_in_a_run_file_is_ignored(tmp_path: Path) -> None:
    """A half-written line names nobody."""
    path = tmp_path / "run"
    path.write_text("service 12\n\x00\x00 redis")
    run = RunFile(path)
    assert run.earlier == []
    run.release()


def test_a_process_that_ignores_sigterm_is_killed() -> None:
    """After its time, SIGKILL."""
    stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        started = start_time(child.pid)
        assert started is not None
        end_process(child.pid, started, seconds=0.1)
        assert child.wait() == -9


def test_a_free_port_is_not_refused() -> None:
    """A port that was closed a moment ago is free, connections in TIME_WAIT or not."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            accepted, _ = server.accept()
            accepted.close()
    assert refusal(port) is None


def test_a_taken_port_names_who_has_it() -> None:
    """The sentence holds port, pid and command."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        sentence = refusal(port)
    assert sentence is not None
    assert f"port {port} is taken by process {os.getpid()} (" in sentence


def test_nobody_listens_on_a_closed_port() -> None:
    """No listener, no pid."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert listener(port) == os.getpid()
    assert listener(port) is None


def test_a_gone_process_has_no_start_time(sleeper: subprocess.Popen[bytes]) -> None:
    """None once it is a zombie, and once it is reaped."""
    assert start_time(sleeper.pid) is not None
    sleeper.kill()
    deadline = time.monotonic() + 20
    while start_time(sleeper.pid) is not None:
        assert time.monotonic() < deadline
    sleeper.wait()
    assert start_time(sleeper.pid) is None
