"""Between Arrow's arrays, numpy's and Python's lists.

By way of their buffers: pyarrow's own conversions from Python and to numpy import pandas, to see whether it is given something
of pandas' (0.3 s and 60 MB).
"""

from datetime import UTC, datetime, tzinfo
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Mask = npt.NDArray[np.bool_]


def to_numpy(array: Any) -> npt.NDArray[Any]:
    """The values of an array of numbers, booleans, days or times; whatever lies there at nulls. A view where it can be."""
    if pa.types.is_boolean(array.type):
        return to_numpy(pc.cast(array, pa.uint8())).astype(np.bool_)
    kind = array.type
    numbers = np.dtype(f"i{kind.bit_width // 8}" if pa.types.is_temporal(kind) else kind.to_pandas_dtype())
    data = array.buffers()[1]
    if data is None or not len(array):
        return np.empty(0, numbers)
    return np.frombuffer(data, numbers, len(array), array.offset * numbers.itemsize)


def from_numpy(values: npt.NDArray[Any], kind: pa.DataType, nulls: Mask | None = None) -> Any:
    """An array of numbers, null where `nulls` says so."""
    valid = None if nulls is None else pa.py_buffer(np.packbits(~nulls, bitorder="little"))
    return pa.Array.from_buffers(kind, len(values), [valid, pa.py_buffer(np.ascontiguousarray(values))])


def null_mask(array: Any) -> Mask:
    """For each row whether it is null."""
    return to_numpy(array.is_null())


def objects(array: Any, zone: tzinfo | None = None) -> list[Any]:
    """The values of an array without nulls, as Python has them; times in a timezone."""
    kind = array.type
    if pa.types.is_timestamp(kind):
        return times(to_numpy(array), kind.unit, zone)
    if pa.types.is_date32(kind):
        days: list[Any] = to_numpy(array).astype(np.int64).view("M8[D]").tolist()
        return days
    listed: list[Any] = to_numpy(array).tolist() if pa.types.is_primitive(kind) else array.to_pylist()
    return listed


def times(numbers: npt.NDArray[np.int64], unit: str, zone: tzinfo | None) -> list[datetime]:
    """Points in time from units since 1970; with the precision of a datetime, which has no nanoseconds."""
    naive: list[datetime] = numbers.view(f"M8[{unit}]").astype("M8[us]").tolist()
    if zone is None:
        return naive
    aware = [moment.replace(tzinfo=UTC) for moment in naive]
    return aware if zone is UTC else [moment.astimezone(zone) for moment in aware]
