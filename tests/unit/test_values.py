"""Columns of feature values: what Feast stored is what the answer holds, whatever else stands beside it."""

import json
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from feast.feature_server_utils import _value_to_native
from feast.protos.feast.types.Value_pb2 import Int64List, Map, Value
from feast.type_map import NULL_TIMESTAMP_INT_VALUE, python_values_to_proto_values
from feast.value_type import ValueType
from google.protobuf.message import DecodeError as ProtobufDecodeError
from hypothesis import given
from hypothesis import strategies as st

from service.codec.values import CACHE_ENTRIES, UNPACK_ROWS, ColumnCodec, RawColumn, ScalarCodec, codec_for, jsonable
from service.errors import FeatureServiceError
from tests.http.handmade.examples import examples

NAN, INFINITY = float("nan"), float("inf")
NULL = Value(null_val=0).SerializeToString()
DENORMAL, DENORMAL32 = 5e-324, 1.401298464324817e-45

INT32 = st.integers(-(2**31), 2**31 - 1)
INT64 = st.integers(-(2**63), 2**63 - 1)
# Hypothesis draws NaN, infinities, signed zeros and denormals of its own accord.
CONTENTS: dict[str, tuple[str, st.SearchStrategy[Any]]] = {
    "INT32": ("int32_val", INT32),
    "INT64": ("int64_val", INT64),
    "UNIX_TIMESTAMP": ("unix_timestamp_val", INT64),
    "BOOL": ("bool_val", st.booleans()),
    "FLOAT": ("float_val", st.floats(width=32)),
    "DOUBLE": ("double_val", st.floats()),
    "STRING": ("string_val", st.text()),
    "BYTES": ("bytes_val", st.binary()),
}
TYPES = sorted(CONTENTS)
OTHERS = [
    Value(int64_val=-5),
    Value(string_val="other"),
    Value(string_val=""),
    Value(double_val=NAN),
    Value(float_val=-INFINITY),
    Value(bool_val=False),
    Value(bytes_val=b"\xff"),
    Value(int64_list_val=Int64List(val=[1, 2])),
    Value(map_val=Map(val={"nested": Value(double_val=NAN)})),
]


def stored(value_type: str) -> st.SearchStrategy[bytes]:
    """Values of a type as Feast stores them."""
    field, contents = CONTENTS[value_type]
    return contents.map(lambda content: Value(**{field: content}).SerializeToString())


def cells(value_type: str) -> st.SearchStrategy[bytes | None]:
    """What one field of a hash may hold: a value, a null in either form, nothing, a value of quite another type."""
    others = st.sampled_from([other.SerializeToString() for other in OTHERS])
    return st.one_of(stored(value_type), st.just(b""), st.none(), st.just(NULL), others)


def feasts(column: Sequence[bytes | None]) -> list[Any]:
    """What Feast's server makes of the same bytes; but for NaT, of which it makes the least of all integers."""
    values = [None if raw is None else Value.FromString(raw) for raw in column]
    return [
        None if value is None or value.unix_timestamp_val == NULL_TIMESTAMP_INT_VALUE else _value_to_native(value)
        for value in values
    ]


def same(ours: Any, theirs: Any) -> bool:
    """Equality that tells -0.0 from 0.0, 1 from 1.0 and True from 1."""
    return json.dumps(ours) == json.dumps(theirs)


def decoded(codec: ColumnCodec, *columns: RawColumn) -> tuple[list[list[Any]], bool]:
    """The values of columns, and whether they are known to hold no null."""
    values, complete = codec.decode(columns)
    return [list(column) for column in values], complete


def answered(codec: ColumnCodec, *columns: RawColumn) -> list[Any]:
    """The columns' way through a codec, up to the JSON that a client parses."""
    return [json.loads(array) for array in codec.to_json(codec.decode(columns)[0])]


@pytest.mark.parametrize("value_type", TYPES)
@examples(60)
@given(data=st.data())
def test_any_value_is_answered_as_feast_answers_it(value_type: str, data: st.DataObject) -> None:
    """All integers, floats with NaN, infinities and denormals, all of Unicode, all bytes."""
    column = data.draw(st.lists(stored(value_type), min_size=1, max_size=8))
    assert same(answered(codec_for(value_type), column), [feasts(column)])


@pytest.mark.parametrize("value_type", TYPES)
@examples(60)
@given(data=st.data())
def test_any_mixture_is_answered_as_feast_answers_it(value_type: str, data: st.DataObject) -> None:
    """Values, nulls, absences and values of other types, in one column, in any order, beside other columns."""
    rows = data.draw(st.integers(1, 8))
    cell = data.draw(st.sampled_from([cells(value_type), stored(value_type)]))
    columns = [data.draw(st.lists(cell, min_size=rows, max_size=rows)) for _ in range(data.draw(st.integers(1, 3)))]
    assert same(answered(codec_for(value_type), *columns), [feasts(column) for column in columns])


@pytest.mark.parametrize("value_type", TYPES)
@examples(40)
@given(data=st.data())
def test_columns_that_are_called_complete_hold_no_null(value_type: str, data: st.DataObject) -> None:
    """Statuses hang on it; and columns of nothing but values of their type are called so."""
    rows = data.draw(st.integers(1, 6))
    cell = data.draw(st.sampled_from([cells(value_type), stored(value_type)]))
    columns = [data.draw(st.lists(cell, min_size=rows, max_size=rows)) for _ in range(2)]
    values, complete = decoded(codec_for(value_type), *columns)
    nulls = [[value is None for value in feasts(column)] for column in columns]
    assert [[value is None for value in column] for column in values] == nulls
    if complete:
        assert not any(map(any, nulls))
    field, _ = CONTENTS[value_type]
    is_there = [raw and Value.FromString(raw).WhichOneof("val") == field for column in columns for raw in column]
    if all(is_there) and not any(map(any, nulls)):
        assert complete


@pytest.mark.parametrize("value_type", ["INT32", "INT64", "BOOL", "UNIX_TIMESTAMP", "STRING"])
def test_an_explicit_null_is_seen_before_and_after_other_nulls(value_type: str) -> None:
    """A fresh codec, since one that has seen an explicit null looks at every column more closely."""
    codec = _fresh(value_type)
    field, _ = CONTENTS[value_type]
    value = Value(**{field: "" if value_type == "STRING" else 1}).SerializeToString()
    for column in ([value, value], [value, NULL], [value, value], [NULL, value], [NULL]):
        (values,), complete = decoded(codec, column)
        assert complete == (NULL not in column)
        assert [item is None for item in values] == [raw == NULL for raw in column]


def test_what_feast_stores_for_nat_is_null() -> None:
    """A time that was missing when it was materialized; Feast's own server answers the number that it keeps for it."""
    (value,) = python_values_to_proto_values(np.array(["NaT"], dtype="datetime64[us]"), ValueType.UNIX_TIMESTAMP)
    raw = value.SerializeToString()
    assert _value_to_native(value) == NULL_TIMESTAMP_INT_VALUE
    assert decoded(codec_for("UNIX_TIMESTAMP"), [raw, raw]) == ([[None, None]], False)


@pytest.mark.parametrize("value_type", ["FLOAT", "DOUBLE"])
@pytest.mark.parametrize(
    "rows", [1, 2, UNPACK_ROWS - 1, UNPACK_ROWS, UNPACK_ROWS + 1, 2 * UNPACK_ROWS, 2 * UNPACK_ROWS + 1, 300]
)
@pytest.mark.parametrize("width", [1, 2, 3])
def test_floats_survive_the_seams_between_unpackings(value_type: str, rows: int, width: int) -> None:
    """Values are unpacked 128 at a time; those at either side of a seam are their own."""
    field, _ = CONTENTS[value_type]
    expected = [[float(1000 * place + row) for row in range(rows)] for place in range(width)]
    columns: list[list[bytes | None]] = [
        [Value(**{field: value}).SerializeToString() for value in column] for column in expected
    ]
    codec = codec_for(value_type)
    assert decoded(codec, *columns) == (expected, True)
    for row in {0, rows // 2, rows - 1}:
        for nothing in (b"", None, NULL):
            holed, answer = columns[-1].copy(), expected[-1].copy()
            holed[row], answer[row] = nothing, None  # type: ignore[call-overload]
            assert decoded(codec, *columns[:-1], holed) == ([*expected[:-1], answer], False)


@pytest.mark.parametrize("value_type", TYPES)
@examples(15)
@given(data=st.data())
def test_long_columns_are_answered_as_feast_answers_them(value_type: str, data: st.DataObject) -> None:
    """Up to 300 rows, drawn from a few cells."""
    pool = data.draw(st.lists(cells(value_type), min_size=1, max_size=6))
    rows = data.draw(st.integers(1, 300))
    column = [pool[row * row % len(pool)] for row in range(rows)]
    assert same(answered(codec_for(value_type), column), [feasts(column)])


@pytest.mark.parametrize("value_type", ["INT64", "STRING"])
def test_more_distinct_values_than_the_cache_holds_are_all_right(value_type: str) -> None:
    """The cache is emptied in the middle of a column, and what it held is read anew."""
    codec = _fresh(value_type)
    field, _ = CONTENTS[value_type]
    expected = [str(number) if value_type == "STRING" else number for number in range(CACHE_ENTRIES + 500)]
    column = [Value(**{field: content}).SerializeToString() for content in expected]
    for _ in range(2):
        assert decoded(codec, column) == ([expected], True)
        assert len(codec) <= CACHE_ENTRIES


def test_long_strings_are_not_kept() -> None:
    """They are seldom seen twice, and would take the memory of the labels that are."""
    codec = _fresh("STRING")
    column = [Value(string_val=text).SerializeToString() for text in ("gold", "a long story, told only once")]
    assert decoded(codec, column) == ([["gold", "a long story, told only once"]], True)
    assert list(codec.values()) == ["gold"]


@pytest.mark.parametrize(
    "column",
    [
        [1.0, NAN],
        [INFINITY, -INFINITY],
        [INFINITY],
        [NAN, None],
        [1.7e308, 1.7e308, 1.7e308],
        [DENORMAL, -0.0],
        [DENORMAL32],
        [None],
        [3.4028234663852886e38, None, NAN],
    ],
    ids=str,
)
def test_no_float_is_lost_in_json(column: list[float | None]) -> None:
    """Left alone, orjson writes NaN and infinities as null; and a sum that overflows mustn't spoil finite values."""
    for value_type in ("FLOAT", "DOUBLE"):
        arrays = codec_for(value_type).to_json([column, [0.5] * len(column)])
        answer, other = map(json.loads, arrays)
        assert same(answer, [jsonable(value) for value in column])
        assert [value is None for value in answer] == [value is None for value in column]
        assert other == [0.5] * len(column)


@pytest.mark.parametrize("number", [0.1, 16777216.0, 1e16, 1e-7, DENORMAL32, 3.4028234663852886e38, -0.0])
def test_a_float32_is_the_double_that_it_widens_to(number: float) -> None:
    """0.1 is answered as 0.10000000149011612, as Feast does it."""
    (widened,) = struct.unpack("<f", struct.pack("<f", number))
    ((answer,),) = answered(codec_for("FLOAT"), [Value(float_val=number).SerializeToString()])
    assert struct.pack("<d", answer) == struct.pack("<d", widened)


def test_names_of_numbers_that_json_lacks() -> None:
    """As protobuf's JSON mapping has them, at any depth."""
    nested = {"a": [NAN, {"b": INFINITY}], "c": (-INFINITY, 1.5), "d": "NaN"}
    assert jsonable(nested) == {"a": ["NaN", {"b": "Infinity"}], "c": ["-Infinity", 1.5], "d": "NaN"}


def test_a_null_of_either_form_is_null() -> None:
    """Feast writes an empty message; other writers may set null_val."""
    for value_type in TYPES:
        assert answered(codec_for(value_type), [b"", None, NULL]) == [[None, None, None]]


@pytest.mark.parametrize("value_type", TYPES)
def test_a_value_that_is_cut_short_is_never_answered(value_type: str) -> None:
    """Bytes that no writer meant are an error, not another value."""
    field, _ = CONTENTS[value_type]
    content = {"STRING": "abc", "BYTES": b"abc", "BOOL": True}.get(value_type, 1_000_000)
    raw = Value(**{field: content}).SerializeToString()[:-1]
    with pytest.raises((IndexError, ValueError, ProtobufDecodeError, FeatureServiceError)):
        answered(_fresh(value_type), [raw])


def _fresh(value_type: str) -> Any:
    """A codec that has seen nothing, where it makes a difference."""
    codec = codec_for(value_type)
    if not isinstance(codec, ScalarCodec):
        return codec
    return ScalarCodec(codec._tag, "text" if codec._text else "bool" if codec._bool else "int")
