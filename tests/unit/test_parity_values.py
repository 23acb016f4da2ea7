"""When a value that is served equals one that a model is trained on."""

import math
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from feast.value_type import ValueType

from service.parity.values import from_offline, from_online, same

NAN = math.nan
TYPES = ValueType


def equal(value_type: ValueType, online: Any, offline: pa.Array, *, rtol: float = 0.0, nan_is_null: bool = False) -> bool:
    """Whether one value of each side is the same."""
    (mine,) = from_online([online], value_type)
    (theirs,) = from_offline(pa.chunked_array([offline]), value_type)
    return same(mine, theirs, rtol, nan_is_null=nan_is_null)


@pytest.mark.parametrize(
    ("value_type", "online", "offline"),
    [
        (TYPES.INT64, 2**53 + 1, pa.array([2**53 + 1])),
        (TYPES.INT64, 3, pa.array([3.0])),  # pandas, beside nulls
        (TYPES.FLOAT, 0.10000000149011612, pa.array([0.1], pa.float32())),
        (TYPES.FLOAT, 0.10000000149011612, pa.array([0.1], pa.float64())),
        (TYPES.DOUBLE, 0.1, pa.array([0.1])),
        (TYPES.DOUBLE, "NaN", pa.array([NAN])),
        (TYPES.DOUBLE, "-Infinity", pa.array([-math.inf])),
        (TYPES.STRING, "NaN", pa.array(["NaN"])),
        (TYPES.BOOL, True, pa.array([True])),
        (TYPES.UNIX_TIMESTAMP, 1_795_600_800, pa.array([datetime(2026, 11, 25, 10, tzinfo=UTC)])),
        (TYPES.BYTES, "AP8=", pa.array([b"\x00\xff"])),
        (TYPES.FLOAT_LIST, [0.10000000149011612], pa.array([[0.1]])),
        (TYPES.INT64_LIST, [1, 2], pa.array([[1, 2]])),
        (TYPES.STRING_LIST, [], pa.array([[]], pa.list_(pa.string()))),
        (TYPES.STRING_SET, ["b", "a"], pa.array([["a", "b"]])),
        (TYPES.INT64, None, pa.array([None], pa.int64())),
        (TYPES.STRING_LIST, None, pa.array([None], pa.list_(pa.string()))),
    ],
)
def test_the_same_value(value_type: ValueType, online: Any, offline: pa.Array) -> None:
    """As JSON has it, and as Feast's frames have it."""
    assert equal(value_type, online, offline)


@pytest.mark.parametrize(
    ("value_type", "online", "offline"),
    [
        (TYPES.INT64, 2**53, pa.array([2**53 + 1])),
        (TYPES.INT64, 3, pa.array([3.7])),
        (TYPES.INT64, 1, pa.array([True])),
        (TYPES.INT64, 1, pa.array(["1"])),
        (TYPES.INT64, 0, pa.array([None], pa.int64())),
        (TYPES.FLOAT, 0.10000000894069672, pa.array([0.1], pa.float32())),
        (TYPES.DOUBLE, 0.1, pa.array([0.1], pa.float32())),
        (TYPES.DOUBLE, "NaN", pa.array([None], pa.float64())),
        (TYPES.DOUBLE, "NaN", pa.array([1.0])),
        (TYPES.STRING, "", pa.array([None], pa.string())),
        (TYPES.INT64_LIST, [2, 1], pa.array([[1, 2]])),
        (TYPES.INT64_LIST, [1], pa.array(["not a list"])),
    ],
)
def test_another_value(value_type: ValueType, online: Any, offline: pa.Array) -> None:
    """Nothing is coerced to be the same."""
    assert not equal(value_type, online, offline)


def test_nan_is_null_where_offline_can_not_tell_them_apart() -> None:
    """In the file store, which is pandas."""
    assert equal(TYPES.FLOAT, "NaN", pa.array([None], pa.float32()), nan_is_null=True)
    assert not equal(TYPES.FLOAT, 0.0, pa.array([None], pa.float32()), nan_is_null=True)


def test_a_tolerance_is_for_floats() -> None:
    """And for them alone."""
    assert equal(TYPES.DOUBLE, 1.0000001, pa.array([1.0]), rtol=1e-6)
    assert not equal(TYPES.DOUBLE, 1.00001, pa.array([1.0]), rtol=1e-6)
    assert not equal(TYPES.INT64, 10_000_001, pa.array([10_000_000]), rtol=1e-6)
