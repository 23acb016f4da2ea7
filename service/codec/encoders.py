"""Columns of feature values, as clients send them, to the bytes that Feast stores: a serialized protobuf Value each.

Values are what a JSON parser gives (None, bool, int, float, str, list, dict), and what Arrow's
`to_pylist(maps_as_pydicts="strict")` gives beside that: bytes, datetimes, dates, Decimals, UUIDs, keys that aren't strings.
The bytes are those of `feast.type_map.python_values_to_proto_values`; but what Feast coerces or drops is refused here. See
`service.codec.scalar_inputs` for what stands for which scalar.
"""

import functools
from collections.abc import Sequence
from typing import Any, Protocol

from service.codec.message_encoders import MESSAGES, MessageEncoder
from service.codec.refusals import Unencodable
from service.codec.scalar_encoders import PACKS, ScalarEncoder
from service.errors import NotSupported

__all__ = ["ColumnEncoder", "Unencodable", "encoder_for"]


class ColumnEncoder(Protocol):
    """How one Feast type is written."""

    def encode(self, column: Sequence[Any]) -> list[bytes]:
        """Serialized Values, empty for null. Hot: the whole column at once. Raises Unencodable when any value doesn't fit."""

    def problem(self, value: Any) -> str | None:
        """None if the value fits, else a phrase: `must be an integer that fits 64 bits (INT64), not the string "x"`."""


@functools.cache
def encoder_for(value_type: str) -> ColumnEncoder:
    """The encoder of a Feast type, by its name in feast.value_type.ValueType.

    Raises NotSupported for types that Feast itself can't store (UNKNOWN, NULL).
    """
    if value_type in PACKS:
        return ScalarEncoder(value_type, PACKS[value_type]())
    if value_type in MESSAGES:
        wanted, make_fill = MESSAGES[value_type]
        return MessageEncoder(value_type, wanted, make_fill())
    raise NotSupported(f"Values of type {value_type} can't be stored.")
