"""Columns of numbers packed at once: what the codecs give one by one, or nothing."""

import math
import struct
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import pytest
from feast.protos.feast.types.Value_pb2 import Value

from service.codec.values import codec_for

FIELDS = {
    "FLOAT": "float_val",
    "DOUBLE": "double_val",
    "INT32": "int32_val",
    "INT64": "int64_val",
    "BOOL": "bool_val",
    "UNIX_TIMESTAMP": "unix_timestamp_val",
}
FORMATS = {"FLOAT": "f", "DOUBLE": "d", "INT32": "i", "INT64": "q", "BOOL": "?", "UNIX_TIMESTAMP": "q"}
EDGES: dict[str, Sequence[Any]] = {
    "f": [0.0, -0.0, 0.1, 3.4028234663852886e38, math.inf, -math.inf, math.nan],
    "d": [0.0, -0.0, 0.1, 5e-324, 1.7976931348623157e308, math.inf, -math.inf, math.nan],
    "i": [0, 1, -1, 127, 128, 2**31 - 1, -(2**31)],
    "q": [0, 1, -1, 127, 128, 16_383, 16_384, 2**53 + 1, 2**63 - 1, -(2**63), *(2**bits for bits in range(63))],
    "?": [True, False],
}
NO_TIME = -(2**63)
RANDOM: dict[str, Callable[[Random], Any]] = {
    "f": lambda rng: struct.unpack("<f", struct.pack("<f", rng.uniform(-1e6, 1e6)))[0],
    "d": lambda rng: rng.uniform(-1, 1) * 10.0 ** rng.randint(-300, 300),
    "i": lambda rng: rng.randint(-(2**31), 2**31 - 1) >> rng.randint(0, 31),
    "q": lambda rng: rng.randint(-(2**63), 2**63 - 1) >> rng.randint(0, 63),
    "?": lambda rng: rng.random() < 0.5,
}


def stored(value_type: str, values: Sequence[Any]) -> list[bytes | None]:
    """A column as Feast stores it."""
    return [Value(**{FIELDS[value_type]: value}).SerializeToString() for value in values]


def draw(value_type: str, rng: Random, rows: int) -> list[Any]:
    """So many values, the ends of the range among them."""
    letter = FORMATS[value_type]
    values = [rng.choice(EDGES[letter]) if rng.random() < 0.3 else RANDOM[letter](rng) for _ in range(rows)]
    return [0 if value_type == "UNIX_TIMESTAMP" and value == NO_TIME else value for value in values]


def packed(value_type: str, columns: Sequence[Sequence[bytes | None]]) -> list[memoryview] | None:
    """What the codec of a type packs."""
    pack = codec_for(value_type).pack
    assert pack is not None
    return pack(columns)


@pytest.mark.parametrize("value_type", FIELDS)
def test_packed_numbers_are_those_that_are_decoded(value_type: str) -> None:
    """To the last bit, of one column or several, in the format of the type."""
    rng = Random(3)
    for columns, rows in [(1, 1), (1, 7), (3, 1), (4, 300), (2, 512)]:
        raw = [stored(value_type, draw(value_type, rng, rows)) for _ in range(columns)]
        decoded, complete = codec_for(value_type).decode(raw)
        found = packed(value_type, raw)
        assert complete
        assert found is not None
        assert [view.format for view in found] == [FORMATS[value_type]] * columns
        assert [list(map(repr, view)) for view in found] == [list(map(repr, column)) for column in decoded]


@pytest.mark.parametrize("value_type", FIELDS)
def test_columns_in_which_something_is_missing_or_else_are_not_packed(value_type: str) -> None:
    """Null, absent, null explicitly, another type, cut short, too long: for the codec to judge."""
    rng = Random(4)
    other = "INT64" if value_type != "INT64" else "UNIX_TIMESTAMP"
    good = stored(value_type, draw(value_type, rng, 5))
    one = good[0]
    assert one is not None
    for bad in (
        None,
        b"",
        Value(null_val=0).SerializeToString(),
        stored(other, [1])[0],
        Value(string_val="x").SerializeToString(),
        one[:-1],
        one + b"\x80",
        one + b"\x01",
        one[:1] + b"\xff" * 10 + b"\x01",
        *(stored(value_type, [NO_TIME]) if value_type == "UNIX_TIMESTAMP" else ()),
    ):
        for place in (0, 2, 5):
            column = [*good[:place], bad, *good[place:]]
            assert packed(value_type, [column]) is None, (bad, place)
            assert packed(value_type, [stored(value_type, draw(value_type, rng, 6)), column]) is None, (bad, place)


def test_an_integer_that_32_bits_do_not_hold_is_not_packed_as_one() -> None:
    """Another writer's, or what was an Int64."""
    too_large = b"\x18" + stored("INT64", [2**31])[0][1:]  # type: ignore[index]
    assert packed("INT32", [[too_large]]) is None


@pytest.mark.parametrize("value_type", ["STRING", "BYTES", "MAP", "INT64_LIST"])
def test_what_is_no_number_has_no_packing(value_type: str) -> None:
    """It is decoded."""
    assert codec_for(value_type).pack is None
