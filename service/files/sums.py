"""Sums of numbers that come in parts, to the last bit as numpy sums the whole.

Floats don't add up to the same sum in every order; `service.suites.summation` has numpy's order, and the source of it.
"""

from collections.abc import Generator
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# From so many on, numpy halves what it sums, at a multiple of the lanes; the halves here end where numpy may go on alone.
_ALONE = 1 << 16
_LANES = 8
# Numbers that numpy casts at a time.
_BUFFER = 8192


def sum_of(values: Floats) -> float:
    """The sum of some floats, which may be infinite or none."""
    with np.errstate(all="ignore"):
        return float(np.add.reduce(values))


class PairwiseSum:
    """The sum of so many floats; how many decides about the order, and so has to be known before."""

    def __init__(self, count: int) -> None:
        self._parts: list[Floats] = []
        self._held = 0
        self._sum: float | None = None
        self._halves = _pairwise(count)
        self._wanted = next(self._halves)

    def add(self, values: Floats) -> None:
        """Take in the next ones."""
        self._parts.append(values)
        self._held += len(values)
        if self._held >= self._wanted:
            self._sum_up()

    def _sum_up(self) -> None:
        values = np.concatenate(self._parts)
        start = 0
        while self._sum is None and len(values) - start >= self._wanted:
            part, start = values[start : start + self._wanted], start + self._wanted
            try:
                self._wanted = self._halves.send(part)
            except StopIteration as end:
                self._sum = end.value
        # A copy: a view would hold on to all of it.
        self._parts, self._held = [values[start:].copy()], len(values) - start

    def total(self) -> float:
        """The sum; raises ValueError when there were fewer values than said, or more."""
        if self._wanted == 0:
            return 0.0
        if self._sum is None or self._held:
            raise ValueError("There are not as many values as there should be.")
        return self._sum


def _pairwise(count: int) -> Generator[int, Floats, float]:
    """Yields how many values it wants next, is sent them, and returns the sum."""
    if count <= _ALONE:
        values = yield count
        return sum_of(values)
    half = count // 2
    half -= half % _LANES
    first = yield from _pairwise(half)
    second = yield from _pairwise(count - half)
    return first + second


class CastSum:
    """The sum of integers that numpy casts to float64 while it sums them."""

    def __init__(self) -> None:
        self._rest: npt.NDArray[Any] = np.empty(0, np.int64)
        self._sum = 0.0

    def add(self, values: npt.NDArray[Any]) -> None:
        """Take in the next ones."""
        values = np.concatenate([self._rest, values]) if len(self._rest) else values
        whole = len(values) - len(values) % _BUFFER
        for start in range(0, whole, _BUFFER):
            self._sum += sum_of(values[start : start + _BUFFER].astype(np.float64))
        self._rest = values[whole:].copy()

    def total(self) -> float:
        """The sum."""
        return self._sum + sum_of(self._rest.astype(np.float64))
