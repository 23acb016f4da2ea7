"""Values without a fast reader: collections, maps, structs, zoned timestamps, read as Feast's own server reads them."""

import base64
import json
import subprocess
import sys
from typing import Any

import pytest
from feast.feature_server_utils import convert_response_to_dict
from feast.protos.feast.serving.ServingService_pb2 import GetOnlineFeaturesResponse
from feast.protos.feast.types.Value_pb2 import (
    Map,
    MapList,
    RepeatedValue,
    ScalarMap,
    ScalarMapEntry,
    Value,
    ZonedTimestamp,
)
from feast.type_map import NULL_TIMESTAMP_INT_VALUE
from hypothesis import given
from hypothesis import strategies as st

from service.codec.messages import NULL_TIMESTAMP, parse_value
from service.codec.values import codec_for, jsonable
from tests.http.handmade.examples import examples

INT32 = st.integers(-(2**31), 2**31 - 1)
INT64 = st.integers(-(2**63), 2**63 - 1)
SCALARS = {
    "int32": INT32,
    "int64": INT64,
    "float": st.floats(width=32),
    "double": st.floats(),
    "bool": st.booleans(),
    "string": st.text(max_size=20),
    "bytes": st.binary(max_size=20),
    "unix_timestamp": INT64,
    "uuid": st.uuids().map(str),
    "time_uuid": st.uuids().map(str),
    "decimal": st.decimals().map(str),
    "json": st.sampled_from(['{"a": [1, 2.50, null]}', "null", "1e400", "", '"é"']),
}
# 1900 to 2100: what every zone's rules cover.
MOMENTS = st.one_of(st.integers(-(2**31), 2**32), st.just(NULL_TIMESTAMP_INT_VALUE))
ZONES = ["", "UTC", "GMT", "Europe/Berlin", "Asia/Kolkata", "America/New_York", "UTC-07:00", "+05:30", "+0530", "No/Such"]
FIELDS = [field.name for field in Value.DESCRIPTOR.fields]


def _set(field: str, content: Any) -> Value:
    value = Value()
    if isinstance(content, list):
        getattr(value, field).SetInParent()
        getattr(value, field).val.extend(content)
    elif hasattr(content, "SerializeToString"):
        getattr(value, field).CopyFrom(content)
    else:
        setattr(value, field, content)
    return value


def _of(field: str, contents: st.SearchStrategy[Any]) -> st.SearchStrategy[Value]:
    return contents.map(lambda content: _set(field, content))


def _maps(values: st.SearchStrategy[Value]) -> st.SearchStrategy[Map]:
    return st.dictionaries(st.text(max_size=8), values, max_size=3).map(lambda content: Map(val=content))


def _nested(inner: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    lists, maps = st.lists(inner, max_size=3), _maps(inner)
    return st.one_of(
        _of("list_val", lists.map(lambda items: RepeatedValue(val=items))),
        _of("set_val", lists.map(lambda items: RepeatedValue(val=items))),
        _of("map_val", maps),
        _of("struct_val", maps),
        _of("map_list_val", st.lists(maps, max_size=3).map(lambda items: MapList(val=items))),
        _of("struct_list_val", st.lists(maps, max_size=3).map(lambda items: MapList(val=items))),
    )


NULLS = st.sampled_from([Value(), Value(null_val=0)])
SINGLE = {f"{name}_val": _of(f"{name}_val", contents) for name, contents in SCALARS.items()}
FLAT = SINGLE | {
    f"{name}_{kind}_val": _of(f"{name}_{kind}_val", st.lists(contents, max_size=5))
    for name, contents in SCALARS.items()
    for kind in ("list", "set")
    if f"{name}_{kind}_val" in FIELDS
}
ZONED = _of("zoned_timestamp_val", st.builds(ZonedTimestamp, unix_timestamp=MOMENTS, zone=st.sampled_from(ZONES)))
LEAVES = st.one_of(NULLS, ZONED, *FLAT.values())
ANYTHING = st.recursive(LEAVES, _nested, max_leaves=8)


def feasts(value: Value) -> Any:
    """What Feast's server answers."""
    response = GetOnlineFeaturesResponse()
    response.results.add().values.append(value)
    return convert_response_to_dict(response)["results"][0]["values"][0]


def same(ours: Any, theirs: Any) -> bool:
    """Equality that tells -0.0 from 0.0, 1 from 1.0 and True from 1."""
    return json.dumps(ours, sort_keys=True) == json.dumps(theirs, sort_keys=True)


@pytest.mark.parametrize("field", sorted(FLAT))
@examples(25)
@given(data=st.data())
def test_every_flat_field_is_read_as_feast_reads_it(field: str, data: st.DataObject) -> None:
    """Each scalar, list and set that a Value can hold."""
    value = data.draw(FLAT[field])
    assert same(jsonable(parse_value(value.SerializeToString())), feasts(value))


@examples(200)
@given(value=ANYTHING)
def test_nested_values_are_read_as_feast_reads_them(value: Value) -> None:
    """Lists, sets, maps and structs of one another, nulls within, down to where they end."""
    assert same(jsonable(parse_value(value.SerializeToString())), feasts(value))


@examples(50)
@given(values=st.lists(ANYTHING, min_size=1, max_size=6))
def test_a_column_of_messages_is_one_json_array(values: list[Value]) -> None:
    """NaN and infinities are strings at any depth; base64 and text come through JSON unharmed."""
    codec = codec_for("MAP")
    decoded, complete = codec.decode([[value.SerializeToString() for value in values]])
    (array,) = codec.to_json(decoded)
    assert same(json.loads(array), [feasts(value) for value in values])
    assert complete == all(feasts(value) is not None for value in values)


@examples(100)
@given(moment=MOMENTS, zone=st.sampled_from(ZONES))
def test_a_zoned_timestamp_is_told_in_its_zone(moment: int, zone: str) -> None:
    """IANA names, offsets in all their spellings, and UTC for what is no zone."""
    value = Value(zoned_timestamp_val=ZonedTimestamp(unix_timestamp=moment, zone=zone))
    assert parse_value(value.SerializeToString()) == feasts(value)


@pytest.mark.parametrize(
    ("moment", "zone"), [(2**62, "UTC"), (-(2**62), "UTC"), (253402300800, ""), (0, "+99:99"), (0, "UTC+24:00")]
)
def test_a_zoned_timestamp_that_no_calendar_has_is_its_seconds(moment: int, zone: str) -> None:
    """Stock answers 500 for the whole request."""
    value = Value(zoned_timestamp_val=ZonedTimestamp(unix_timestamp=moment, zone=zone))
    assert parse_value(value.SerializeToString()) == moment


@pytest.mark.parametrize("zone", ["\x00", "../../etc/passwd", "x" * 5000, "/etc/localtime"])
def test_a_strange_zone_is_utc(zone: str) -> None:
    """Whatever was stored as a zone, the answer is a time."""
    value = Value(zoned_timestamp_val=ZonedTimestamp(unix_timestamp=1_700_000_000, zone=zone))
    assert parse_value(value.SerializeToString()) == "2023-11-14T22:13:20+00:00"


def test_a_map_with_other_keys_than_strings_is_an_object() -> None:
    """Each key as its value would be written; stock answers null."""
    entries = {
        "int32_key": (7, "7"),
        "int64_key": (-5, "-5"),
        "bool_key": (True, "true"),
        "bytes_key": (b"\xff", base64.b64encode(b"\xff").decode()),
        "double_key": (1.5, "1.5"),
        "unix_timestamp_key": (1_700_000_000, "1700000000"),
        "decimal_key": ("1.10", "1.10"),
    }
    message = ScalarMap()
    for position, (field, (content, _)) in enumerate(entries.items()):
        entry = ScalarMapEntry(value=Value(int64_val=position))
        setattr(entry.key, field, content)
        message.val.append(entry)
    parsed = parse_value(Value(scalar_map_val=message).SerializeToString())
    assert parsed == {text: position for position, (_, text) in enumerate(entries.values())}


def test_every_field_of_a_value_is_covered_here() -> None:
    """A field that a later Feast adds is to be thought of."""
    nested = {"list_val", "set_val", "map_val", "struct_val", "map_list_val", "struct_list_val", "scalar_map_val"}
    assert {*FLAT, *nested, "null_val", "zoned_timestamp_val"} == set(FIELDS)


def test_the_null_timestamp_is_feasts() -> None:
    """The number that stands for NaT."""
    assert NULL_TIMESTAMP == NULL_TIMESTAMP_INT_VALUE


def test_values_are_read_without_importing_feast() -> None:
    """It takes seconds and 130 MB, which the serving process must not pay."""
    script = (
        "import sys; from service.codec.messages import parse_value, value_module;"
        "raw = value_module().Value(string_list_val={'val': ['a', 'b']}).SerializeToString();"
        "print(parse_value(raw), sorted({name.partition('.')[0] for name in sys.modules} & {'feast', 'pandas', 'pyarrow'}))"
    )
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert printed == "['a', 'b'] []\n"
