"""The machine: what must be installed, which cores are used, and a description without names of hosts or people."""

import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from loadtest.errors import MissingToolError
from pipelines.local.redis import find_redis_server

TOOLS = {"wrk": "wrk", "taskset": "util-linux"}  # program: Debian's and Ubuntu's package
SIBLINGS = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
VERSION = re.compile(r"\d+(\.\d+)+")


@dataclass(frozen=True, slots=True)
class Cores:
    """The core of the servers, and that of Redis, wrk and the benchmark itself; both None when there is only one."""

    server: int | None
    load: int | None

    @property
    def pin_server(self) -> list[str]:
        """What goes before a server's command."""
        return [] if self.server is None else ["taskset", "-c", str(self.server)]

    @property
    def pin_load(self) -> list[str]:
        """What goes before the load generator's command."""
        return [] if self.load is None else ["taskset", "-c", str(self.load)]

    def __str__(self) -> str:
        """Say it for the report."""
        if self.server is None:
            return "one core only, nothing pinned: server, Redis and wrk take time from each other"
        return "server on one core, Redis and wrk on another"


def check_tools() -> None:
    """Raise MissingToolError, which says what to install, when wrk or taskset isn't on PATH."""
    missing = [package for program, package in TOOLS.items() if not shutil.which(program)]
    if missing:
        raise MissingToolError(
            f"the benchmark needs {' and '.join(p for p in TOOLS if not shutil.which(p))}; "
            f"on Debian and Ubuntu: apt-get install {' '.join(missing)}"
        )


def choose_cores() -> Cores:
    """Return two of the cores that this process may use, not two threads of one core where that can be had."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        return Cores(None, None)
    server = usable[0]
    apart = [core for core in usable[1:] if core not in _siblings(server)]
    return Cores(server, (apart or usable[1:])[0])


def move_to(core: int | None, *pids: int) -> None:
    """Move running processes, with all their threads, to a core; None leaves them where they are."""
    if core is not None:
        for pid in pids:
            for thread in Path(f"/proc/{pid}/task").iterdir():
                os.sched_setaffinity(int(thread.name), {core})


def describe(cores: Cores) -> dict[str, str]:
    """Return what a reader must know to compare numbers: processor, memory, system, versions."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{memory:.0f} GiB",
        "system": f"{_distribution()}, Linux {'.'.join(platform.release().split('.')[:2])}",
        "cores": str(cores),
        "Python": platform.python_version(),
        "Feast": version("feast"),
        "feature-service": version("feature-service"),
        "Redis": _program_version([str(find_redis_server()), "--version"]),
        "wrk": _program_version(["wrk", "-v"]),
    }


def _siblings(core: int) -> set[int]:
    """Return the cores (hardware threads) that share a physical core with this one; just itself if unknown."""
    try:
        ranges = Path(SIBLINGS.format(core)).read_text().strip().split(",")
    except OSError:
        return {core}
    found: set[int] = set()
    for part in ranges:
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


def _processor() -> str:
    named = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return named[1] if named else platform.machine()


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return sys.platform


def _program_version(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = VERSION.search(done.stdout + done.stderr)
    return found[0] if found else "unknown"
