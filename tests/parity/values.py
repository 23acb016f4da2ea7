"""Random values of every Feast type that 0.67 can hold in Redis, as the protobuf Values that Feast stores."""

import struct
import uuid
from collections.abc import Callable
from decimal import Decimal as PythonDecimal
from random import Random
from typing import Any

from feast import types as feast_types
from feast.protos.feast.types.Value_pb2 import Map, RepeatedValue, ZonedTimestamp
from feast.protos.feast.types.Value_pb2 import Value as ValueProto
from feast.type_map import NULL_TIMESTAMP_INT_VALUE, VALUE_TYPE_TO_PROTO_VALUE_MAP, python_values_to_proto_values
from feast.types import Array, FeastType, PrimitiveFeastType, Set, Struct
from feast.value_type import ValueType

NAN, INFINITY = float("nan"), float("inf")
LARGEST, SMALLEST = 1.7976931348623157e308, 5e-324
LARGEST32, SMALLEST32 = 3.4028234663852886e38, 1.401298464324817e-45
INSTANTS = [0, -1, 1_700_000_000, -2_208_988_800, NULL_TIMESTAMP_INT_VALUE]
STRINGS = [
    "",
    "a",
    "null",
    "NaN",
    "héllo ☃ 🎉",
    '"\\/\b\f\n\r\t\x00\x01\x1f\x7f\u2028\u2029',
    "</script>",
    "long " * 200,
]
ZONES = ["", "UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC-07:00", "+05:30", "-0330", "No/Such_Zone"]
JSON_TEXTS = ['{"a": [1, 2.50, null], "é": {}}', "[]", '"text"', "null", "1e400", ""]

SCALARS: tuple[PrimitiveFeastType, ...] = (
    feast_types.Int32,
    feast_types.Int64,
    feast_types.Float32,
    feast_types.Float64,
    feast_types.Bool,
    feast_types.String,
    feast_types.Bytes,
    feast_types.UnixTimestamp,
    feast_types.Uuid,
    feast_types.TimeUuid,
    feast_types.Decimal,
)
FEAST_TYPES: tuple[FeastType, ...] = (
    *SCALARS,
    feast_types.PdfBytes,
    feast_types.ImageBytes,
    feast_types.Json,
    feast_types.Map,
    feast_types.ScalarMap,
    feast_types.ZonedTimestamp,
    *(Array(scalar) for scalar in SCALARS),
    *(Set(scalar) for scalar in SCALARS),
    Array(feast_types.Json),
    Array(feast_types.Map),
    Struct({"a": feast_types.Int64, "b": Array(feast_types.String)}),
    Array(Struct({"a": feast_types.Int64})),
    Array(Array(feast_types.Int64)),
    Array(Set(feast_types.String)),
    Set(Array(feast_types.Float64)),
    Array(Array(Array(feast_types.Float32))),
)

# Value's field where it isn't named after the type.
_FIELDS = {
    ValueType.PDF_BYTES: "bytes_val",
    ValueType.IMAGE_BYTES: "bytes_val",
    ValueType.ZONED_TIMESTAMP: "zoned_timestamp_val",
}
_EDGES: dict[PrimitiveFeastType, list[Any]] = {
    feast_types.Int32: [0, 1, -1, 2**31 - 1, -(2**31)],
    feast_types.Int64: [0, 1, -1, 127, 128, 2**53 + 1, 2**63 - 1, -(2**63)],
    feast_types.Float32: [0.0, -0.0, 0.1, 1.0, 16777216.0, 1e16, 1e-7, LARGEST32, SMALLEST32, NAN, INFINITY, -INFINITY],
    feast_types.Float64: [
        0.0,
        -0.0,
        0.1,
        1.0,
        1e15,
        1e16,
        1e22,
        1e-5,
        1e-7,
        LARGEST,
        SMALLEST,
        NAN,
        INFINITY,
        -INFINITY,
    ],
    feast_types.Bool: [True, False],
    feast_types.String: STRINGS,
    feast_types.Bytes: [b"", b"abc", b"\xfb\xff\x00", bytes(range(256))],
    feast_types.UnixTimestamp: [0, -1, 1_700_000_000, NULL_TIMESTAMP_INT_VALUE, 2**63 - 1],
    feast_types.Uuid: ["00000000-0000-0000-0000-000000000000", ""],
    feast_types.TimeUuid: ["63689874-e760-11f1-95d0-02fc00000001"],
    feast_types.Decimal: ["1.10", "-1E+30", "NaN", "0", str(PythonDecimal(1) / 3)],
    feast_types.Json: JSON_TEXTS,
}
_ORDINARY: dict[PrimitiveFeastType, Callable[[Random], Any]] = {
    feast_types.Int32: lambda rng: rng.randint(-(2**31), 2**31 - 1),
    feast_types.Int64: lambda rng: rng.randint(-(2**63), 2**63 - 1),
    feast_types.Float32: lambda rng: struct.unpack("<f", struct.pack("<f", rng.uniform(-1e6, 1e6)))[0],
    feast_types.Float64: lambda rng: rng.uniform(-1, 1) * 10.0 ** rng.randint(-30, 30),
    feast_types.Bool: lambda rng: rng.random() < 0.5,
    feast_types.String: lambda rng: "".join(rng.choices("abcdeßλ語 ", k=rng.randint(1, 40))),
    feast_types.Bytes: lambda rng: rng.randbytes(rng.randint(1, 40)),
    feast_types.UnixTimestamp: lambda rng: rng.randint(-(2**40), 2**40),
    feast_types.Uuid: lambda rng: str(uuid.UUID(int=rng.getrandbits(128))),
    feast_types.TimeUuid: lambda rng: str(uuid.UUID(int=rng.getrandbits(128), version=1)),
    feast_types.Decimal: lambda rng: str(PythonDecimal(rng.randint(-(10**20), 10**20)).scaleb(-7)),
    feast_types.Json: lambda rng: f'{{"n": {rng.randint(0, 99)}}}',
}


def random_value(feast_type: FeastType, rng: Random) -> ValueProto:
    """A Value of the type: null for one in ten, of quite another type for one in thirty, as after a change of schema."""
    draw = rng.random()
    if draw < 0.08:
        return ValueProto()
    if draw < 0.10:
        return ValueProto(null_val=0)
    if draw < 0.13:
        return _value(rng.choice(SCALARS), rng)
    return _value(feast_type, rng)


def field_of(feast_type: FeastType) -> str:
    """The name of Value's field that holds a type."""
    value_type = feast_type.to_value_type()
    return _FIELDS.get(value_type) or VALUE_TYPE_TO_PROTO_VALUE_MAP[value_type]


def _value(feast_type: FeastType, rng: Random) -> ValueProto:
    value = ValueProto()
    field = field_of(feast_type)
    if isinstance(feast_type, Array | Set):
        _fill_collection(getattr(value, field), feast_type.base_type, rng)
        getattr(value, field).SetInParent()
    elif isinstance(feast_type, Struct):
        value.struct_val.CopyFrom(_random_map(rng, depth=1))
    elif feast_type == feast_types.Map:
        value.map_val.CopyFrom(_random_map(rng, depth=2))
    elif feast_type == feast_types.ScalarMap:
        keys = {rng.choice([1, 2.5, True, b"\xff", PythonDecimal("1.5"), uuid.UUID(int=7)]): "x", 99: None}
        return python_values_to_proto_values([keys], ValueType.SCALAR_MAP)[0]
    elif feast_type == feast_types.ZonedTimestamp:
        seconds = rng.choice([*INSTANTS, rng.randint(-(2**33), 2**35)])
        value.zoned_timestamp_val.CopyFrom(ZonedTimestamp(unix_timestamp=seconds, zone=rng.choice(ZONES)))
    else:
        setattr(value, field, _content(feast_type, rng))
    return value


def _content(feast_type: PrimitiveFeastType, rng: Random) -> Any:
    if feast_type in (feast_types.PdfBytes, feast_types.ImageBytes):
        feast_type = feast_types.Bytes
    return rng.choice(_EDGES[feast_type]) if rng.random() < 0.5 else _ORDINARY[feast_type](rng)


def _fill_collection(collection: Any, base_type: FeastType, rng: Random) -> None:
    """Up to four items, and none at all for one in five."""
    size = rng.randint(0, 4)
    if isinstance(collection, RepeatedValue):  # Feast stores an empty inner collection as a null
        collection.val.extend(ValueProto() if rng.random() < 0.2 else _value(base_type, rng) for _ in range(size))
    elif base_type == feast_types.Map or isinstance(base_type, Struct):
        collection.val.extend(_random_map(rng, depth=1) for _ in range(size))
    else:
        collection.val.extend(_content(base_type, rng) for _ in range(size))


def _random_map(rng: Random, depth: int) -> Map:
    """A map of scalars, lists and nulls, and of maps down to `depth`."""
    result = Map()
    for name in rng.sample(["a", "b", "ключ", "", 'q"uote'], rng.randint(0, 3)):
        kinds: list[FeastType] = [rng.choice(SCALARS), Array(rng.choice(SCALARS))]
        if depth > 1:
            kinds += [feast_types.Map, Array(feast_types.Map)]
        result.val[name].CopyFrom(ValueProto() if rng.random() < 0.15 else _value(rng.choice(kinds), rng))
    return result
