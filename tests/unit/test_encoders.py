"""Values on their way into Feast's bytes: what fits is stored as it is, what doesn't is refused, in words that help."""

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from feast.protos.feast.types.Value_pb2 import Value
from feast.value_type import ValueType
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from service.codec.encoders import Unencodable, encoder_for
from service.codec.messages import parse_value
from service.codec.scalar_encoders import SHORT_LENGTHS, SMALL_INTEGERS
from service.errors import NotSupported
from tests.http.handmade.examples import examples

NAN, INFINITY = float("nan"), float("inf")
SOME_UUID = "63689874-e760-11f1-95d0-02fc00000001"
TYPES = sorted(value_type.name for value_type in ValueType if value_type.name not in ("UNKNOWN", "NULL"))

# What a message says that a value must be.
WANTED = {
    "INT64": "an integer that fits 64 bits",
    "INT32": "an integer that fits 32 bits",
    "FLOAT": "a number that fits a 32-bit float",
    "DOUBLE": "a number that fits a 64-bit float",
    "BOOL": "true or false",
    "STRING": "a string",
    "BYTES": "a string of base64",
    "UNIX_TIMESTAMP": "a time in whole seconds, as seconds since 1970 or an ISO 8601 string",
    "ZONED_TIMESTAMP": "a time in whole seconds as an ISO 8601 string",
    "UUID": "a UUID",
    "DECIMAL": "a decimal number as a string",
    "JSON": "a JSON value, or JSON text as a string",
    "INT64_LIST": "a list, each item an integer that fits 64 bits",
    "INT32_SET": "a list, each item an integer that fits 32 bits",
    "FLOAT_LIST": "a list, each item a number that fits a 32-bit float",
    "STRING_LIST": "a list, each item a string",
    "STRING_SET": "a list, each item a string",
    "MAP": "an object",
    "STRUCT": "an object",
    "MAP_LIST": "a list of objects",
    "STRUCT_LIST": "a list of objects",
    "SCALAR_MAP": "an object whose keys are numbers, true, false, UUIDs or times",
    "VALUE_LIST": "a list of lists",
    "VALUE_SET": "a list of lists",
}

JSON_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(
        ["NaN", "Infinity", "aGk=", SOME_UUID, "1.50", "2026-01-01T10:00:00Z", '{"a": [1]}', '[{"b": 1}]', "true", "7"]
    ),
)
ARROW_SCALARS = st.one_of(st.binary(max_size=3), st.datetimes(), st.dates(), st.decimals(), st.uuids(), st.timedeltas())
ANYTHING = st.recursive(
    st.one_of(JSON_SCALARS, ARROW_SCALARS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=5,
)


def encoded(value_type: str, value: Any) -> Value:
    """What a reader of Redis sees."""
    return Value.FromString(encoder_for(value_type).encode([value])[0])


def read_back(value_type: str, value: Any) -> Any:
    """What an answer would hold."""
    return parse_value(encoder_for(value_type).encode([value])[0])


def fits(value_type: str, value: Any) -> bool:
    """Whether a column of the value alone can be encoded."""
    try:
        encoder_for(value_type).encode([value])
    except Unencodable:
        return False
    return True


@pytest.mark.parametrize("value_type", TYPES)
@examples(40)
@given(value=ANYTHING)
def test_a_value_is_either_stored_or_named_a_problem(value_type: str, value: Any) -> None:
    """Nothing is refused without a reason, nothing has a problem and is stored, and nothing else is ever raised."""
    problem = encoder_for(value_type).problem(value)
    assert fits(value_type, value) == (problem is None)
    if problem is not None:
        assert problem.startswith("must be ")
        assert f"({value_type}), not " in problem
        assert len(problem) < 400
        problem.encode()


@pytest.mark.parametrize("value_type", TYPES)
@examples(15)
@given(data=st.data())
def test_a_column_is_its_values(value_type: str, data: st.DataObject) -> None:
    """Whatever stands beside a value: others of its kind, nulls, other forms."""
    values = [value for value in data.draw(st.lists(ANYTHING, max_size=12)) if fits(value_type, value)]
    rows = [values[place % len(values)] for place in range(len(values) * 2)]
    encoder = encoder_for(value_type)
    assert encoder.encode(rows) == [encoder.encode([value])[0] for value in rows]
    if not fits(value_type, (misfit := timedelta(1))):
        with pytest.raises(Unencodable):
            encoder.encode([*rows, misfit, *rows])


@pytest.mark.parametrize("value_type", TYPES)
def test_columns_without_values(value_type: str) -> None:
    """No rows, and nothing but nulls: a null is an empty message."""
    encoder = encoder_for(value_type)
    assert encoder.encode([]) == []
    assert encoder.encode([None, None]) == [b"", b""]
    assert encoder.problem(None) is None


@pytest.mark.parametrize("value_type", ["UNKNOWN", "NULL", "INT128", ""])
def test_types_that_hold_nothing(value_type: str) -> None:
    """Feast names two types that no value has."""
    with pytest.raises(NotSupported, match="can't be stored"):
        encoder_for(value_type)


@pytest.mark.parametrize(
    ("value_type", "value", "came"),
    [
        ("INT64", "x", 'the string "x"'),
        ("INT64", "1", 'the string "1"'),
        ("INT64", 3.7, "the number 3.7"),
        ("INT64", True, "true"),
        ("INT64", NAN, "NaN; null is written null"),
        ("INT64", INFINITY, "Infinity"),
        ("INT64", 2.0**60, "the number 1.152921504606847e+18"),
        ("INT64", 2**63, "the number 9223372036854775808"),
        ("INT64", 10**40, "an enormous integer"),
        ("INT64", [1], "a list"),
        ("INT64", Decimal(1), "the decimal 1"),
        ("INT64", timedelta(1), "a timedelta"),
        ("INT32", 2**40, "the number 1099511627776"),
        ("INT32", -(2**31) - 1, "the number -2147483649"),
        ("FLOAT", NAN, "NaN; null is written null"),
        ("FLOAT", "NaN", "NaN; null is written null"),
        ("FLOAT", 1e39, "the number 1e+39"),
        ("FLOAT", True, "true"),
        ("FLOAT", "1.5", 'the string "1.5"'),
        ("DOUBLE", Decimal("sNaN"), "NaN; null is written null"),
        ("DOUBLE", 2**53 + 1, "the number 9007199254740993, which a 64-bit float can't hold exactly"),
        ("DOUBLE", 10**400, "an enormous integer, which a 64-bit float can't hold exactly"),
        (
            "DOUBLE",
            Decimal("0.12345678901234567890"),
            "the decimal 0.12345678901234567890, which a 64-bit float can't hold exactly",
        ),
        ("BOOL", 1, "the number 1"),
        ("BOOL", "true", 'the string "true"'),
        ("STRING", 5, "the number 5"),
        ("STRING", "\ud800", "a string that holds half a character"),
        ("STRING", b"raw", "3 bytes"),
        ("BYTES", "a", 'the string "a"'),
        ("BYTES", "aGk", 'the string "aGk"'),
        ("BYTES", "aG_-", 'the string "aG_-"'),
        ("BYTES", "a Gk=", 'the string "a Gk="'),
        ("BYTES", "aGk=aGk=", 'the string "aGk=aGk="'),
        ("BYTES", "ä", 'the string "ä"'),
        ("UNIX_TIMESTAMP", "soon", 'the string "soon"'),
        ("UNIX_TIMESTAMP", "2026-01-01T10:00:00.5Z", 'the string "2026-01-01T10:00:00.5Z", which has a fraction of a second'),
        (
            "UNIX_TIMESTAMP",
            datetime(2026, 1, 1, microsecond=1),
            "the time 2026-01-01T00:00:00.000001, which has a fraction of a second",
        ),
        ("UNIX_TIMESTAMP", 1.5, "the number 1.5"),
        ("ZONED_TIMESTAMP", date(2026, 1, 31), "the date 2026-01-31"),
        (
            "ZONED_TIMESTAMP",
            "2026-01-01T10:00:00+05:00[Europe/Berlin]",
            'the string "2026-01-01T10:00:00+05:00" in Europe/Berlin, which has another offset at that time',
        ),
        ("ZONED_TIMESTAMP", "2026-01-01T10:00:00Z[Mars/Olympus]", 'a time in the string "Mars/Olympus", which is no time zone'),
        ("UUID", "63689874", 'the string "63689874"'),
        ("UUID", "", 'the string ""'),
        ("DECIMAL", 1.5, "the number 1.5"),
        ("DECIMAL", "1_000", 'the string "1_000"'),
        ("DECIMAL", "nan", "NaN; null is written null"),
        ("DECIMAL", "1e999999999999999999999", 'the string "1e999999999999999999999", whose exponent is too large'),
        ("JSON", "hello", 'the string "hello"'),
        ("JSON", NAN, "NaN; null is written null"),
        ("JSON", {"at": date(2026, 1, 31)}, "an object with something that JSON can't express"),
        ("INT64_LIST", 5, "the number 5"),
        ("INT64_LIST", [1, None], "a list whose item [1] is null"),
        ("INT64_LIST", [1.0], "a list whose item [0] is the number 1.0"),
        ("INT32_SET", [1, 2, 2**31], "a list whose item [2] is the number 2147483648"),
        ("FLOAT_LIST", [INFINITY, 1e39], "a list whose item [1] is the number 1e+39"),
        ("STRING_LIST", "abc", 'the string "abc"'),
        ("STRING_SET", ["a", "\ud800"], "a list whose item [1] is a string that holds half a character"),
        ("MAP", [], "a list"),
        ("MAP", "[1]", "a list"),
        ("MAP", "{", 'the string "{", which isn\'t JSON'),
        ("MAP", {"a": []}, 'an object whose item ["a"] is an empty list, whose type can\'t be told'),
        ("MAP", '{"\\ud800": 1}', 'the string "{"\\ud800": 1}"'),
        ("MAP", {"é": {"b": [1, 2.5]}}, 'an object whose item ["é"]["b"] is a list of items of different types'),
        ("MAP", {"a": [{"b": 1}, 5]}, 'an object whose item ["a"][1] is the number 5'),
        ("MAP", {"a": [[1]]}, 'an object whose item ["a"] is a list'),
        ("MAP", {"a": NAN}, 'an object whose item ["a"] is NaN; null is written null'),
        ("MAP", {"a": [1, None]}, 'an object whose item ["a"] is null'),
        ("STRUCT", {"a": 2**63}, 'an object whose item ["a"] is the number 9223372036854775808'),
        ("STRUCT", {1: "x"}, "an object with a key that is the number 1"),
        ("MAP_LIST", ['{"a": 1}', "[]"], "a list whose item [1] is a list"),
        ("STRUCT_LIST", {"a": 1}, "an object"),
        ("SCALAR_MAP", {"abc": 1}, 'an object with a key that is the string "abc"'),
        ("SCALAR_MAP", {7: []}, 'an object whose item ["7"] is an empty list, whose type can\'t be told'),
        ("VALUE_LIST", [[1], 2], "a list whose item [1] is the number 2"),
        ("VALUE_LIST", [[[1], 2]], "a list whose item [0] is a list"),
        ("VALUE_SET", ["ab"], 'a list whose item [0] is the string "ab"'),
    ],
    ids=str,
)
def test_what_is_refused_and_what_is_said(value_type: str, value: Any, came: str) -> None:
    """Nothing is coerced; the reason says what would be right, and what came."""
    assert encoder_for(value_type).problem(value) == f"must be {WANTED[value_type]} ({value_type}), not {came}"
    assert not fits(value_type, value)


@pytest.mark.parametrize(
    ("value_type", "value", "answer"),
    [
        ("INT64", 25.0, 25),  # pandas makes floats of integers beside which a null stands
        ("INT32", -0.0, 0),
        ("INT64", float(2**53), 2**53),
        ("UNIX_TIMESTAMP", 1.7e9, 1_700_000_000),
        ("UNIX_TIMESTAMP", "1970-01-02", 86_400),
        ("UNIX_TIMESTAMP", "1969-12-31T23:59:59.000000000Z", -1),
        ("UNIX_TIMESTAMP", -(2**63), -(2**63)),
        ("FLOAT", 3, 3.0),
        ("FLOAT", 3.4028235677973362e38, 3.4028234663852886e38),  # rounds to the largest float32
        ("FLOAT", "-Infinity", -INFINITY),
        ("DOUBLE", Decimal("0.1"), 0.1),
        ("DOUBLE", 2**70, float(2**70)),
        ("BYTES", "", ""),
        ("BYTES", b"hi", "aGk="),
        ("UUID", SOME_UUID.replace("-", "").upper(), SOME_UUID.replace("-", "").upper()),
        ("UUID", UUID(SOME_UUID), SOME_UUID),
        ("DECIMAL", "+1.50E-3", "+1.50E-3"),
        ("DECIMAL", Decimal("1.50"), "1.50"),
        ("DECIMAL", "-Infinity", "-Infinity"),
        ("JSON", "NaN", "NaN"),  # what Python's json writes, and Feast takes for JSON
        ("JSON", {"b": 1, "é": [None]}, '{"b": 1, "\\u00e9": [null]}'),
        ("JSON", False, "false"),
        ("JSON_LIST", [None, 1.0, '"text"', {}], ["null", "1.0", '"text"', "{}"]),
        ("DOUBLE_LIST", [1, "Infinity", Decimal("0.5")], [1.0, INFINITY, 0.5]),
        ("DECIMAL_LIST", ["NaN", "1"], ["NaN", "1"]),
        ("INT64_SET", [3, 1, 3, 2, 1], [3, 1, 2]),
        ("BYTES_SET", ["aGk=", b"hi"], ["aGk="]),
        ("UNIX_TIMESTAMP_SET", [0, "1970-01-01", datetime(1970, 1, 1)], [0]),
        ("FLOAT_LIST", [], []),
        ("MAP", {}, {}),
        ("MAP", '{"a": {"b": [1]}}', {"a": {"b": [1]}}),
        ("MAP_LIST", '[{"a": 1}]', [{"a": 1}]),
        ("STRUCT_LIST", ['{"a": null}', {}], [{"a": None}, {}]),
        ("SCALAR_MAP", {"1": {}, "2.5": "x", "true": None}, {"1": {}, "2.5": "x", "true": None}),
        ("VALUE_LIST", [[1], [], None, [["a"], None]], [[1], None, None, [["a"], None]]),
        ("ZONED_TIMESTAMP", "2026-07-01T12:00:00+02:00[Europe/Berlin]", "2026-07-01T12:00:00+02:00"),
        ("ZONED_TIMESTAMP", "2026-07-01T10:00:00Z[Europe/Berlin]", "2026-07-01T12:00:00+02:00"),
        ("ZONED_TIMESTAMP", datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("Europe/Berlin")), "2026-07-01T12:00:00+02:00"),
    ],
    ids=str,
)
def test_other_forms_of_the_same_value(value_type: str, value: Any, answer: Any) -> None:
    """What stands for a value without a doubt, and how an answer then has it."""
    assert encoder_for(value_type).problem(value) is None
    assert repr(read_back(value_type, value)) == repr(answer)


@pytest.mark.parametrize(
    ("sent", "zone"),
    [
        ("2026-01-01T10:00:00", ""),
        ("2026-01-01T10:00:00Z", "UTC"),
        ("2026-01-01T10:00:00+05:30", "UTC+05:30"),
        ("2026-01-01T10:00:00.000-07:00", "UTC-07:00"),
        ("2026-01-01T11:00:00+01:00[Europe/Berlin]", "Europe/Berlin"),
        (datetime(2026, 1, 1, 10, tzinfo=timezone(timedelta(hours=1))), "UTC+01:00"),
    ],
    ids=str,
)
def test_the_zone_is_kept(sent: Any, zone: str) -> None:
    """By the name that Feast gives it."""
    assert encoded("ZONED_TIMESTAMP", sent).zoned_timestamp_val.zone == zone


@pytest.mark.parametrize(
    ("key", "field"),
    [
        ("7", "int64_key"),
        ("-9223372036854775808", "int64_key"),
        ("7.0", "double_key"),
        ("1e+16", "double_key"),
        ("-Infinity", "double_key"),
        ("false", "bool_key"),
        (SOME_UUID, "uuid_key"),
        ("2026-01-01T10:00:00Z", "unix_timestamp_key"),
        (True, "bool_key"),
        (7, "int64_key"),
        (7.5, "double_key"),
        (b"\xff", "bytes_key"),
        (Decimal("1.5"), "decimal_key"),
        (datetime(2026, 1, 1, tzinfo=UTC), "unix_timestamp_key"),
    ],
    ids=str,
)
def test_keys_that_are_no_strings(key: Any, field: str) -> None:
    """In JSON, where all keys are strings, they are read as json.dumps writes them."""
    (entry,) = encoded("SCALAR_MAP", {key: "x"}).scalar_map_val.val
    assert entry.key.WhichOneof("key") == field


@pytest.mark.parametrize("number", [0, 1, 127, 128, SMALL_INTEGERS - 1, SMALL_INTEGERS, 2**14, 2**31 - 1, -1, -(2**31)])
def test_integers_at_the_seams(number: int) -> None:
    """Small ones are looked up, others written in one go for the column, with their neighbours."""
    for value_type, field in (("INT32", "int32_val"), ("INT64", "int64_val"), ("UNIX_TIMESTAMP", "unix_timestamp_val")):
        for column in ([number], [number, 5, 2**30], [5] * 300 + [number]):
            expected = [Value(**{field: item}).SerializeToString() for item in column]
            assert encoder_for(value_type).encode(column) == expected


@pytest.mark.parametrize("length", [0, 1, 127, 128, SHORT_LENGTHS - 1, SHORT_LENGTHS, 20_000])
def test_strings_of_any_length(length: int) -> None:
    """Heads of short ones are looked up."""
    column = ["a" * length, "é", "x" * 3]
    assert encoder_for("STRING").encode(column) == [Value(string_val=text).SerializeToString() for text in column]


@pytest.mark.parametrize(
    ("value_type", "innermost", "wrap"),
    [
        ("MAP", {"a": 1}, lambda inner: {"a": inner}),
        ("MAP", {"a": [1]}, lambda inner: {"a": [inner]}),
        ("STRUCT_LIST", [{"a": 1}], lambda inner: [{"a": inner[0]}]),
        ("SCALAR_MAP", {"1": {"a": 1}}, lambda inner: {"1": {"a": inner["1"]}}),
        ("VALUE_LIST", [[1]], lambda inner: [inner]),
    ],
    ids=["map", "map of a list", "list of structs", "scalar map", "list of values"],
)
def test_nothing_is_stored_that_is_too_deep_to_be_read(value_type: str, innermost: Any, wrap: Any) -> None:
    """Protobuf writes what it then refuses to parse; the deepest value that it parses is still taken."""
    value = innermost
    while encoder_for(value_type).problem(value) is None:
        encoded(value_type, value)
        value = wrap(value)
    assert str(encoder_for(value_type).problem(value)).endswith("is something that is nested too deeply")
    for _ in range(2_000):
        value = wrap(value)
    assert not fits(value_type, value)


def test_the_limit_of_depth_is_protobufs_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it, the first map that is refused is one that can't be parsed."""
    value = {"a": 1}
    while fits("MAP", value):
        value = {"a": value}  # type: ignore[dict-item]
    monkeypatch.setattr("service.codec.map_encoders.DEEPEST", 1_000)
    raw = encoder_for("MAP").encode([value])[0]
    with pytest.raises(DecodeError):
        Value.FromString(raw)


def test_json_text_that_is_nested_without_end() -> None:
    """It is refused, and doesn't end the process."""
    for value_type in ("JSON", "MAP", "MAP_LIST", "STRUCT"):
        assert encoder_for(value_type).problem("[" * 100_000 + "]" * 100_000) is not None


def test_maps_are_sorted_by_key() -> None:
    """Feast leaves the order to chance, which makes equal rows differ."""
    names = [f"key {number:02d}" for number in range(40)]
    for content in (dict.fromkeys(names, 1), dict.fromkeys(reversed(names), 1)):
        for value_type, value in (("MAP", content), ("STRUCT", {"a": content}), ("MAP_LIST", [content])):
            (raw,) = encoder_for(value_type).encode([value])
            places = [raw.index(name.encode()) for name in names]
            assert places == sorted(places)


def test_encoding_imports_nothing_heavy() -> None:
    """Feast's protobuf module is loaded by its path, so a worker that writes stays as small as one that reads."""
    script = (
        "import sys; from service.codec.encoders import encoder_for; from service.codec.event_times import parse_event_times;"
        f"[encoder_for(name).encode([None]) for name in {TYPES!r}]; parse_event_times(['2026-01-01']);"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert "google" in printed
    assert not {"feast", "pandas", "pyarrow", "numpy"} & set(printed)
