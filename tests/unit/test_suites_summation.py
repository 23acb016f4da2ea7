"""Sums are numpy's, to the last bit."""

import random

import numpy as np
import pytest

from service.suites.summation import pairwise_sum, sum_as_floats, wrapped

COUNTS = [0, 1, 7, 8, 9, 15, 127, 128, 129, 136, 255, 257, 1000, 5003]


@pytest.mark.parametrize("count", COUNTS)
def test_floats_add_up_as_in_numpy(count: int) -> None:
    """Of very different sizes, so that the order shows."""
    draw = random.Random(count)
    for _ in range(20):
        values = [draw.uniform(-1, 1) * 10 ** draw.randint(-8, 12) for _ in range(count)]
        assert pairwise_sum(values) == float(np.array(values, dtype=np.float64).sum())


@pytest.mark.parametrize("count", [1, 9, 1000, 8192, 8193, 20_000])
@pytest.mark.parametrize("largest", [100, 2**62])
def test_integers_add_up_as_floats_as_in_numpy(count: int, largest: int) -> None:
    """Cast buffer by buffer; small ones exactly."""
    draw = random.Random(count)
    values = [draw.randint(-largest, largest) for _ in range(count)]
    assert sum_as_floats(values) == float(np.array(values).sum(dtype=np.float64))


def test_integers_start_over_where_64_bits_end() -> None:
    """As numpy's do."""
    assert wrapped(2**63, signed=True) == int(np.array([2**62, 2**62]).sum())
    assert wrapped(2**64 + 5, signed=False) == 5
    assert wrapped(-3, signed=True) == -3
