"""Sums as numpy makes them, to the last bit.

Floats don't add up to the same sum in every order, and GX compares numpy's with the bounds. Source: `pairwise_sum` in
numpy/_core/src/umath/loops_utils.h.src, and the buffers of numpy's iterator for arrays that are cast while they are summed.
"""

from collections.abc import Sequence
from functools import reduce
from operator import add

# Numbers that numpy adds in eight lanes before it starts to halve.
_BLOCK = 128
_LANES = 8
# Numbers that numpy casts at a time.
_BUFFER = 8192
# Integers up to it are exact as floats, and so are their sums: the order doesn't matter.
_EXACT = 2**53


def pairwise_sum(values: Sequence[float]) -> float:
    """The sum of an array of float64."""
    count = len(values)
    if count > _BLOCK:
        half = count // 2
        half -= half % _LANES
        return pairwise_sum(values[:half]) + pairwise_sum(values[half:])
    if count < _LANES:
        return reduce(add, values, 0.0)
    whole = count - count % _LANES
    a, b, c, d, e, f, g, h = (reduce(add, values[lane:whole:_LANES]) for lane in range(_LANES))
    return reduce(add, values[whole:], ((a + b) + (c + d)) + ((e + f) + (g + h)))


def sum_as_floats(integers: Sequence[int]) -> float:
    """The sum of an array of integers that is cast to float64 while it is summed."""
    total = sum(integers)
    if -_EXACT <= total <= _EXACT and sum(map(abs, integers)) <= _EXACT:
        return float(total)
    buffers = (integers[start : start + _BUFFER] for start in range(0, len(integers), _BUFFER))
    return reduce(add, (pairwise_sum(list(map(float, buffer))) for buffer in buffers), 0.0)


def wrapped(total: int, *, signed: bool) -> int:
    """A sum of 64-bit integers, which starts over where 64 bits end."""
    total %= 2**64
    return total - 2**64 if signed and total >= 2**63 else total
