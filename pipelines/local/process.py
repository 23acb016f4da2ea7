"""Child processes that never outlive their parent, and the record of who runs."""

import contextlib
import ctypes
import fcntl
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

PR_SET_PDEATHSIG = 1  # linux/prctl.h
LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
END_SECONDS = 20.0
POLL_SECONDS = 0.05


def die_with_parent(signal_number: int = signal.SIGTERM) -> Callable[[], None]:
    """Return a `preexec_fn` that has the kernel signal the child when its parent dies, `kill -9` included.

    Linux only (elsewhere it does nothing). The parent is the *thread* that starts the child: start children from a
    thread that lives as long as they should.
    """
    parent = os.getpid()

    def in_child() -> None:
        if LIBC is None:
            return
        LIBC.prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
        if os.getppid() != parent:  # it died before prctl was in force
            os._exit(1)

    return in_child


def start_time(pid: int) -> str | None:
    """Return the kernel's start time of a process in clock ticks since boot, or None when there is no such process.

    Field 22 of /proc/<pid>/stat, counted after the command name, which may itself hold spaces and parentheses.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def end_process(pid: int, started: str, seconds: float = END_SECONDS) -> None:
    """Send SIGTERM to that very process, and SIGKILL when it still runs after `seconds`; a reused pid is left alone."""
    deadline = time.monotonic() + seconds
    with contextlib.suppress(ProcessLookupError):
        if start_time(pid) == started:
            os.kill(pid, signal.SIGTERM)
        while start_time(pid) == started:
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
            time.sleep(POLL_SECONDS)


class AlreadyRunningError(RuntimeError):
    """Another live process holds the run file; `pid` is its process id, as far as the file tells."""

    def __init__(self, pid: int | None) -> None:
        """Keep the pid."""
        super().__init__(f"process {pid} runs already")
        self.pid = pid


class RunFile:
    """A file that one process at a time holds, by a kernel lock that ends with it, and that names its children.

    A line is `name pid start-time`; the start time tells a live child from another process that got its number.
    """

    def __init__(self, path: Path) -> None:
        """Take the lock; AlreadyRunningError when another process has it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: TextIO = path.open("a+")
        self._file.seek(0)
        # What an earlier run wrote: (name, pid, start time), its own entry first.
        entries = re.findall(r"^(\S+) (\d+) (\d+)$", self._file.read(), re.MULTILINE)
        self.earlier = [(name, int(pid), started) for name, pid, started in entries]
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise AlreadyRunningError(self.earlier[0][1] if self.earlier else None) from None

    def end_leftovers(self) -> list[str]:
        """End what a killed run left running and return its names, then record this process."""
        ended = [name for name, pid, started in self.earlier if start_time(pid) == started]
        for _, pid, started in self.earlier:
            end_process(pid, started)
        self._file.truncate(0)
        self.record("serve", os.getpid())
        return ended

    def record(self, name: str, pid: int) -> None:
        """Add a process that this one started."""
        self._file.write(f"{name} {pid} {start_time(pid)}\n")
        self._file.flush()

    def release(self) -> None:
        """Empty the file and let go of the lock: everything has been stopped."""
        self._file.truncate(0)
        self._file.close()
