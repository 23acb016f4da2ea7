"""Entity keys as Feast serializes them: checked columns of ids in, Redis keys out.

Source of the format: feast/infra/key_encoding_utils.py, serialize_entity_key, versions 2 and 3 (the latter adds the
number of keys and the length of each name). The Redis key is that, followed by the project's name.
"""

import struct
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from service.errors import InvalidRequest, Problem

SUPPORTED_VERSIONS = (2, 3)
# The join key, entity and value of views without an entity (feast/feature_view.py, DUMMY_ENTITY).
DUMMY_JOIN_KEY = "__dummy_id"
DUMMY_ENTITY = "__dummy"
DUMMY_VALUE = ""

# Characters of a client's own text that a message repeats.
LONGEST_QUOTE = 100

# Numbers in feast.types.ValueType, as they stand in a key.
_TYPE_NUMBERS = {"BYTES": 1, "STRING": 2, "INT32": 3, "INT64": 4, "UNIX_TIMESTAMP": 8}
_RANGES = {"INT32": (-(2**31), 2**31 - 1), "INT64": (-(2**63), 2**63 - 1), "UNIX_TIMESTAMP": (-(2**63), 2**63 - 1)}
_WANTED = {
    "INT32": "an integer that fits 32 bits",
    "INT64": "an integer that fits 64 bits",
    "UNIX_TIMESTAMP": "an integer, seconds since 1970",
    "STRING": "a string",
    "BYTES": "a string of base64",
}


class JoinKey:
    """One join key: checks a column of a request and encodes it for the key."""

    __slots__ = ("_encode", "_pack", "_range", "head", "name", "value_type")

    def __init__(self, name: str, value_type: str) -> None:
        self.name = name
        self.value_type = value_type
        self._range = _RANGES.get(value_type)
        # What precedes every id of this column: the type and, where all are of one length, that.
        self.head = struct.pack("<I", _TYPE_NUMBERS[value_type])
        if self._range:
            number = struct.Struct("<i" if value_type == "INT32" else "<q")
            self._pack = number.pack
            self.head += struct.pack("<I", number.size)
        self._encode: Callable[[Sequence[Any]], list[bytes]] = {
            "STRING": self._encode_strings,
            "BYTES": self._encode_bytes,
        }.get(value_type, self._encode_integers)

    @staticmethod
    def supports(value_type: str) -> bool:
        """Whether Feast can make a key of this type at all."""
        return value_type in _TYPE_NUMBERS

    def encode(self, column: Sequence[Any], field: str) -> list[bytes]:
        """Each id of a column, as it stands behind `head`; `field` is the column's path in the request. Hot.

        Raises InvalidRequest naming each row that isn't of the type.
        """
        wanted = int if self._range else str
        if set(map(type, column)) != {wanted}:
            raise InvalidRequest(self._problems(column, field))
        try:
            return self._encode(column)
        except (struct.error, ValueError):  # out of range, not base64, not Unicode
            raise InvalidRequest(self._problems(column, field)) from None

    def problem(self, value: Any) -> str | None:
        """None for an id of this type, else a phrase: `must be an integer that fits 64 bits (INT64), not null`."""
        if self._accepts(value):
            return None
        return f"must be {_WANTED[self.value_type]} ({self.value_type}), not {describe(value)}"

    def _encode_integers(self, column: Sequence[int]) -> list[bytes]:
        return list(map(self._pack, column))

    def _encode_strings(self, column: Sequence[str]) -> list[bytes]:
        return [_with_length(value.encode()) for value in column]

    def _encode_bytes(self, column: Sequence[str]) -> list[bytes]:
        return [_with_length(b64decode(value, validate=True)) for value in column]

    def _problems(self, column: Sequence[Any], field: str) -> Iterator[Problem]:
        for row, value in enumerate(column):
            problem = self.problem(value)
            if problem is not None:
                yield Problem(f"{self.name} {problem}.", field, row)

    def _accepts(self, value: Any) -> bool:
        if self._range:
            return type(value) is int and self._range[0] <= value <= self._range[1]
        if type(value) is not str:
            return False
        try:
            self._encode([value])
        except ValueError:
            return False
        return True


class KeyEncoder:
    """Redis keys of one combination of join keys, in one project.

    All of them begin with `prefix` and end with `suffix`; the entity's id, which tells them apart, stands between.
    """

    __slots__ = ("join_keys", "prefix", "suffix")

    def __init__(self, join_keys: Sequence[JoinKey], project: str, version: int) -> None:
        """`join_keys` under the names they have in the store; Feast sorts them by name."""
        self.join_keys = tuple(sorted(join_keys, key=lambda join_key: join_key.name))
        prefix = struct.pack("<I", len(self.join_keys)) if version > 2 else b""
        for join_key in self.join_keys:
            name = join_key.name.encode()
            prefix += struct.pack("<I", _TYPE_NUMBERS["STRING"])
            prefix += (struct.pack("<I", len(name)) if version > 2 else b"") + name
        self.prefix = prefix + self.join_keys[0].head
        self.suffix = project.encode()

    def encode(self, columns: Sequence[list[bytes]]) -> list[bytes]:
        """One key a row, from the encoded column of each join key in `self.join_keys`' order. Hot."""
        prefix, suffix = self.prefix, self.suffix
        return [prefix + entity_id + suffix for entity_id in self.ids(columns)]

    def ids(self, columns: Sequence[list[bytes]]) -> list[bytes]:
        """The entity's id of each row, as it stands in the key. Hot: with one join key that is its column."""
        if len(columns) == 1:
            return columns[0]
        heads = [b"", *(join_key.head for join_key in self.join_keys[1:])]
        parts = [[head + value for value in column] for head, column in zip(heads, columns, strict=True)]
        return list(map(b"".join, zip(*parts, strict=True)))


def _with_length(data: bytes) -> bytes:
    return struct.pack("<I", len(data)) + data


def shorten(text: str) -> str:
    """What came from a client, cut to a length that a message can hold."""
    return text if len(text) <= LONGEST_QUOTE else text[:LONGEST_QUOTE] + "..."


def describe(value: Any) -> str:
    """A JSON value in a few words, for messages: its kind and, where it is short, the value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'the string "{shorten(value)}"'
    if isinstance(value, int | float):
        return f"the number {value!r}" if isinstance(value, float) or abs(value) < 10**30 else "an enormous integer"
    return "a list" if isinstance(value, list) else "an object"
