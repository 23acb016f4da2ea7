"""Values of every type, encoded to the very bytes that Feast makes of them; and of what Feast's SDK sends for them."""

import json
import uuid
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
import requests
from feast.infra.online_stores.remote import RemoteOnlineStore
from feast.protos.feast.types.Value_pb2 import Value
from feast.type_map import python_values_to_proto_values
from feast.value_type import ValueType
from hypothesis import given
from hypothesis import strategies as st

from service.codec.encoders import encoder_for
from tests.http.handmade.examples import examples

# What Python code has, and what a client sends for it.
Pairs = st.SearchStrategy[tuple[Any, Any]]

INFINITY = float("inf")
LARGEST32 = 3.4028234663852886e38
ZONES = [None, UTC, timezone(timedelta(hours=-7)), timezone(timedelta(hours=5, minutes=30)), ZoneInfo("Europe/Berlin")]
INT64 = st.integers(-(2**63), 2**63 - 1)
DOUBLES = st.floats(allow_nan=False)
SECONDS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)).map(lambda moment: moment.replace(microsecond=0))
UUIDS = st.uuids()
DECIMALS = st.decimals(allow_nan=False)


def as_they_are(values: st.SearchStrategy[Any]) -> Pairs:
    """A client may send what Python code has."""
    return values.map(lambda value: (value, value))


def either(values: st.SearchStrategy[Any], *forms: Callable[[Any], Any]) -> Pairs:
    """A client sends it as one of several forms."""
    return st.tuples(values, st.sampled_from(forms)).map(lambda drawn: (drawn[0], drawn[1](drawn[0])))


def itself(value: Any) -> Any:
    """As it is."""
    return value


def as_base64(data: bytes) -> str:
    """As answers have it."""
    return b64encode(data).decode()


def epoch_seconds(moment: datetime) -> int:
    """Seconds since 1970 of a naive time in UTC."""
    return (moment - datetime(1970, 1, 1)) // timedelta(seconds=1)


def in_utc(moment: datetime) -> datetime:
    """The same time, said to be UTC."""
    return moment.replace(tzinfo=UTC)


def zoned_text(moment: datetime) -> str:
    """ISO 8601, with the zone's name where it has one (RFC 9557)."""
    return moment.isoformat() + (f"[{moment.tzinfo.key}]" if isinstance(moment.tzinfo, ZoneInfo) else "")


def spelled(number: float) -> Any:
    """Infinities as answers have them."""
    return {INFINITY: "Infinity", -INFINITY: "-Infinity"}.get(number, number)


BYTES = either(st.binary(), itself, as_base64)
FLOAT32 = either(st.one_of(st.floats(-LARGEST32, LARGEST32), st.sampled_from([INFINITY, -INFINITY])), itself, spelled)
TIMES = either(
    SECONDS,
    itself,
    in_utc,
    epoch_seconds,
    datetime.isoformat,
    lambda moment: f"{in_utc(moment).isoformat(' ')}",
    lambda moment: f"{moment.isoformat()}.000Z",
)
SCALARS: dict[str, Pairs] = {
    "INT32": as_they_are(st.integers(-(2**31), 2**31 - 1)),
    "INT64": as_they_are(INT64),
    "FLOAT": st.one_of(FLOAT32, st.integers(-(2**24), 2**24).map(lambda number: (float(number), number))),
    "DOUBLE": st.one_of(either(DOUBLES, itself, spelled), st.integers(-(2**53), 2**53).map(lambda n: (float(n), n))),
    "BOOL": as_they_are(st.booleans()),
    "STRING": as_they_are(st.text()),
    "BYTES": BYTES,
    "PDF_BYTES": BYTES,
    "IMAGE_BYTES": BYTES,
    "UNIX_TIMESTAMP": TIMES,
    "UUID": either(UUIDS, itself, str),
    "TIME_UUID": either(UUIDS, itself, str),
    "DECIMAL": either(DECIMALS, itself, str),
}
LISTED = ["INT32", "INT64", "FLOAT", "DOUBLE", "BOOL", "STRING", "BYTES", "UNIX_TIMESTAMP", "UUID", "TIME_UUID", "DECIMAL"]


def lists_of(pairs: Pairs) -> Pairs:
    """A list of Python's items, and the list that a client sends."""
    return st.lists(pairs, max_size=6).map(lambda drawn: ([one for one, _ in drawn], [other for _, other in drawn]))


# What Feast infers a type for: scalars, and lists of items of one type that aren't empty.
INFERRED_SCALARS = [st.booleans(), INT64, DOUBLES, st.text()]
ARROW_SCALARS = [st.binary(min_size=1), SECONDS, UUIDS, DECIMALS]
JSON_KEYS = st.text(max_size=4)


def inferred(scalars: list[st.SearchStrategy[Any]], depth: int) -> st.SearchStrategy[Any]:
    """What a map may hold."""
    kinds = [st.none(), *scalars, *(st.lists(scalar, min_size=1, max_size=3) for scalar in scalars)]
    if depth:
        kinds += [maps(scalars, depth - 1), st.lists(maps(scalars, depth - 1), min_size=1, max_size=2)]
    return st.one_of(kinds)


def maps(scalars: list[st.SearchStrategy[Any]], depth: int = 2) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with string keys, down to `depth` more of them."""
    return st.dictionaries(JSON_KEYS, inferred(scalars, depth), max_size=3)


def nested_lists(depth: int) -> st.SearchStrategy[list[Any]]:
    """Lists of lists of lists; null and empty ones among them."""
    leaves = st.one_of([st.none(), st.just([]), *(st.lists(scalar, min_size=1, max_size=3) for scalar in INFERRED_SCALARS)])
    if not depth:
        return st.lists(leaves, max_size=3)
    # A list of nothing but nulls would be one of scalars, and has no type.
    inner = nested_lists(depth - 1).filter(lambda items: not items or any(isinstance(item, list) for item in items))
    return st.lists(st.one_of(leaves, inner), max_size=3)


JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(JSON_KEYS, inner, max_size=3)),
    max_leaves=6,
)
NOT_TEXT = JSON_VALUES.filter(lambda value: not isinstance(value, str))
JSON_ITEMS = st.one_of(NOT_TEXT, JSON_VALUES.map(json.dumps))
MAPS = st.one_of(maps(INFERRED_SCALARS), maps(INFERRED_SCALARS + ARROW_SCALARS))
MAPS_OR_TEXTS = st.one_of(as_they_are(MAPS), either(maps(INFERRED_SCALARS), json.dumps))
SCALAR_KEYS = st.one_of(st.booleans(), INT64, DOUBLES, UUIDS, SECONDS, st.binary(), DECIMALS)
# Of an empty object in a ScalarMap, Feast can't tell the type; in a Map it can.
SCALAR_MAPS = st.dictionaries(SCALAR_KEYS, inferred(INFERRED_SCALARS, 1).filter(lambda item: item != {}), max_size=4)
# Feast takes 1.0 and 1.00 for one, but gets them as one or the other from Arrow, whose decimals all have as many digits.
PRICES = either(st.decimals(-9, 9, places=2).map(abs), itself, str)

PAIRS: dict[str, Pairs] = SCALARS | {
    **{f"{item}_LIST": lists_of(SCALARS[item]) for item in LISTED},
    **{f"{item}_SET": lists_of(SCALARS[item]) for item in LISTED},
    "DECIMAL_SET": lists_of(PRICES),
    "ZONED_TIMESTAMP": either(
        st.builds(lambda moment, zone: moment.replace(tzinfo=zone), SECONDS, st.sampled_from(ZONES)), itself, zoned_text
    ),
    "JSON": as_they_are(JSON_ITEMS.filter(lambda value: value is not None and value == value)),
    "JSON_LIST": as_they_are(st.lists(JSON_ITEMS, max_size=4)),
    "MAP": MAPS_OR_TEXTS,
    "STRUCT": MAPS_OR_TEXTS,
    "MAP_LIST": lists_of(MAPS_OR_TEXTS),
    "STRUCT_LIST": lists_of(MAPS_OR_TEXTS),
    "SCALAR_MAP": as_they_are(SCALAR_MAPS),
    "VALUE_LIST": as_they_are(nested_lists(2)),
    "VALUE_SET": as_they_are(nested_lists(1)),
}
TYPES = sorted(PAIRS)
# Feast looks at the first value that isn't empty to tell what a column holds, and takes b"" for null where there is none.
COMPANIONS = {"BYTES": b"x", "PDF_BYTES": b"x", "IMAGE_BYTES": b"x"}


def feasts(value_type: str, value: Any) -> Value:
    """What Feast makes of a Python value."""
    column = [value, COMPANIONS[value_type]] if value_type in COMPANIONS else [value]
    proto: Value = python_values_to_proto_values(column, ValueType[value_type])[0]
    return proto


def stored(value: Value) -> bytes:
    """The bytes in Redis, maps sorted by key."""
    return value.SerializeToString(deterministic=True)


def contents(value: Value) -> list[str]:
    """The items of a set, in an order of their own; as text, since NaN equals nothing."""
    return sorted(map(repr, getattr(value, value.WhichOneof("val")).val))


def transported(value: Value) -> bytes | None:
    """The body with one value, as Feast's SDK would send it; None if it can't."""
    try:
        column = [RemoteOnlineStore._proto_value_to_transport_value(value)]
        body = requests.Request("POST", "http://nowhere", json={"df": {"feature": column}}).prepare().body
    except (TypeError, requests.exceptions.InvalidJSONError):
        return None
    assert isinstance(body, bytes)
    return body


@pytest.mark.parametrize("value_type", [name for name in TYPES if not name.endswith("_SET") or name == "VALUE_SET"])
@examples(60)
@given(data=st.data())
def test_a_value_is_stored_in_the_bytes_that_feast_stores(value_type: str, data: st.DataObject) -> None:
    """Whichever of the forms a client sends it in."""
    pairs = data.draw(st.lists(PAIRS[value_type], min_size=1, max_size=4))
    expected = [stored(feasts(value_type, value)) for value, _ in pairs]
    assert encoder_for(value_type).encode([sent for _, sent in pairs]) == expected


@pytest.mark.parametrize("value_type", [f"{item}_SET" for item in LISTED])
@examples(40)
@given(data=st.data())
def test_a_set_holds_what_feasts_set_holds(value_type: str, data: st.DataObject) -> None:
    """In the order in which its items first came, where Feast's order is by chance."""
    value, sent = data.draw(PAIRS[value_type])
    theirs = feasts(value_type, value)
    ours = Value.FromString(encoder_for(value_type).encode([sent])[0])
    assert ours.WhichOneof("val") == theirs.WhichOneof("val")
    assert contents(ours) == contents(theirs)
    ordered = feasts(value_type.replace("_SET", "_LIST"), list(dict.fromkeys(value)))
    assert list(getattr(ours, ours.WhichOneof("val")).val) == list(getattr(ordered, ordered.WhichOneof("val")).val)


@pytest.mark.parametrize("value_type", TYPES)
@examples(40)
@given(data=st.data())
def test_what_the_sdk_sends_becomes_the_bytes_that_it_had(value_type: str, data: st.DataObject) -> None:
    """From the SDK's own Value over its JSON, read strictly, to ours. What it can't send, it refuses by itself."""
    value = feasts(value_type, data.draw(PAIRS[value_type])[0])
    body = transported(value)
    if body is not None:
        column = msgspec.json.decode(body)["df"]["feature"]
        assert encoder_for(value_type).encode(column) == [stored(value)]
        assert encoder_for(value_type).problem(column[0]) is None


def test_what_the_sdk_never_sends() -> None:
    """`requests` writes no NaN and no infinity, and Feast hands it values that JSON lacks: so it raises before it sends."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    unsendable = {
        "FLOAT": INFINITY,
        "DOUBLE": INFINITY,
        "DOUBLE_LIST": [float("nan")],
        "BYTES": b"x",
        "PDF_BYTES": b"x",
        "IMAGE_BYTES": b"x",
        "BYTES_LIST": [b"x"],
        "DECIMAL": Decimal("1.5"),
        "DECIMAL_LIST": [Decimal("1.5")],
        "ZONED_TIMESTAMP": moment,
        "MAP": {"at": moment},
        "SCALAR_MAP": {uuid.UUID(int=1): "x"},
        "BYTES_SET": [b"x"],
        "INT64_SET": [1],
        "INT32_SET": [1],
        "STRING_SET": ["x"],
        "BOOL_SET": [True],
        "FLOAT_SET": [1.5],
        "DOUBLE_SET": [1.5],
        "DECIMAL_SET": [Decimal("1.5")],
    }
    assert {name: transported(feasts(name, value)) for name, value in unsendable.items()} == dict.fromkeys(unsendable)
    assert transported(feasts("DOUBLE", float("nan"))) == b'{"df": {"feature": [null]}}'


def test_every_type_is_drawn() -> None:
    """All that Feast's ValueType names, but for the two that stand for no type."""
    assert set(TYPES) == {value_type.name for value_type in ValueType} - {"UNKNOWN", "NULL"}


@pytest.mark.parametrize("value_type", TYPES)
def test_a_null_is_an_empty_value(value_type: str) -> None:
    """As Feast writes it, alone and beside values."""
    assert encoder_for(value_type).encode([None, None]) == [stored(feasts(value_type, None))] * 2 == [b"", b""]


def test_a_date_is_its_midnight() -> None:
    """Arrow's date32; Feast gets these from numpy as seconds."""
    assert encoder_for("UNIX_TIMESTAMP").encode([date(2026, 1, 31)]) == [
        stored(feasts("UNIX_TIMESTAMP", datetime(2026, 1, 31)))
    ]
