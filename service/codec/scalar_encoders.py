"""Scalars as Feast stores them: a tag and its payload, written by hand, a column at a time.

Source of the format: feast/protos/feast/types/Value.proto.
"""

import re
import struct
from collections.abc import Callable, Sequence
from itertools import repeat
from math import isnan
from types import NoneType
from typing import Any

from service.codec.messages import value_module
from service.codec.refusals import Unencodable, describe
from service.codec.scalar_inputs import ACCEPTED
from service.codec.varints import write_tag, write_varint

# Counts, flags and ages below this are looked up; some 100 bytes of memory each, for three types.
SMALL_INTEGERS = 4096
# Lengths of strings whose heads are looked up.
SHORT_LENGTHS = 1024
# What packing raises for a value that has the right kind, but is too large or not Unicode.
UNFIT = (ValueError, OverflowError, struct.error)

# Writes a column of one kind of Python values; raises one of UNFIT.
Pack = Callable[[Sequence[Any]], list[bytes]]

_VARINT = re.compile(rb"[\x80-\xff]*[\x00-\x7f]")


class ScalarEncoder:
    """A Feast scalar: reads each value where it isn't of the kind that is packed, and packs the column."""

    def __init__(self, value_type: str, pack: Pack) -> None:
        """`value_type` is a name in feast.value_type.ValueType."""
        accepted = ACCEPTED[value_type]
        self._wanted = f"{accepted.wanted} ({value_type})"
        self._kinds = accepted.kinds
        self._read = accepted.read
        self._pack = pack

    def encode(self, column: Sequence[Any]) -> list[bytes]:
        """Serialized Values, empty for null. Hot: 20 to 150 ns a row where all are of the common kind.

        Raises Unencodable.
        """
        kinds = set(map(type, column))
        try:
            if kinds == self._kinds:
                return self._pack(column)
            if NoneType in kinds:
                encoded = iter(self.encode([value for value in column if value is not None]))
                return [b"" if value is None else next(encoded) for value in column]
            return self._pack(list(map(self._read, column)))
        except UNFIT as error:
            raise Unencodable(str(error)) from None

    def problem(self, value: Any) -> str | None:
        """None if the value fits (null does), else what would be right and what came."""
        if value is None:
            return None
        try:
            self._pack([self._read(value)])
        except Unencodable as refusal:
            return f"must be {self._wanted}, not {refusal}"
        except UNFIT:
            return f"must be {self._wanted}, not {describe(value)}"
        return None


def pack_integers(field: int, list_name: str) -> Pack:
    """INT32, INT64, UNIX_TIMESTAMP: small ones are looked up; protobuf writes and checks the others, a column in one go.

    `list_name` is the message with a packed field of the same type: its payload is the column's varints, one after another.
    """
    tag = write_tag(field, 0)
    small = {number: tag + write_varint(number) for number in range(SMALL_INTEGERS)}
    message = getattr(value_module(), list_name)

    def pack(column: Sequence[int]) -> list[bytes]:
        try:
            return list(map(small.__getitem__, column))
        except KeyError:
            packed = message(val=column).SerializeToString()
            varints = _VARINT.findall(packed, 1)  # behind the field's tag; the first is the length of what follows
            return [tag + varint for varint in varints[1:]]

    return pack


def pack_floats(field: int, wire_type: int, letter: str) -> Pack:
    """FLOAT, DOUBLE: struct refuses what is beyond a float32. NaN is refused, as `scalar_inputs.to_float` does."""
    tag = write_tag(field, wire_type)
    pack_one = struct.Struct(f"<c{letter}").pack

    def pack(column: Sequence[float]) -> list[bytes]:
        if isnan(sum(column)) and any(map(isnan, column)):
            raise ValueError("NaN")
        return list(map(pack_one, repeat(tag), column))

    return pack


def pack_bools(field: int) -> Pack:
    """BOOL."""
    tag = write_tag(field, 0)
    true, false = tag + b"\x01", tag + b"\x00"
    return lambda column: [true if value else false for value in column]


def pack_bytes(field: int) -> Pack:
    """BYTES and its kin."""
    tag = write_tag(field, 2)
    heads = [tag + write_varint(length) for length in range(SHORT_LENGTHS)]

    def pack(column: Sequence[bytes]) -> list[bytes]:
        return [(heads[len(data)] if len(data) < SHORT_LENGTHS else tag + write_varint(len(data))) + data for data in column]

    return pack


def pack_texts(field: int) -> Pack:
    """STRING, and all that Feast keeps as text: UUID, TIME_UUID, DECIMAL, JSON."""
    pack = pack_bytes(field)
    return lambda column: pack(list(map(str.encode, column)))


# What packs each type: the number of its field in Value, and the wire type of fixed sizes (5 is four bytes, 1 is eight).
PACKS: dict[str, Callable[[], Pack]] = {
    "INT32": lambda: pack_integers(3, "Int32List"),
    "INT64": lambda: pack_integers(4, "Int64List"),
    "UNIX_TIMESTAMP": lambda: pack_integers(8, "Int64List"),
    "FLOAT": lambda: pack_floats(6, 5, "f"),
    "DOUBLE": lambda: pack_floats(5, 1, "d"),
    "BOOL": lambda: pack_bools(7),
    "BYTES": lambda: pack_bytes(1),
    "PDF_BYTES": lambda: pack_bytes(1),
    "IMAGE_BYTES": lambda: pack_bytes(1),
    "STRING": lambda: pack_texts(2),
    "JSON": lambda: pack_texts(32),
    "UUID": lambda: pack_texts(36),
    "TIME_UUID": lambda: pack_texts(37),
    "DECIMAL": lambda: pack_texts(44),
}
