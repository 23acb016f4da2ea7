"""Columns of feature values as Feast stores them (a protobuf Value each) to Python values and to JSON.

Source of the format: feast/protos/feast/types/Value.proto. A scalar is a tag and its payload, so these are read by
hand, several times faster than protobuf does; everything else goes through `service.codec.messages`.
"""

import functools
import math
import struct
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, Protocol

import orjson

from service.codec.messages import NULL_TIMESTAMP, parse_value
from service.codec.packed_numbers import RawColumn, pack_floats, pack_varints
from service.codec.timestamps import read_varint, to_signed

# Packs columns; None unless all rows of all of them are there and of one type.
Pack = Callable[[Sequence[RawColumn]], list[memoryview] | None]
# Values longer than this are seldom seen twice; shorter ones are labels, counts and flags, which are.
CACHED_BYTES = 24
CACHE_ENTRIES = 32_768
# Rows unpacked by one format string; the formats of up to as many rows are kept.
UNPACK_ROWS = 128


class ColumnCodec(Protocol):
    """How one Feast type is read: all the columns of that type at once, since a call costs more than a short column.

    `is_uniform` says that no value that it gave was of another type than its own, so that nobody has to look for one. `pack`
    gives columns of numbers packed, as `service.codec.packed_numbers` does; None where the type isn't one of numbers.
    """

    is_uniform: bool
    pack: Pack | None

    def decode(self, columns: Sequence[RawColumn]) -> tuple[list[Sequence[Any]], bool]:
        """The values of each column, None for null and absent ones, and whether there are none of these. Hot."""

    def is_plain(self, columns: Sequence[Sequence[Any]]) -> bool:
        """Whether the values are written as JSON as they stand, which `orjson.dumps` does. Hot."""

    def to_json(self, columns: Sequence[Sequence[Any]]) -> list[bytes]:
        """The JSON array of each column of values that `decode` gave. Hot."""


class FloatCodec:
    """FLOAT and DOUBLE: a fixed-size payload, so that any number of rows is one unpacking."""

    def __init__(self, tag: int, letter: str) -> None:
        self.pack: Pack | None = functools.partial(pack_floats, tag, letter)
        self._tag = bytes([tag])
        self._size = 1 + struct.calcsize(letter)
        self._zero = self._tag + bytes(self._size - 1)
        self.is_uniform = True
        self._unpackers = [struct.Struct("<" + f"x{letter}" * rows) for rows in range(UNPACK_ROWS + 1)]

    def decode(self, columns: Sequence[RawColumn]) -> tuple[list[Sequence[Any]], bool]:
        """One join, and one unpacking for each 128 rows; about 80 ns a row more when some are null."""
        rows = len(columns[0])
        total = rows * len(columns)
        try:
            values = self._unpack(b"".join(chain.from_iterable(columns)), total)  # type: ignore[arg-type]
        except TypeError:  # an absent value
            values = None
        if values is None:
            return [self._decode_each(column) for column in columns], False
        return [values[start : start + rows] for start in range(0, total, rows)], True

    def _decode_each(self, column: RawColumn) -> Sequence[Any]:
        zero = self._zero
        values = self._unpack(b"".join([raw or zero for raw in column]), len(column))
        if values is None:  # another type than the schema says now, or explicit nulls
            self.is_uniform = False
            return [parse_value(raw) if raw else None for raw in column]
        return [value if raw else None for value, raw in zip(values, column, strict=True)]

    def _unpack(self, joined: bytes, rows: int) -> Sequence[float] | None:
        """None unless every row is a value of this type.

        Such a Value is `size` bytes that begin with the tag, and a null is empty; so the length together with a tag at
        each step says so for all rows at once.
        """
        size = self._size
        if len(joined) != size * rows or joined[::size] != self._tag * rows:
            return None
        if rows <= UNPACK_ROWS:
            return self._unpackers[rows].unpack(joined)
        values: list[float] = []
        for start in range(0, rows, UNPACK_ROWS):
            count = min(UNPACK_ROWS, rows - start)
            values += self._unpackers[count].unpack_from(joined, start * size)
        return values

    def is_plain(self, columns: Sequence[Sequence[Any]]) -> bool:
        """Whether there are no NaN and infinities, which become strings, as in protobuf's JSON; their sum finds them."""
        try:
            return math.isfinite(sum(map(sum, columns)))
        except TypeError:  # nulls, or values of another type
            pass
        try:
            return math.isfinite(sum([sum(filter(None, column)) for column in columns]))
        except TypeError:
            return False

    def to_json(self, columns: Sequence[Sequence[Any]]) -> list[bytes]:
        """NaN and infinities as strings."""
        return _dump(columns, self.is_plain(columns))


class ScalarCodec(dict[bytes | None, Any]):
    """Integers, booleans, timestamps and strings: a bounded cache from a value's bytes, so that a hit stays in C."""

    def __init__(self, tag: int, wire: str, letter: str = "") -> None:
        """`letter` is struct's format of packed ones."""
        super().__init__()
        null = NULL_TIMESTAMP if wire == "time" else None
        self.pack: Pack | None = functools.partial(pack_varints, tag, letter, null=null) if letter else None
        self._tag = tag
        self._text = wire == "text"
        self._bool = wire == "bool"
        self._time = wire == "time"
        # Feast writes a null as an empty message; once another writer's explicit null was seen, nulls are looked for.
        self._explicit_nulls = False
        self.is_uniform = True

    def __missing__(self, raw: bytes | None) -> Any:
        value = self._read(raw)
        if value is None and raw:
            self._explicit_nulls = True
        if raw is None or len(raw) <= CACHED_BYTES:
            if len(self) >= CACHE_ENTRIES:
                self.clear()
            self[raw] = value
        return value

    def _read(self, raw: bytes | None) -> Any:
        if not raw:
            return None
        if raw[0] != self._tag:  # another type than the schema says now, or an explicit null
            self.is_uniform = False
            return jsonable(parse_value(raw))
        if self._text:
            length, start = read_varint(raw, 1)
            if len(raw) != start + length:
                raise ValueError(f"A string of {length} bytes has {len(raw) - start}.")
            return raw[start:].decode()
        number, _ = read_varint(raw, 1)
        if self._bool:
            return bool(number)
        signed = to_signed(number)
        return None if self._time and signed == NULL_TIMESTAMP else signed

    def decode(self, columns: Sequence[RawColumn]) -> tuple[list[Sequence[Any]], bool]:
        """One dictionary look-up a row."""
        get = self.__getitem__
        decoded: list[Sequence[Any]] = [list(map(get, column)) for column in columns]
        return decoded, all(map(all, columns)) and not (self._explicit_nulls and any(map(_has_null, decoded)))

    def is_plain(self, columns: Sequence[Sequence[Any]]) -> bool:
        """They are."""
        return True

    def to_json(self, columns: Sequence[Sequence[Any]]) -> list[bytes]:
        """Plain JSON."""
        return list(map(orjson.dumps, columns))


class MessageCodec:
    """Everything else, through protobuf."""

    # One codec for many types, none of which it checks.
    is_uniform = False
    pack: Pack | None = None

    def decode(self, columns: Sequence[RawColumn]) -> tuple[list[Sequence[Any]], bool]:
        """One protobuf message a row."""
        decoded: list[Sequence[Any]] = [[parse_value(raw) if raw else None for raw in column] for column in columns]
        return decoded, not any(map(_has_null, decoded))

    def is_plain(self, columns: Sequence[Sequence[Any]]) -> bool:
        """Nobody has looked."""
        return False

    def to_json(self, columns: Sequence[Sequence[Any]]) -> list[bytes]:
        """JSON with NaN and infinities as strings, at any depth."""
        return _dump(columns, is_plain=False)


def _dump(columns: Sequence[Sequence[Any]], is_plain: bool) -> list[bytes]:
    return [orjson.dumps(column if is_plain else jsonable(column)) for column in columns]


def _has_null(values: Sequence[Any]) -> bool:
    return None in values


def jsonable(value: Any) -> Any:
    """The same with NaN and infinities as protobuf's JSON writes them (orjson would write null)."""
    if isinstance(value, float):
        return value if math.isfinite(value) else "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    if isinstance(value, dict):
        return {name: jsonable(item) for name, item in value.items()}
    return value


_message_codec = MessageCodec()
# Tags are field number << 3 | wire type, of Value's fields.
_codecs: dict[str, ColumnCodec] = {
    "FLOAT": FloatCodec(0x35, "f"),
    "DOUBLE": FloatCodec(0x29, "d"),
    "INT32": ScalarCodec(0x18, "int", "i"),
    "INT64": ScalarCodec(0x20, "int", "q"),
    "BOOL": ScalarCodec(0x38, "bool", "?"),
    "UNIX_TIMESTAMP": ScalarCodec(0x40, "time", "q"),
    "STRING": ScalarCodec(0x12, "text"),
}


def codec_for(value_type: str) -> ColumnCodec:
    """The codec of a Feast value type, by its name in feast.value_type.ValueType."""
    return _codecs.get(value_type, _message_codec)
