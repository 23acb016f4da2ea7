"""What the kernel accounts to a server: CPU time and memory of a process and all its descendants, from /proc.

Formats: proc(5), /proc/<pid>/stat and /proc/<pid>/smaps_rollup.
"""

import os
from dataclasses import dataclass
from pathlib import Path

TICK_MICROSECONDS = 1_000_000 // os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
# Of the fields after the command's name, counted from 0.
STATE, PARENT, USER, SYSTEM, WAITED_USER, WAITED_SYSTEM, RESIDENT_PAGES = 0, 1, 11, 12, 13, 14, 21


@dataclass(frozen=True, slots=True)
class Process:
    """One process at one moment: CPU time in microseconds, memory in bytes.

    `ended_children_us` is the time of its children that ended and were waited for.
    `pss_bytes` is its share of memory: a page that n processes map counts 1/n.
    """

    pid: int
    parent: int
    own_us: int
    ended_children_us: int
    rss_bytes: int
    pss_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Tree:
    """A process and all its living descendants at one moment, itself first; empty when it doesn't live."""

    processes: tuple[Process, ...]

    @property
    def cpu_us(self) -> int:
        """User plus system time since their start, of processes that ended and were waited for too, in microseconds.

        The kernel counts in ticks of 10 ms: take the difference over seconds, not over single requests.
        """
        return sum(process.own_us + process.ended_children_us for process in self.processes)

    @property
    def pss_bytes(self) -> int:
        """Memory of all of them together, shared pages counted once."""
        return sum(process.pss_bytes for process in self.processes)

    def rss_bytes(self, pid: int) -> int:
        """Resident memory of one of them, pages shared with others included; 0 when it isn't there."""
        return next((process.rss_bytes for process in self.processes if process.pid == pid), 0)

    def busiest_since(self, before: "Tree") -> int:
        """Return the id of the process that used most CPU since then: after some load, the worker."""
        used = {process.pid: process.own_us for process in before.processes}
        return max(self.processes, key=lambda process: process.own_us - used.get(process.pid, 0)).pid


def parse_stat(pid: int, stat: str, pss_bytes: int = 0) -> Process | None:
    """Return what /proc/<pid>/stat says; None for a zombie. The command's name may hold spaces and parentheses."""
    fields = stat.rpartition(")")[2].split()
    if fields[STATE] == "Z":
        return None
    return Process(
        pid=pid,
        parent=int(fields[PARENT]),
        own_us=(int(fields[USER]) + int(fields[SYSTEM])) * TICK_MICROSECONDS,
        ended_children_us=(int(fields[WAITED_USER]) + int(fields[WAITED_SYSTEM])) * TICK_MICROSECONDS,
        rss_bytes=int(fields[RESIDENT_PAGES]) * PAGE_BYTES,
        pss_bytes=pss_bytes,
    )


def tree(root: int) -> Tree:
    """Return a process and all its living descendants."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (process := _read(int(entry.name))):
            parents[process.pid] = process.parent
    wanted = [root]
    for pid in wanted:  # grows while it is walked
        wanted += [child for child, parent in parents.items() if parent == pid]
    return Tree(tuple(process for pid in wanted if (process := _read(pid, with_pss=True))))


def _read(pid: int, *, with_pss: bool = False) -> Process | None:
    try:
        return parse_stat(pid, Path(f"/proc/{pid}/stat").read_text(), _pss_bytes(pid) if with_pss else 0)
    except OSError:  # it ended meanwhile
        return None


def _pss_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
