"""What one process counts: an array of doubles in a file, mapped into memory, so that counting is one addition.

Each process has a slot: a file of cells and a file of names, one JSON list a line. A process that dies leaves its slot to
the one that replaces it, so counters never fall; `service.metrics.page` adds up the slots of all.
"""

import fcntl
import json
import mmap
import os
import time
from bisect import bisect_left
from collections.abc import Callable
from pathlib import Path

from service.metrics.definitions import DEFINITIONS
from service.metrics.page import CELLS, read_names, render

MAX_SLOTS = 256
# Kept for the series that take what no longer fits: one of each metric.
RESERVED_CELLS = 1024


class Histogram:
    """A run of cells: one a bucket, one for what lies beyond, one for the sum."""

    __slots__ = ("_base", "_bounds", "_cells", "_sum")

    def __init__(self, cells: "memoryview[float]", base: int, bounds: tuple[float, ...]) -> None:
        self._cells = cells
        self._base = base
        self._bounds = bounds
        self._sum = base + len(bounds) + 1

    def observe(self, value: float, times: int = 1) -> None:
        """Count a value, so many times. Hot: about 150 ns."""
        cells = self._cells
        cells[self._base + bisect_left(self._bounds, value)] += times
        cells[self._sum] += value * times


class Metrics:
    """The counting side: one process's slot."""

    def __init__(self, directory: Path) -> None:
        """Take the first slot in `directory` that no living process holds."""
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self._file, path = _claim(directory)
        self._map = mmap.mmap(self._file, CELLS * 8)
        self.cells: memoryview[float] = memoryview(self._map).cast("d")
        self._names = path.with_suffix(".names").open("a+b")
        self._indexes: dict[tuple[str, ...], int] = {}
        self._next = 0
        self._resume()

    def _resume(self) -> None:
        """Go on from what the slot's last holder counted; its gauges are no longer true."""
        # It may have been killed in the middle of a line.
        self._names.seek(0)
        self._names.truncate(self._names.read().rfind(b"\n") + 1)
        for index, key in read_names(Path(self._names.name)):
            definition = DEFINITIONS[key[0]]
            self._indexes[key] = index
            self._next = max(self._next, index + definition.cells)
            if not definition.lasting:
                self.cells[index] = 0.0

    def cell(self, name: str, *labels: str) -> int:
        """The index in `cells` of a series, made on first use; look it up once, then count with `cells[index] += 1`."""
        key = (name, *labels)
        index = self._indexes.get(key)
        if index is None:
            width = DEFINITIONS[name].cells
            others = ("(other)",) * len(labels)
            if self._next + width > CELLS - RESERVED_CELLS and labels != others:
                return self.cell(name, *others)
            index = self._indexes[key] = self._next
            self._next += width
            self._names.seek(0, os.SEEK_END)
            self._names.write(json.dumps([index, *key]).encode() + b"\n")
            self._names.flush()
        return index

    def count(self, name: str, *labels: str, amount: float = 1) -> None:
        """Add to a counter; for paths that aren't hot."""
        self.cells[self.cell(name, *labels)] += amount

    def set(self, name: str, value: float, *labels: str) -> None:
        """Set a gauge."""
        self.cells[self.cell(name, *labels)] = value

    def histogram(self, name: str, *labels: str) -> Histogram:
        """A histogram to observe into."""
        return Histogram(self.cells, self.cell(name, *labels), DEFINITIONS[name].buckets)

    def page(self, now: Callable[[], float] = time.time) -> bytes:
        """Prometheus's text of all processes together."""
        return render(self.directory, now)

    def close(self) -> None:
        """Give the slot up; what it counted stays."""
        for key, index in self._indexes.items():
            if not DEFINITIONS[key[0]].lasting:
                self.cells[index] = 0.0
        self.cells.release()
        self._map.close()
        self._names.close()
        os.close(self._file)


def _claim(directory: Path) -> tuple[int, Path]:
    for slot in range(MAX_SLOTS):
        path = directory / f"slot-{slot}.cells"
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            continue
        os.ftruncate(file, CELLS * 8)
        return file, path
    raise RuntimeError(f"All {MAX_SLOTS} metric slots in {directory} are held by running processes.")
