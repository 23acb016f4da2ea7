"""Rows that are right: in whatever form they come, Redis has them as Feast keeps them, and their outcome is answered."""

import itertools
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import httpx
import msgspec
import numpy as np
import pyarrow as pa
import pytest
import redis as redis_py
from feast.protos.feast.types.Value_pb2 import Value
from feast.type_map import python_values_to_proto_values
from feast.value_type import ValueType

from pipelines.local.redis import EmbeddedRedis
from service.catalog.definitions import OnlineStoreDefinition, encode

from .handmade import pushes
from .handmade.pushes import BASKETS, HOMES, KINDS, ORDER_STATS, ORDERS, PRICES, RATES, SCORES, START, TILLS, Pusher, at, scores
from .handmade.registry import Registry
from .handmade.rows import redis_key
from .handmade.running import Running, running

ARROW = "application/vnd.apache.arrow.stream"
# Customers that no other test knows.
CUSTOMERS = itertools.count(20_000)
SECOND = START.replace(microsecond=0)
IDENTIFIER = "0b5f2c3a-1f6e-11f0-8b9a-0242ac120002"
# What a JSON client sends for each type, and the Python value that Feast stores the same for.
JSON_VALUES: dict[str, tuple[Any, Any]] = {
    "INT32": (-(2**31), -(2**31)),
    "INT64": (2**63 - 1, 2**63 - 1),
    "FLOAT": (0.1, 0.1),
    "DOUBLE": (1, 1.0),
    "BOOL": (False, False),
    "STRING": ('süd "\u2028', 'süd "\u2028'),
    "BYTES": ("AP8=", b"\x00\xff"),
    "UNIX_TIMESTAMP": (SECOND.isoformat(), SECOND),
    "UUID": (IDENTIFIER, uuid.UUID(IDENTIFIER)),
    "DECIMAL": ("1.10", Decimal("1.10")),
    "JSON": ({"a": [1, None]}, {"a": [1, None]}),
    "ZONED_TIMESTAMP": (
        SECOND.astimezone(timezone(timedelta(hours=2))).isoformat(),
        SECOND.astimezone(timezone(timedelta(hours=2))),
    ),
    "MAP": ({"a": 1, "b": ["x"], "c": {}}, {"a": 1, "b": ["x"], "c": {}}),
    "STRUCT": ('{"a": 1}', {"a": 1}),
    "SCALAR_MAP": ({"2": "one", "true": 2}, {2: "one", True: 2}),
    "INT64_LIST": ([1, -1], [1, -1]),
    "STRING_LIST": (["", "a"], ["", "a"]),
    "BYTES_LIST": (["AP8="], [b"\x00\xff"]),
    "DOUBLE_LIST": ([0.5, "NaN", "Infinity"], [0.5, float("nan"), float("inf")]),
    "UNIX_TIMESTAMP_LIST": ([1_700_000_000, SECOND.isoformat()], [datetime.fromtimestamp(1_700_000_000, UTC), SECOND]),
    "BOOL_LIST": ([True, False], [True, False]),
    "STRING_SET": (["a", "a"], {"a"}),
    "MAP_LIST": ([{"a": 1}, {}], [{"a": 1}, {}]),
    "VALUE_LIST": ([[1, 2], [], None], [[1, 2], [], None]),
}
# What Arrow has in their place: no object without fields, and pairs for a map.
ARROW_VALUES: dict[str, Any] = {
    "MAP": [("a", 1), ("b", 2)],
    "MAP_LIST": [{"a": 1}, {"a": 2}],
    "STRING_SET": ["a"],
}
# Other Arrow types than those that pyarrow infers from the Python values.
ARROW_TYPES: dict[str, pa.DataType] = {
    "INT32": pa.int32(),
    "FLOAT": pa.float32(),
    "DOUBLE": pa.float64(),
    "STRING": pa.large_string(),
    "BYTES": pa.binary(),
    "UNIX_TIMESTAMP": pa.timestamp("ns", "UTC"),
    "DECIMAL": pa.decimal128(10, 2),
    "ZONED_TIMESTAMP": pa.timestamp("us", "+02:00"),
    "INT64_LIST": pa.list_(pa.int16()),
    "STRING_SET": pa.list_(pa.string()),
    "UNIX_TIMESTAMP_LIST": pa.list_(pa.timestamp("s")),
    "MAP": pa.map_(pa.string(), pa.int64()),
    "BOOL_LIST": pa.list_(pa.bool_(), 2),
    "BYTES_LIST": pa.large_list(pa.large_binary()),
}


def proto(value_type: str, value: Any) -> Value:
    """What Feast makes of a Python value."""
    column = [value, b"x"] if value_type == "BYTES" else [value]  # of empty bytes alone it can't tell the type
    made: Value = python_values_to_proto_values(column, ValueType[value_type])[0]
    return made


def stream(table: pa.Table, rows_at_once: int = 3) -> bytes:
    """An Arrow IPC stream, in batches of so many rows."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=rows_at_once)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def send_arrow(service: Running, table: pa.Table, query: str, **headers: str) -> httpx.Response:
    """The answer to an Arrow stream."""
    return service.client.post(f"/push?{query}", content=stream(table), headers={"content-type": ARROW, **headers})


def by_row(df: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    """The same rows as objects."""
    return [dict(zip(df, row, strict=True)) for row in zip(*df.values(), strict=True)]


def kinds(customer: int, **values: Any) -> dict[str, list[Any]]:
    """A row of KINDS, null where no value is given."""
    row = {**dict.fromkeys(pushes.TYPES), **values, "customer_id": customer, "event_timestamp": at()}
    return {name: [value] for name, value in row.items()}


def test_stocks_body(pusher: Pusher) -> None:
    """Every field that stock's server takes, and a naive time, which is UTC."""
    df = {
        "customer_id": [1, 2],
        "score": [0.25, None],
        "level": ["low", "high"],
        "visits": [3, None],
        "event_timestamp": ["2026-01-31 10:00:00", "2026-01-31T10:00:00.5"],
        "created_timestamp": ["2026-01-31 10:00:01", None],
    }
    body = {"push_source_name": "free", "df": df, "to": "online", "allow_registry_cache": True, "transform_on_write": True}
    response = pusher.service.client.post("/push", json=body)
    assert response.status_code == httpx.codes.OK
    answer = response.json()
    number = answer.pop("request_id")
    assert len(number) == 32
    counts = {"rows": 2, "written": 2, "stale": 0, "quarantined": 0, "queued": 0}
    assert answer == {**counts, "views": {"scores": {"written": 2, "stale": 0}}, "outcomes": []}
    moment = datetime(2026, 1, 31, 10, tzinfo=UTC)
    full = {"score": Value(double_val=0.25), "level": Value(string_val="low"), "visits": Value(int64_val=3)}
    assert pusher.stored(SCORES, {"customer_id": 1}) == (moment, full)
    part = {"score": Value(), "level": Value(string_val="high"), "visits": Value()}
    assert pusher.stored(SCORES, {"customer_id": 2}) == (moment.replace(microsecond=500_000), part)


def test_what_was_pushed_is_read(pusher: Pusher) -> None:
    """By the same service, at once."""
    pusher.push("free", scores(10, 11, score=[0.1, None]))
    answer = pusher.service.read(["scores:score", "scores:visits"], {"customer_id": [11, 10, 12]})
    score, visits = answer["results"][1:]
    assert (score["values"], score["statuses"]) == ([None, 0.1, None], ["NULL_VALUE", "PRESENT", "NOT_FOUND"])
    assert visits["values"] == [2, 1, None]
    assert score["event_timestamps"][0] == START.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize("form", ["df", "rows", "rows in any order", "arrow", "arrow by its bytes", "a long body", "chunks"])
def test_every_form_is_the_same_push(pusher: Pusher, form: str) -> None:
    """The same rows, and the same answer."""
    amount = 3000 if form == "a long body" else 7
    df = scores(*range(amount), score=[number / 8192 for number in range(amount)])
    pusher.redis.delete(*[redis_key(SCORES, {"customer_id": customer}, pushes.PROJECT) for customer in range(amount)])
    post, body = pusher.service.client.post, {"push_source_name": "free"}
    if form.startswith("arrow"):
        headers = {} if form == "arrow by its bytes" else {"content-type": ARROW}
        response = post("/push?push_source=free", content=stream(pa.table(df)), headers=headers)
    elif form == "chunks":
        data = json.dumps({**body, "df": df}).encode()
        response = post("/push", content=iter([data[:50], data[50:]]))
    else:
        rows = by_row(df)
        if form == "rows in any order":
            rows = [dict(reversed(row.items())) if number % 2 else row for number, row in enumerate(rows)]
        response = post("/push", json={**body, **({"df": df} if "rows" not in form else {"rows": rows})})
    assert response.status_code == httpx.codes.OK, response.text
    answer = response.json()
    assert (answer["rows"], answer["written"], answer["outcomes"]) == (amount, amount, [])
    for customer in range(7):
        moment, values = pusher.stored(SCORES, {"customer_id": customer}) or (None, {})
        assert moment == START
        assert values["score"] == Value(double_val=customer / 8192)


@pytest.mark.parametrize("value_type", pushes.TYPES)
def test_every_type_is_kept_as_feast_keeps_it(pusher: Pusher, value_type: str) -> None:
    """From JSON by column and by row, and from Arrow."""
    sent, value = JSON_VALUES[value_type]
    expected = proto(value_type, value)
    pusher.push("kinds_push", kinds(1, **{value_type: sent}))
    pusher.push("kinds_push", rows=by_row(kinds(2, **{value_type: sent})))
    found = [pusher.stored(KINDS, {"customer_id": customer}) for customer in (1, 2)]
    assert [row and row[1][value_type] for row in found] == [expected, expected]
    nulls = {name: Value() for name in pushes.TYPES if name != value_type}
    assert found[0] == (START, {**nulls, value_type: expected})


@pytest.mark.parametrize("value_type", sorted({*pushes.TYPES} - {"JSON", "UUID", "SCALAR_MAP"}))
def test_every_type_can_come_by_arrow(pusher: Pusher, value_type: str) -> None:
    """Values as Arrow has them: bytes, decimals, times with and without a zone, maps and structs."""
    value = ARROW_VALUES.get(value_type, JSON_VALUES[value_type][1])
    column = pa.array([value], ARROW_TYPES.get(value_type))
    others = {name: pa.array(nulls) for name, nulls in kinds(3).items() if name != value_type}
    response = send_arrow(pusher.service, pa.table({**others, value_type: column}), "push_source=kinds_push")
    assert response.status_code == httpx.codes.OK, response.text
    stored = pusher.stored(KINDS, {"customer_id": 3})
    assert stored is not None
    assert stored[1][value_type] == proto(value_type, column.to_pylist(maps_as_pydicts="strict")[0])


TEXTS = pa.array(["low", None, "high", "low"])


@pytest.mark.parametrize(
    "level",
    [TEXTS.cast(pa.string_view()), TEXTS.cast(pa.large_string()), TEXTS.dictionary_encode()],
    ids=lambda column: str(column.type),
)
def test_texts_come_in_any_of_arrows_kinds(pusher: Pusher, level: pa.Array) -> None:
    """Views, which polars has, and dictionaries, which pandas' categories are; whole and sliced."""
    customers = [next(CUSTOMERS) for _ in range(4)]
    table = pa.table({**scores(*customers), "level": level})
    for part, wanted in ((table, 4), (table.slice(1, 2), 2)):
        response = send_arrow(pusher.service, part, "push_source=free")
        assert (response.status_code, response.json()["written"]) == (httpx.codes.OK, wanted)
    found = [pusher.stored(SCORES, {"customer_id": customer}) for customer in customers]
    assert [row and row[1]["level"].string_val for row in found] == ["low", "", "high", "low"]


def test_pandas_is_not_loaded_for_its_times() -> None:
    """Arrow's nanoseconds, which is what pandas has: it takes a second to load, in which nobody is answered."""
    table = pa.table({**scores(1), "event_timestamp": pa.array([1_700_000_000_000_001_000], pa.timestamp("ns", "UTC"))})
    script = (
        "import sys; from service.routes.arrow_bodies import read_arrow; "
        "print(read_arrow(sys.stdin.buffer.read(), lambda rows: None), 'pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], input=stream(table), capture_output=True, check=True)
    printed = done.stdout.decode()
    assert "datetime.datetime(2023, 11, 14, 22, 13, 20, 1" in printed
    assert printed.split()[-1] == "False"


MOMENT = datetime(2026, 1, 31, 10, 0, 0, 123_456, tzinfo=UTC)
EPOCH_NS = 1_769_853_600_123_456_789
TIMES: dict[str, tuple[Any, str | None, datetime]] = {
    "naive": ("2026-01-31T10:00:00.123456", None, MOMENT),
    "Z": ("2026-01-31T10:00:00.123456Z", None, MOMENT),
    "an offset": ("2026-01-31T15:30:00.123456+05:30", None, MOMENT),
    "a space": ("2026-01-31 10:00:00.123456+00:00", None, MOMENT),
    "a date": ("2026-01-31", None, datetime(2026, 1, 31, tzinfo=UTC)),
    "before 1970": ("1969-07-20T20:17:40Z", None, datetime(1969, 7, 20, 20, 17, 40, tzinfo=UTC)),
    "a text beside a unit": ("2026-01-31T10:00:00.123456", "ms", MOMENT),
    "seconds": (1_769_853_600, "s", MOMENT.replace(microsecond=0)),
    "milliseconds": (1_769_853_600_123, "ms", MOMENT.replace(microsecond=123_000)),
    "microseconds": (1_769_853_600_123_456, "us", MOMENT),
    "nanoseconds": (EPOCH_NS, "ns", MOMENT),
    "the beginning": (0, "s", datetime(1970, 1, 1, tzinfo=UTC)),
}


@pytest.mark.parametrize("name", TIMES)
def test_times_in_all_their_forms(pusher: Pusher, name: str) -> None:
    """ISO 8601, UTC where it says no offset, or integers whose unit the request says."""
    given, unit, moment = TIMES[name]
    customer = next(CUSTOMERS)
    more = {} if unit is None else {"timestamp_unit": unit}
    pusher.push("free", scores(customer, event_timestamp=[given]), **more)
    stored = pusher.stored(SCORES, {"customer_id": customer})
    assert stored is not None
    assert stored[0] == moment


def test_no_nanosecond_is_lost(pusher: Pusher) -> None:
    """Of a text, an integer or Arrow's nanoseconds: one more is newer."""
    customer, text = next(CUSTOMERS), "2026-01-31T10:00:00.12345678{}Z"
    assert pusher.push("free", scores(customer, event_timestamp=[text.format(7)]))["written"] == 1
    assert pusher.push("free", scores(customer, event_timestamp=[EPOCH_NS - 3]), timestamp_unit="ns")["stale"] == 1
    table = pa.table({**scores(customer), "event_timestamp": pa.array([np.datetime64(EPOCH_NS - 1, "ns")])})
    assert send_arrow(pusher.service, table, "push_source=free").json()["written"] == 1
    assert pusher.push("free", scores(customer, event_timestamp=[text.format(9)]))["written"] == 1
    assert pusher.push("free", scores(customer, event_timestamp=[EPOCH_NS - 1]), timestamp_unit="ns")["stale"] == 1


def test_arrow_times_with_and_without_a_zone(pusher: Pusher) -> None:
    """A zone's local time is shown by a data frame; the moment is kept. Dates are their midnight, integers have a unit."""
    columns = [
        (pa.array([MOMENT.replace(tzinfo=None)], pa.timestamp("us")), MOMENT),
        (pa.array([MOMENT], pa.timestamp("us", "Europe/Berlin")), MOMENT),
        (pa.array([MOMENT.replace(tzinfo=None)], pa.timestamp("ns")), MOMENT),
        (pa.array([date(2026, 1, 31)]), datetime(2026, 1, 31, tzinfo=UTC)),
        (pa.array([1_769_853_600_123_456]), MOMENT),
    ]
    for column, moment in columns:
        customer = next(CUSTOMERS)
        table = pa.table({**scores(customer), "event_timestamp": column})
        unit = "&timestamp_unit=us" if pa.types.is_integer(column.type) else ""
        assert send_arrow(pusher.service, table, f"push_source=free{unit}").status_code == httpx.codes.OK
        stored = pusher.stored(SCORES, {"customer_id": customer})
        assert stored is not None
        assert stored[0] == moment


def test_an_event_may_lie_a_little_ahead(pusher: Pusher) -> None:
    """Clocks differ: five minutes are allowed."""
    soon = (datetime.now(UTC) + timedelta(minutes=4)).isoformat()
    assert pusher.push("free", scores(170, event_timestamp=[soon]))["written"] == 1


def test_one_source_feeds_several_views_of_one_hash(pusher: Pusher) -> None:
    """Each gets its part of the row, features of one name included."""
    df = {"customer_id": [1], "amount": [2.5], "orders": [3], "event_timestamp": [at()]}
    answer = pusher.push("both", df)
    assert answer["views"] == {"order_stats": {"written": 1, "stale": 0}, "orders": {"written": 1, "stale": 0}}
    assert answer["written"] == 1
    ids = {"customer_id": 1}
    assert pusher.stored(ORDERS, ids) == (START, {"amount": Value(double_val=2.5)})
    assert pusher.stored(ORDER_STATS, ids) == (START, {"amount": Value(double_val=2.5), "orders": Value(int64_val=3)})


def everywhere(customers: list[int], stores: list[str], seconds: float = 0.0) -> dict[str, list[Any]]:
    """Rows for views of customers, of stores, and of both."""
    amount = len(customers)
    columns: dict[str, list[Any]] = {"amount": [1.5] * amount, "open": [True] * amount, "items": list(range(amount))}
    return {"customer_id": customers, "store_id": stores, **columns, "event_timestamp": [at(seconds)] * amount}


def test_one_source_feeds_views_with_other_join_keys(pusher: Pusher) -> None:
    """A hash each: of the customer, of the store, and of both together, whose order in the registry doesn't count."""
    answer = pusher.push("everywhere", everywhere([5, 6], ["north", "süd"]))
    assert answer["views"] == {name: {"written": 2, "stale": 0} for name in ("baskets", "orders", "tills")}
    assert pusher.stored(ORDERS, {"customer_id": 6}) == (START, {"amount": Value(double_val=1.5)})
    assert pusher.stored(TILLS, {"store_id": "süd"}) == (START, {"amount": Value(double_val=1.5), "open": Value(bool_val=True)})
    assert pusher.stored(BASKETS, {"customer_id": 6, "store_id": "süd"}) == (START, {"items": Value(int64_val=1)})
    assert pusher.stored(BASKETS, {"customer_id": 5, "store_id": "süd"}) is None
    found = pusher.service.read(["baskets:items"], {"customer_id": [6, 5], "store_id": ["süd", "süd"]})
    assert found["results"][2]["values"] == [1, None]


def test_a_row_may_be_stale_in_one_view_and_newest_in_another(pusher: Pusher) -> None:
    """It counts as written, and the answer says where it wasn't."""
    pusher.push("everywhere", everywhere([7], ["east"], seconds=10))
    answer = pusher.push("everywhere", everywhere([8, 7], ["east", "west"], seconds=5))
    assert (answer["written"], answer["stale"]) == (2, 0)
    assert answer["views"] == {
        "baskets": {"written": 2, "stale": 0},
        "orders": {"written": 1, "stale": 1},
        "tills": {"written": 1, "stale": 1},
    }
    assert [(outcome["row"], outcome["outcome"], outcome["stale"]) for outcome in answer["outcomes"]] == [
        (0, "written", ["tills"]),
        (1, "written", ["orders"]),
    ]
    answer = pusher.push("everywhere", everywhere([7], ["east"], seconds=5), "?detail=all")
    assert (answer["written"], answer["stale"], answer["outcomes"][0]["outcome"]) == (0, 1, "stale")


def test_views_of_one_hash_have_times_of_their_own(pusher: Pusher) -> None:
    """A newer row of one of them doesn't make the other's stale."""
    pusher.write("orders", {"customer_id": [20], "amount": [9.0], "event_timestamp": [at(10)]})
    df = {"customer_id": [20], "amount": [1.0], "orders": [1], "event_timestamp": [at()]}
    answer = pusher.push("both", df)
    assert answer["views"] == {"order_stats": {"written": 1, "stale": 0}, "orders": {"written": 0, "stale": 1}}
    stored, other = pusher.stored(ORDERS, {"customer_id": 20}), pusher.stored(ORDER_STATS, {"customer_id": 20})
    assert stored == (START + timedelta(seconds=10), {"amount": Value(double_val=9.0)})
    assert other == (START, {"amount": Value(double_val=1.0), "orders": Value(int64_val=1)})


def test_a_view_without_an_entity(pusher: Pusher) -> None:
    """Under the placeholder that Feast reads it by."""
    pusher.push("rates_push", {"rate": [4.5], "event_timestamp": [at()]})
    assert pusher.stored(RATES, {}) == (START, {"rate": Value(double_val=4.5)})
    assert pusher.service.read(["rates:rate"], {})["results"][0]["values"] == [4.5]


def test_a_version_of_a_view_has_fields_of_its_own(pusher: Pusher) -> None:
    """The name in Redis is the versioned one, which reads use."""
    pusher.push("prices_push", {"store_id": ["north"], "price": [9.5], "event_timestamp": [at()]})
    assert pusher.stored(PRICES, {"store_id": "north"}) == (START, {"price": Value(double_val=9.5)})
    fields = pusher.redis.hkeys(redis_key(PRICES, {"store_id": "north"}, pushes.PROJECT))
    assert b"_ts:prices_v2" in fields
    assert pusher.service.read(["prices:price"], {"store_id": ["north"]})["results"][1]["values"] == [9.5]


@pytest.mark.parametrize(
    "names",
    [
        {"customer": 1, "town": "Ulm", "rooms": 3, "moved": at()},
        {"customer_id": 1, "city": "Ulm", "rooms": 3, "moved": at()},
        {"customer": 1, "city": "Ulm", "rooms": 3, "moved": at(), "noted": at()},
    ],
    ids=["the source's", "the view's", "of both, and created"],
)
def test_columns_have_the_sources_names_or_the_views(pusher: Pusher, names: dict[str, Any]) -> None:
    """A field mapping says which belong together."""
    pusher.redis.delete(redis_key(HOMES, {"customer_id": 1}, pushes.PROJECT))
    pusher.push("homes_push", {name: [value] for name, value in names.items()})
    assert pusher.stored(HOMES, {"customer_id": 1}) == (START, {"city": Value(string_val="Ulm"), "rooms": Value(int32_val=3)})


def test_the_sdks_names_of_times(pusher: Pusher) -> None:
    """A write to a view may call them event_timestamp and created, whatever the source calls them."""
    row = {"customer_id": [2], "city": ["Bonn"], "rooms": [1], "event_timestamp": [at(1)], "created": [None]}
    response = pusher.write("homes", row, allow_registry_cache=False)
    assert response.status_code == httpx.codes.OK, response.text
    assert response.json()["views"] == {"homes": {"written": 1, "stale": 0}}
    own = {"customer": [2], "town": ["Köln"], "rooms": [1], "moved": [at(2)], "noted": [at(2)]}
    assert pusher.write("homes", own).status_code == httpx.codes.OK
    stored = pusher.stored(HOMES, {"customer_id": 2})
    assert stored is not None
    assert stored[1]["city"] == Value(string_val="Köln")
    both = {**row, "moved": [at(1)]}
    response = pusher.write("homes", both)
    assert response.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert "moved and event_timestamp are the same column" in response.json()["detail"]


def test_the_newest_row_stays(pusher: Pusher) -> None:
    """An older one is stale, and the answer says so."""
    pusher.push("free", scores(30, 31, seconds=10))
    answer = pusher.push("free", scores(30, 32, 31, seconds=9, score=[0.1, 0.1, 0.1]))
    assert (answer["written"], answer["stale"]) == (1, 2)
    assert answer["views"] == {"scores": {"written": 1, "stale": 2}}
    reason = ["A newer row stands in scores."]
    assert answer["outcomes"] == [{"row": row, "outcome": "stale", "reasons": reason, "stale": ["scores"]} for row in (0, 2)]
    assert [pusher.score(customer) for customer in (30, 31, 32)] == [0.5, 0.5, 0.1]


def test_a_row_of_the_same_time_replaces(pusher: Pusher) -> None:
    """So a request may be sent again, with a correction or without."""
    df = scores(40, 41)
    assert pusher.push("free", df) | {"request_id": ""} == pusher.push("free", df) | {"request_id": ""}
    assert pusher.push("free", {**df, "score": [0.75, 1.0]})["written"] == 2
    assert [pusher.score(40), pusher.score(41)] == [0.75, 1.0]


def test_the_newest_row_of_a_batch_stays(pusher: Pusher) -> None:
    """Wherever it stands in the batch; of those of one time the last."""
    times = [at(2), at(3), at(1), at(3)]
    answer = pusher.push("free", scores(50, 50, 50, 50, score=[0.2, 0.3, 0.1, 0.4], event_timestamp=times))
    assert (answer["written"], answer["stale"]) == (3, 1)
    assert [outcome["row"] for outcome in answer["outcomes"]] == [2]
    assert pusher.score(50) == 0.4


@pytest.mark.parametrize(
    ("detail", "rows"), [("", [1]), ("?detail=none", None), ("?detail=failed", [1]), ("?detail=all", [0, 1, 2])]
)
def test_as_much_is_told_as_is_asked_for(pusher: Pusher, detail: str, rows: list[int] | None) -> None:
    """Nothing, the rows that weren't written everywhere, or all."""
    pusher.push("free", scores(61, seconds=10))
    answer = pusher.push("free", scores(60, 61, 62), detail)
    assert (answer["written"], answer["stale"]) == (2, 1)
    outcomes = answer.get("outcomes")
    assert rows == (outcomes and [outcome["row"] for outcome in outcomes])
    if detail == "?detail=all":
        assert [outcome["outcome"] for outcome in outcomes] == ["written", "stale", "written"]
    response = pusher.write("scores", scores(60, 61, 62), detail)
    assert response.json().get("outcomes") == outcomes


@contextmanager
def living(redis: EmbeddedRedis, seconds: int | None) -> Iterator[Running]:
    """A service whose keys live so long."""
    store = OnlineStoreDefinition(redis.connection_string, seconds)
    with Registry(pushes.pushable("", online_store=store)) as registry, running(registry) as served:
        yield served


def test_keys_live_as_long_as_feast_is_told(redis: EmbeddedRedis, client: "redis_py.Redis[bytes]") -> None:
    """key_ttl_seconds is for the whole hash, from its last row on; a stale row doesn't count."""
    key = redis_key(SCORES, {"customer_id": 70}, pushes.PROJECT)
    with living(redis, 1000) as served:
        pusher = Pusher(served, client)
        pusher.push("free", scores(70, seconds=10))
        assert 900 < client.ttl(key) <= 1000
        client.expire(key, 5)
        assert pusher.push("free", scores(70))["stale"] == 1
        assert 0 < client.ttl(key) <= 5
        pusher.push("free", scores(70, seconds=11))
        assert 900 < client.ttl(key) <= 1000
    with living(redis, None) as served:
        Pusher(served, client).push("free", scores(70, seconds=12))
        assert client.ttl(key) > 5  # as Feast: no new time to live, and the old one stays


def queued(client: "redis_py.Redis[bytes]", request_id: str) -> list[dict[str, Any]]:
    """The offline pushes of a request that wait in Redis."""
    found = client.xrange(f"feature-service:{pushes.PROJECT}:offline")
    return [fields for _, fields in found if fields[b"request"] == request_id.encode()]


@pytest.mark.parametrize("arrow", [False, True], ids=["JSON", "Arrow"])
@pytest.mark.parametrize(("to", "online"), [("offline", 0), ("online_and_offline", 2)])
def test_what_goes_offline_is_durable_before_it_is_answered(pusher: Pusher, to: str, online: int, arrow: bool) -> None:
    """202: the rows wait in Redis for the offline store; online they are written, or not, as was asked."""
    customers = [80, 81]
    pusher.redis.delete(*[redis_key(SCORES, {"customer_id": one}, pushes.PROJECT) for one in customers])
    df = scores(*customers, created_timestamp=[at(1), None])
    if arrow:
        response = send_arrow(pusher.service, pa.table(df), f"push_source=free&to={to}")
    else:
        response = pusher.send("free", df, to=to)
    assert response.status_code == httpx.codes.ACCEPTED
    answer = response.json()
    assert (answer["queued"], answer["written"]) == (2, online)
    assert [pusher.score(one) for one in customers] == ([0.5, 0.5] if online else [None, None])
    (waiting,) = queued(pusher.redis, answer["request_id"])
    assert waiting[b"source"] == b"free"
    columns = msgspec.msgpack.decode(waiting[b"columns"])
    assert columns["customer_id"] == customers
    assert columns["event_timestamp"] == [START, START]
    assert columns["created_timestamp"] == [START + timedelta(seconds=1), None]


def test_a_view_that_is_not_kept_online_gets_its_history(pusher: Pusher) -> None:
    """Offline pushes are for it, others aren't."""
    df = {"customer_id": [1], "x": [1], "event_timestamp": [at()]}
    assert pusher.send("offline_push", df, to="offline").status_code == httpx.codes.ACCEPTED
    for to in ("online", "online_and_offline"):
        response = pusher.send("offline_push", df, to=to)
        assert response.status_code == httpx.codes.UNPROCESSABLE_ENTITY
        assert "to: offline" in response.json()["detail"]


def test_what_the_offline_store_cannot_get_is_written_nowhere(pusher: Pusher) -> None:
    """An integer of more than 64 bits within JSON: online it would do."""
    df = kinds(90, JSON={"a": 2**70})
    response = pusher.send("kinds_push", df, to="online_and_offline")
    assert response.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    (error,) = response.json()["errors"]
    assert (error["field"], error["row"]) == ("JSON", 0)
    assert pusher.stored(KINDS, {"customer_id": 90}) is None
    assert pusher.push("kinds_push", df)["written"] == 1


def test_definitions_are_read_again_only_for_rows_that_do_not_fit(pusher: Pusher) -> None:
    """allow_registry_cache: false, which Feast's SDK always sends, costs a reading of the registry where it may help."""
    registry = pusher.service.registry
    before = registry.refreshes
    for _ in range(3):
        pusher.push("free", scores(91), allow_registry_cache=False)
        assert pusher.write("scores", scores(91), allow_registry_cache=False).status_code == httpx.codes.OK
    assert registry.refreshes == before
    assert pusher.send("free", scores(91, colour=["red"])).status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert registry.refreshes == before
    response = pusher.send("free", scores(91, colour=["red"]), allow_registry_cache=False)
    assert response.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert pusher.send("fre", scores(91), allow_registry_cache=False).status_code == httpx.codes.NOT_FOUND
    assert registry.refreshes == before + 2


def test_a_view_that_is_new_is_found_without_the_cache(redis: EmbeddedRedis, client: "redis_py.Redis[bytes]") -> None:
    """Rows with a column that came by an apply a moment ago."""
    with Registry(pushes.pushable(redis.connection_string)) as registry, running(registry) as served:
        pusher = Pusher(served, client)
        wider = pushes.view(
            "scores", {"score": "DOUBLE", "level": "STRING", "visits": "INT64", "colour": "STRING"}, **pushes.EVENT
        )
        changed = pushes.pushable(redis.connection_string)
        changed.views["scores"] = msgspec.Raw(encode(wider))
        registry.upcoming = changed
        df = scores(92, colour=["red"])
        assert pusher.push("free", df, allow_registry_cache=False)["written"] == 1


def test_rows_are_counted(redis: EmbeddedRedis, client: "redis_py.Redis[bytes]") -> None:
    """By source and outcome, and by their number in a push."""
    with Registry(pushes.pushable(redis.connection_string)) as registry, running(registry) as served:
        pusher = Pusher(served, client)
        pusher.push("free", scores(93, 94, seconds=20))
        pusher.push("free", scores(93, seconds=19))
        pusher.send("free", scores(93, score=["x"]))
        pusher.push("free", scores(93, seconds=21, created_timestamp=[None]), to="online_and_offline")
        wanted = {"written": 3.0, "stale": 1.0, "rejected": 1.0, "queued": 1.0, "quarantined": 0.0}
        name = "feature_service_pushed_rows_total"
        assert {outcome: served.metric(name, outcome=outcome, source="free") for outcome in wanted} == wanted
        assert served.metric("feature_service_push_rows_sum") == 5.0
        for status, amount in (("200", 2.0), ("422", 1.0), ("202", 1.0)):
            assert served.metric("feature_service_requests_total", route="/push", status=status) == amount


def test_ten_thousand_rows_at_once(pusher: Pusher) -> None:
    """As many as a push may have."""
    amount = 10_000
    answer = pusher.push("free", scores(*range(10**6, 10**6 + amount)), "?detail=none")
    assert answer["written"] == amount
    keys = [redis_key(SCORES, {"customer_id": 10**6 + row}, pushes.PROJECT) for row in range(amount)]
    assert pusher.redis.exists(*keys) == amount
    pusher.redis.delete(*keys)
