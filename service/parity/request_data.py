"""Request data for on-demand feature views, made up by type: the same for the same seed."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from feast.type_map import feast_value_type_to_pa
from feast.value_type import ValueType

from service.parity.errors import NotComparable
from service.parity.newest_rows import key_type

LONGEST_LIST = 3
_WORDS = ("bronze", "silver", "gold", "web", "app", "")
_LARGEST = 1000

Random = np.random.Generator
_SCALARS: dict[str, Callable[[Random], Any]] = {
    "INT32": lambda random: int(random.integers(-_LARGEST, _LARGEST)),
    "INT64": lambda random: int(random.integers(-_LARGEST, _LARGEST)),
    "FLOAT": lambda random: float(np.float32(random.uniform(-_LARGEST, _LARGEST))),
    "DOUBLE": lambda random: float(random.uniform(-_LARGEST, _LARGEST)),
    "STRING": lambda random: _WORDS[random.integers(len(_WORDS))],
    "BYTES": lambda random: random.bytes(4),
    "BOOL": lambda random: bool(random.integers(2)),
    "UNIX_TIMESTAMP": lambda random: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=int(random.integers(10**7))),
}


def make_up(request: Mapping[str, ValueType], rows: int, random: Random) -> dict[str, list[Any]]:
    """A column for each field; raises NotComparable for a type of which nothing sensible can be made up."""
    return {name: [_value(name, value_type.name, random) for _ in range(rows)] for name, value_type in request.items()}


def _value(name: str, value_type: str, random: Random) -> Any:
    scalar = value_type.removesuffix("_LIST")
    if scalar not in _SCALARS:
        raise NotComparable(f"Request data {name} is of type {value_type}, of which this command can't make up values.")
    if scalar == value_type:
        return _SCALARS[scalar](random)
    return [_SCALARS[scalar](random) for _ in range(random.integers(1, LONGEST_LIST + 1))]


def to_array(values: list[Any], value_type: ValueType) -> pa.Array:
    """A column as get_historical_features gets it: in the declared type."""
    return pa.array(
        values, key_type(value_type) if value_type == ValueType.UNIX_TIMESTAMP else feast_value_type_to_pa(value_type)
    )
