"""Values of both sides in one form, that of the service's JSON, and whether they are the same."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from feast.type_map import python_values_to_proto_values
from feast.value_type import ValueType

from service.codec.messages import parse_value
from service.codec.values import jsonable

FLOATS = (ValueType.FLOAT, ValueType.DOUBLE)
INTEGERS = (ValueType.INT32, ValueType.INT64)
# Taken as they are: converting them would hide what isn't of the declared type.
_PLAIN = (*INTEGERS, ValueType.BOOL, ValueType.STRING)
_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def from_online(values: Sequence[Any], value_type: ValueType) -> list[Any]:
    """Values of an answer; NaN and infinities of floats are numbers again."""
    if value_type in FLOATS:
        return [_SPECIAL.get(value, value) if isinstance(value, str) else _float(value, value_type) for value in values]
    return [_sorted_set(value, value_type) for value in values]


def from_offline(column: pa.ChunkedArray, value_type: ValueType) -> list[Any]:
    """A column that Feast gives for training.

    Other than numbers, texts and booleans goes the way into the online store and out again, by Feast's own conversion:
    times become seconds, a UUID its text. What can't go that way stands as it is.
    """
    if value_type in FLOATS:
        return [_float(value, value_type) for value in column.to_pylist()]
    if value_type in INTEGERS:
        return [_integer(value) for value in column.to_pylist()]
    if value_type in _PLAIN:
        return list(column.to_pylist())
    nulls = column.is_null().to_pylist()
    values = column.to_numpy(zero_copy_only=False)
    return [
        None if null else _sorted_set(_converted(value, value_type), value_type)
        for value, null in zip(values, nulls, strict=True)
    ]


def same(online: Any, offline: Any, rtol: float, *, nan_is_null: bool) -> bool:
    """Whether two values of one feature are equal; `rtol` is for floats, `nan_is_null` where offline can't tell them apart."""
    if isinstance(online, float) and isinstance(offline, float):
        if math.isnan(online) or math.isnan(offline):
            return math.isnan(online) and math.isnan(offline)
        return online == offline or (rtol > 0 and math.isclose(online, offline, rel_tol=rtol))
    if nan_is_null and _is_nothing(online) and _is_nothing(offline):
        return True
    # True equals 1 in Python.
    return isinstance(online, bool) == isinstance(offline, bool) and bool(online == offline)


def _is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _float(value: Any, value_type: ValueType) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return float(np.float32(value)) if value_type == ValueType.FLOAT else float(value)


def _integer(value: Any) -> Any:
    """Pandas makes floats of integers beside nulls; 3.7 stays what it is, and differs from 3."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _converted(value: Any, value_type: ValueType) -> Any:
    try:
        (message,) = python_values_to_proto_values([value], value_type)
        return jsonable(parse_value(message.SerializeToString()))
    except (TypeError, ValueError, AttributeError, KeyError, OverflowError):
        return repr(value)


def _sorted_set(value: Any, value_type: ValueType) -> Any:
    """A set has no order."""
    return sorted(value, key=repr) if value_type.name.endswith("_SET") and isinstance(value, list) else value
