"""Pushes that can't be written: each gets a 4xx that says what, where, and what would be right; and nothing is written."""

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pyarrow as pa
import pytest
from feast.errors import FeastError

from .conftest import Running
from .handmade import pushes
from .handmade.pushes import KINDS, SCORES, Pusher, at, scores
from .handmade.rows import redis_key
from .handmade.running import running
from .test_push import ARROW, kinds, send_arrow, stream

LEAVE_OUT = object()
CUSTOMER = 500
IDS = {"customer_id": CUSTOMER}

# What is changed in a good body, or in its df; the status; the field and row that are named; what is said besides.
Case = tuple[dict[str, Any], int, str | None, int | None, str]
BODIES: dict[str, Case] = {
    "unknown field": ({"push_source": "free"}, 422, "push_source", None, "Did you mean push_source_name?"),
    "no source": ({"push_source_name": LEAVE_OUT}, 422, "push_source_name", None, "a string"),
    "source of the wrong kind": ({"push_source_name": 7}, 422, "push_source_name", None, "must be a string, not the number 7"),
    "unknown source": ({"push_source_name": "fre"}, 404, "push_source_name", None, "Did you mean free"),
    "source without views": ({"push_source_name": "idle"}, 422, "push_source_name", None, "No feature view"),
    "no rows at all": ({"df": LEAVE_OUT}, 422, "df", None, "either as df"),
    "null for rows": ({"df": None}, 422, "df", None, "either as df"),
    "both forms": ({"rows": [{"customer_id": 1}]}, 422, "df", None, "either as df"),
    "no columns": ({"df": {}}, 422, "df", None, "There are no rows"),
    "an empty list of rows": ({"df": LEAVE_OUT, "rows": []}, 422, "df", None, "There are no rows"),
    "empty columns": ({"df": scores()}, 422, "df", None, "There are no rows"),
    "df of the wrong kind": ({"df": [1]}, 422, "df", None, "an object of columns"),
    "column of the wrong kind": ({"df": {**scores(1), "score": 0.5}}, 422, "df.score", None, "a list of values"),
    "rows of the wrong kind": ({"df": LEAVE_OUT, "rows": {"score": 1}}, 422, "rows", None, "a list of objects"),
    "row of the wrong kind": ({"df": LEAVE_OUT, "rows": [{}, 7]}, 422, "rows", 1, "an object of columns, not the number 7"),
    "ragged columns": ({"df": {**scores(1), "score": [0.5, 0.5]}}, 422, "df.score", None, "score has 2, customer_id has 1"),
    "rows that lack a column": (
        {"df": LEAVE_OUT, "rows": [{"a": 1, "b": 1}, {"a": 1}]}, 422, "b", 1, "has no b, which row 0 has",
    ),
    "rows with one more": ({"df": LEAVE_OUT, "rows": [{"a": 1}, {"a": 1, "b": 1}]}, 422, "b", 1, "which row 0 doesn't have"),
    "unknown target": ({"to": "nowhere"}, 422, "to", None, '"online" or "offline" or "online_and_offline"'),
    "null target": ({"to": None}, 422, "to", None, "not null"),
    "unknown unit": ({"timestamp_unit": "h"}, 422, "timestamp_unit", None, '"s" or "ms" or "us" or "ns"'),
    "flag of the wrong kind": ({"allow_registry_cache": 1}, 422, "allow_registry_cache", None, "true or false"),
    "another flag of the wrong kind": ({"transform_on_write": "no"}, 422, "transform_on_write", None, "true or false"),
    "too many rows": ({"df": scores(*range(10_001))}, 413, "df", None, "10001 rows are more than the 10000"),
    "offline without the time of creation": ({"to": "offline"}, 422, "created_timestamp", None, "each row"),
}  # fmt: skip
COLUMNS: dict[str, Case] = {
    # columns
    "missing feature": ({"score": LEAVE_OUT}, 422, "score", None, "needs it in each row"),
    "missing join key": ({"customer_id": LEAVE_OUT}, 422, "customer_id", None, "needs it in each row"),
    "missing time": ({"event_timestamp": LEAVE_OUT}, 422, "event_timestamp", None, "needs it in each row"),
    "unknown column": ({"colour": ["red"]}, 422, "colour", None, "Known are created_timestamp, customer_id, event_timestamp"),
    "misspelt column": ({"score": LEAVE_OUT, "scores": [0.5]}, 422, "scores", None, "Did you mean score?"),
    # values
    "a text for an integer": ({"visits": ["7"]}, 422, "visits", 0, 'not the string "7"'),
    "a fraction for an integer": ({"visits": [3.7]}, 422, "visits", 0, "INT64), not the number 3.7"),
    "a boolean for an integer": ({"visits": [True]}, 422, "visits", 0, "not true"),
    "an integer of 65 bits": ({"visits": [2**63]}, 422, "visits", 0, "fits 64 bits"),
    "an integer that no machine holds": ({"visits": [10**400]}, 422, "visits", 0, "fits 64 bits"),
    "a float that can't be an exact integer": ({"visits": [1e300]}, 422, "visits", 0, "fits 64 bits"),
    "a text for a float": ({"score": ["0.5"]}, 422, "score", 0, 'not the string "0.5"'),
    "NaN where null is meant": ({"score": ["NaN"]}, 422, "score", 0, "not NaN; null is written null"),
    "an integer that a float can't hold": ({"score": [2**53 + 1]}, 422, "score", 0, "can't hold exactly"),
    "a boolean for a float": ({"score": [False]}, 422, "score", 0, "not false"),
    "a number for a text": ({"level": [1]}, 422, "level", 0, "a string (STRING), not the number 1"),
    "a list for a text": ({"level": [["low"]]}, 422, "level", 0, "not a list"),
    "an object for a text": ({"level": [{"a": 1}]}, 422, "level", 0, "not an object"),
    # ids
    "a null id": ({"customer_id": [None]}, 422, "customer_id", 0, "INT64), not null"),
    "a text for an id": ({"customer_id": ["1"]}, 422, "customer_id", 0, 'not the string "1"'),
    "a float for an id": ({"customer_id": [1.0]}, 422, "customer_id", 0, "not the number 1.0"),
    "an id of 65 bits": ({"customer_id": [2**63]}, 422, "customer_id", 0, "fits 64 bits"),
    # times
    "a null time": ({"event_timestamp": [None]}, 422, "event_timestamp", 0, "not null"),
    "no time": ({"event_timestamp": ["yesterday"]}, 422, "event_timestamp", 0, 'not the string "yesterday"'),
    "half a time": ({"event_timestamp": ["2026-01-31T10"]}, 200, None, None, ""),
    "a day that isn't": ({"event_timestamp": ["2026-02-30"]}, 422, "event_timestamp", 0, "ISO 8601"),
    "an hour that isn't": ({"event_timestamp": ["2026-01-31T25:00:00"]}, 422, "event_timestamp", 0, "ISO 8601"),
    "a local notation": ({"event_timestamp": ["31.01.2026 10:00"]}, 422, "event_timestamp", 0, "ISO 8601"),
    "more digits than nanoseconds": ({"event_timestamp": ["2026-01-31T10:00:00.1234567890"]}, 422, "event_timestamp", 0, "ISO"),
    "an integer without a unit": ({"event_timestamp": [1_700_000_000]}, 422, "event_timestamp", 0, "`timestamp_unit`"),
    "a float": ({"event_timestamp": [1_700_000_000.5]}, 422, "event_timestamp", 0, "not the number 1700000000.5"),
    "a boolean for a time": ({"event_timestamp": [True]}, 422, "event_timestamp", 0, "not true"),
    "a time far ahead": ({"event_timestamp": ["2099-01-01"]}, 422, "event_timestamp", 0, "lies in the future, beyond"),
    "a time after the year 9999": ({"event_timestamp": ["9999-12-31T23:59:59-01:00"]}, 422, "event_timestamp", 0, "ISO 8601"),
    "no time of creation": ({"created_timestamp": ["now"]}, 422, "created_timestamp", 0, 'not the string "now"'),
    "an integer as the time of creation": ({"created_timestamp": [5]}, 422, "created_timestamp", 0, "`timestamp_unit`"),
}  # fmt: skip
COLUMNS.pop("half a time")  # hours alone are ISO 8601, too
# A value that isn't of the type, and what is said of it.
MISTYPED: dict[str, tuple[Any, str]] = {
    "INT32": (2**31, "32 bits (INT32), not the number 2147483648"),
    "FLOAT": (1e39, "32-bit float (FLOAT), not the number 1e+39"),
    "DOUBLE": ("Inf", 'not the string "Inf"'),
    "BOOL": (1, "true or false (BOOL), not the number 1"),
    "BYTES": ("?", 'base64'),
    "UNIX_TIMESTAMP": ("2026-01-31T10:00:00.5Z", "a fraction of a second"),
    "UUID": ("0b5f2c3a", 'not the string "0b5f2c3a"'),
    "DECIMAL": (1.1, "not the number 1.1"),
    "JSON": ("{", 'not the string "{"'),
    "ZONED_TIMESTAMP": (1_700_000_000, "not the number 1700000000"),
    "MAP": ([1], "an object (MAP), not a list"),
    "STRUCT": ("x", 'not the string "x"'),
    "SCALAR_MAP": (1, "not the number 1"),
    "INT64_LIST": ([1, 2.5], "whose item [1] is the number 2.5"),
    "STRING_LIST": ("a", 'a list, each item a string'),
    "BYTES_LIST": (["?"], "whose item [0]"),
    "DOUBLE_LIST": ([0.5, None], "whose item [1] is null"),
    "UNIX_TIMESTAMP_LIST": (["soon"], "whose item [0]"),
    "BOOL_LIST": ([1], "whose item [0] is the number 1"),
    "STRING_SET": ({"a": 1}, "not an object"),
    "MAP_LIST": ([{}, 1], "whose item [1] is the number 1"),
    "VALUE_LIST": ([1], "whose item [0] is the number 1"),
}  # fmt: skip
NOT_JSON = {
    "nothing": b"",
    "half a body": b'{"push_source_name":"free",',
    "not UTF-8": b'{"push_source_name":"\xff"}',
    "NaN": b'{"push_source_name":"free","df":{"score":[NaN]}}',
    "half a surrogate pair": b'{"push_source_name":"free","df":{"level":["\\ud800"]}}',
    "deeply nested": b"[" * 100_000,
    "too deeply nested": b'{"push_source_name":"free","df":{"score":[' + b"[" * 65 + b"]" * 65 + b"]}}",
    "too deeply nested objects": b'{"push_source_name":"free","rows":[{"score":' + b'{"a":' * 65 + b"1" + b"}" * 65 + b"}]}",
}


def changed(original: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """With other entries, or without some."""
    return {name: value for name, value in {**original, **change}.items() if value is not LEAVE_OUT}


def problems(response: httpx.Response, status: int) -> list[dict[str, Any]]:
    """The errors of an answer, whose form is checked on the way."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert {"type", "title", "status", "detail", "errors"} <= set(body)
    assert body["status"] == status
    assert all(error["message"] in body["detail"] for error in body["errors"])
    errors: list[dict[str, Any]] = body["errors"]
    return errors


def said(response: httpx.Response, case: Case) -> None:
    """The answer has the status, and says of the field and the row what it should."""
    _, status, field, row, words = case
    errors = problems(response, status)
    (error,) = [error for error in errors if words in error["message"]]
    assert (error["field"], error["row"]) == (field, row)


@pytest.mark.parametrize("name", BODIES)
def test_a_bad_body_is_told_what_where_and_what_would_be_right(pusher: Pusher, name: str) -> None:
    """In application/problem+json."""
    body = changed({"push_source_name": "free", "df": scores(CUSTOMER)}, BODIES[name][0])
    said(pusher.service.client.post("/push", json=body), BODIES[name])
    assert pusher.stored(SCORES, IDS) is None


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("form", ["df", "rows", "view"])
def test_a_bad_column_is_told_with_its_row(pusher: Pusher, name: str, form: str) -> None:
    """The same whether rows come by column, by row, or to the view itself; nothing is coerced."""
    df = changed(scores(CUSTOMER), COLUMNS[name][0])
    if form == "view":
        response = pusher.write("scores", df)
    elif form == "df":
        response = pusher.send("free", df)
    else:
        response = pusher.send("free", rows=[{column: values[0] for column, values in df.items()}])
    said(response, COLUMNS[name])
    assert pusher.stored(SCORES, IDS) is None


@pytest.mark.parametrize("value_type", MISTYPED)
def test_a_value_of_another_type_is_told(pusher: Pusher, value_type: str) -> None:
    """Column, row, what would be right, and what came."""
    value, words = MISTYPED[value_type]
    response = pusher.send("kinds_push", kinds(CUSTOMER, **{value_type: value}))
    said(response, ({}, 422, value_type, 0, words))
    (outcome,) = response.json()["outcomes"]
    assert outcome == {"row": 0, "outcome": "rejected", "reasons": [response.json()["errors"][0]["message"]]}
    assert pusher.stored(KINDS, IDS) is None


def test_every_bad_row_is_told(pusher: Pusher) -> None:
    """Each with all of its reasons; and of a batch with a bad row nothing is written."""
    df = scores(501, 502, 503, 504, score=[0.5, "x", 0.5, None], visits=[1, 2.5, 3, "y"], customer_id=[501, 502, "c", 504])
    response = pusher.send("free", df)
    errors = problems(response, 422)
    assert [(error["row"], error["field"]) for error in errors] == [
        (1, "score"), (1, "visits"), (2, "customer_id"), (3, "visits"),
    ]  # fmt: skip
    outcomes = response.json()["outcomes"]
    assert [(outcome["row"], outcome["outcome"], len(outcome["reasons"])) for outcome in outcomes] == [
        (1, "rejected", 2), (2, "rejected", 1), (3, "rejected", 1),
    ]  # fmt: skip
    assert response.json()["validation"] is None
    assert pusher.score(501) is None


def test_many_bad_rows_are_told_of_all_and_explained_for_some(pusher: Pusher) -> None:
    """As many problems as an error may have, and the outcome of every row."""
    response = pusher.send("free", scores(*range(600, 900), score=["x"] * 300))
    assert len(problems(response, 422)) == 20
    assert "There may be more" in response.json()["detail"]
    assert [outcome["row"] for outcome in response.json()["outcomes"]] == list(range(300))
    quiet = pusher.send("free", scores(*range(600, 900), score=["x"] * 300), "?detail=none")
    assert quiet.json()["outcomes"] == []


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_wrong_unit_shows(pusher: Pusher, unit: str) -> None:
    """Seconds taken for something larger lie in the future; nothing is guessed."""
    now = int(datetime.now(UTC).timestamp() * {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit])
    for wrong in ("s", "ms", "us"):
        if {"s": 0, "ms": 1, "us": 2, "ns": 3}[wrong] < {"s": 0, "ms": 1, "us": 2, "ns": 3}[unit]:
            response = pusher.send("free", scores(CUSTOMER, event_timestamp=[now]), timestamp_unit=wrong)
            (error,) = problems(response, 422)
            assert (error["field"], error["row"]) == ("event_timestamp", 0)
    assert pusher.stored(SCORES, IDS) is None


def test_how_far_ahead_an_event_may_lie_is_a_setting(pushing: Running, pusher: Pusher) -> None:
    """Five minutes by default, and here an hour."""
    ahead = (datetime.now(UTC) + timedelta(minutes=30)).isoformat()
    df = scores(505, 506, event_timestamp=[at(), ahead])
    (error,) = problems(pusher.send("free", df), 422)
    assert (error["field"], error["row"]) == ("event_timestamp", 1)
    assert "every later push to its key" in error["message"]
    with running(pushing.registry, max_event_time_skew_seconds=3600) as patient:
        assert Pusher(patient, pusher.redis).push("free", df)["written"] == 2


@pytest.mark.parametrize("path", ["/push", "/write-to-online-store"])
@pytest.mark.parametrize("name", NOT_JSON)
def test_what_is_not_json_is_told(pushing: Running, path: str, name: str) -> None:
    """400; or what the other path finds wrong in a body that is JSON but for it."""
    response = pushing.client.post(path, content=NOT_JSON[name])
    (error, *_) = problems(response, 400 if path == "/push" or response.status_code == 400 else 422)
    assert error["row"] is None


def test_values_may_be_nested_as_deeply_as_arrow_allows(pusher: Pusher) -> None:
    """64 levels, brackets in texts not counted."""
    value: Any = "[" * 500
    for _ in range(64):
        value = {"a": value}
    pusher.push("kinds_push", kinds(507, JSON=value))
    (error,) = problems(pusher.send("kinds_push", kinds(507, JSON={"a": value})), 400)
    assert "64 levels" in error["message"]


VIEWS: dict[str, Case] = {
    "unknown view": ({"feature_view_name": "score"}, 404, "feature_view_name", None, "Did you mean scores"),
    "version of a view": ({"feature_view_name": "prices@v2"}, 404, "feature_view_name", None, "does not exist"),
    "no view": ({"feature_view_name": LEAVE_OUT}, 422, "feature_view_name", None, "a string"),
    "view that isn't online": ({"feature_view_name": "offline_only"}, 422, "feature_view_name", None, "online=False"),
    "target": ({"to": "offline"}, 422, "to", None, "isn't known"),
    "no rows": ({"df": scores()}, 422, "df", None, "There are no rows"),
}


@pytest.mark.parametrize("name", VIEWS)
def test_a_bad_write_to_a_view_is_told(pusher: Pusher, name: str) -> None:
    """As a push."""
    body = changed({"feature_view_name": "scores", "df": scores(CUSTOMER)}, VIEWS[name][0])
    said(pusher.service.client.post("/write-to-online-store", json=body), VIEWS[name])


def test_a_view_whose_function_is_not_known_cannot_be_written(pusher: Pusher) -> None:
    """Nor could it be read."""
    response = pusher.write("computed", {"ratio": [0.5], "event_timestamp": [at()]})
    assert [error["field"] for error in problems(response, 422)] == ["feature_view_name"]
    assert "run feast apply" in response.json()["detail"]


QUERIES = {
    "?detail=some": ("detail", "none or failed or all"),
    "?detail=": ("detail", "none or failed or all"),
    "?detail=all&detail=all": ("detail", "is there 2 times"),
    "?colour=red": ("colour", "isn't known"),
    "?to=offline": ("to", "belongs into the body"),
    "?push_source=free": ("push_source", "belongs into the body"),
}


@pytest.mark.parametrize("query", QUERIES)
def test_a_bad_query_is_told(pusher: Pusher, query: str) -> None:
    """With the parameter's name."""
    field, words = QUERIES[query]
    (error,) = problems(pusher.send("free", scores(CUSTOMER), query), 422)
    assert error["field"] == field
    assert words in error["message"]
    assert pusher.stored(SCORES, IDS) is None


def table(**columns: Any) -> pa.Table:
    """A row of SCORES with other columns, in Arrow."""
    return pa.table({**{name: pa.array(values) for name, values in scores(CUSTOMER).items()}, **columns})


def nested_nulls(amount: int) -> pa.Array:
    """One list of so many nulls, which takes some bytes."""
    return pa.ListArray.from_arrays(pa.array([0, amount], pa.int32()), pa.nulls(amount))


def long_texts(amount: int) -> pa.Array:
    """One text of a hundred thousand letters, so many times."""
    return pa.DictionaryArray.from_arrays(pa.array([0] * amount, pa.int8()), pa.array(["x" * 100_000]))


SOURCE = "push_source=free"
STREAMS: dict[str, tuple[pa.Table, str, Case]] = {
    "no source": (table(), "", ({}, 422, "push_source", None, "?push_source=NAME")),
    "unknown source": (table(), "push_source=fre", ({}, 404, "push_source_name", None, "Did you mean free")),
    "unknown target": (table(), f"{SOURCE}&to=x", ({}, 422, "to", None, "online or offline or online_and_offline")),
    "unknown unit": (table(), f"{SOURCE}&timestamp_unit=h", ({}, 422, "timestamp_unit", None, "s or ms or us or ns")),
    "missing column": (table().drop_columns("score"), SOURCE, ({}, 422, "score", None, "needs it")),
    "a column twice": (
        table().append_column("score", pa.array([1.0])), SOURCE, ({}, 422, "score", None, "is there twice"),
    ),
    "NaN": (table(score=pa.array([float("nan")])), SOURCE, ({}, 422, "score", 0, "null is written null")),
    "bytes for a text": (table(level=pa.array([[b"x"]])), SOURCE, ({}, 422, "level", 0, "not a list")),
    "a duration": (table(visits=pa.array([5], pa.duration("s"))), SOURCE, ({}, 422, "visits", 0, "timedelta")),
    "a time of day": (table(event_timestamp=pa.array([5], pa.time64("us"))), SOURCE, ({}, 422, "event_timestamp", 0, "ISO")),
    "an unknown zone": (
        table(event_timestamp=pa.array([5], pa.timestamp("us", "Nowhere/Land"))), SOURCE,
        ({}, 422, "event_timestamp", 0, "Nowhere/Land"),
    ),
    "a time beyond the calendar": (
        table(event_timestamp=pa.array([2**62], pa.timestamp("s"))), SOURCE, ({}, 422, "event_timestamp", 0, "can't be read"),
    ),
    "a map with a key twice": (
        table(score=pa.array([[("a", 1), ("a", 2)]], pa.map_(pa.string(), pa.int64()))), SOURCE,
        ({}, 422, "score", 0, "duplicate"),
    ),
    "no rows": (table().slice(0, 0), SOURCE, ({}, 422, "df", None, "There are no rows")),
    "too many rows": (
        pa.table({name: pa.nulls(10_001) for name in scores(1)}), SOURCE, ({}, 413, "df", None, "10001 rows are more than"),
    ),
    "a list of a billion nulls": (table(score=nested_nulls(10**9)), SOURCE, ({}, 413, None, None, "unfolds to more than")),
    "one long text again and again": (
        pa.table({**{name: pa.nulls(9000) for name in scores(1)}, "level": long_texts(9000)}), SOURCE,
        ({}, 413, None, None, "unfolds to more than"),
    ),
    "a list view": (
        table(score=pa.array([[1]], pa.list_view(pa.int64()))), SOURCE, ({}, 422, "score", None, "which isn't taken here"),
    ),
}  # fmt: skip
NOT_ARROW = {
    "nothing": b"",
    "only the beginning": b"\xff\xff\xff\xff",
    "half of it": stream(table())[:300],
    "JSON": json.dumps({"push_source_name": "free", "df": scores(1)}).encode(),
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_bad_arrow_stream_is_told_what_and_where(pusher: Pusher, name: str) -> None:
    """As JSON would be."""
    sent, query, case = STREAMS[name]
    said(send_arrow(pusher.service, sent, query), case)
    assert pusher.stored(SCORES, IDS) is None


@pytest.mark.parametrize("name", NOT_ARROW)
def test_what_is_not_arrow_is_told(pushing: Running, name: str) -> None:
    """400."""
    response = pushing.client.post(f"/push?{SOURCE}", content=NOT_ARROW[name], headers={"content-type": ARROW})
    (error,) = problems(response, 400)
    assert "isn't an Arrow stream" in error["message"]


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
@pytest.mark.parametrize("column", ["level", "score"])
def test_a_compressed_stream_is_refused_before_it_unfolds(pusher: Pusher, codec: str, column: str) -> None:
    """Whatever is compressed, a dictionary too: what a few bytes unfold to would show when the memory is full."""
    columns = {name: pa.nulls(1) for name in scores(1)}
    columns[column] = pa.array(["low"]).dictionary_encode() if column == "level" else pa.array([0.5])
    sink = pa.BufferOutputStream()
    written = pa.table(columns)
    with pa.ipc.new_stream(sink, written.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as writer:
        writer.write_table(written)
    response = pusher.service.client.post(
        f"/push?{SOURCE}", content=sink.getvalue().to_pybytes(), headers={"content-type": ARROW}
    )
    (error,) = problems(response, 422)
    assert "write it uncompressed" in error["message"]


def test_a_key_that_holds_something_else_keeps_no_other_row_from_being_written(pusher: Pusher) -> None:
    """500, since a retry won't help: with the key that is to be mended, and the rows that are written."""
    key = redis_key(SCORES, {"customer_id": 511}, pushes.PROJECT)
    pusher.redis.set(key, "somebody else's")
    response = pusher.send("free", scores(510, 511, 512))
    assert response.status_code == httpx.codes.INTERNAL_SERVER_ERROR
    assert "retry-after" not in response.headers
    body = response.json()
    assert body["type"] == "urn:feature-service:unreadable-value"
    assert repr(key) in body["detail"]
    assert "Redis confirmed 2 of 3 rows" in body["detail"]
    assert (body["written_rows"], body["unconfirmed_rows"]) == ([0, 2], [1])
    assert [pusher.score(510), pusher.score(512)] == [0.5, 0.5]


def cost(service: Running, path: str, data: bytes) -> float:
    """Seconds of CPU, of client and server together: the least of a few tries."""
    least = float("inf")
    for _ in range(3):
        started = time.process_time()
        response = service.client.post(path, content=data)
        least = min(least, time.process_time() - started)
        assert 400 <= response.status_code < 500, response.text
        assert len(response.content) < 50_000
    return least


def unknown_columns(size: int) -> bytes:
    """A body of many columns that nobody knows, which are like those that are missing."""
    df = ",".join(f'"custom_id{number}":[1]' for number in range(size // 20))
    return f'{{"push_source_name":"free","df":{{{df}}}}}'.encode()


COSTLY = {
    "unknown columns": unknown_columns(800_000),
    "empty rows": b'{"push_source_name":"free","rows":[' + b",".join([b"{}"] * 270_000) + b"]}",
    "uneven rows": b'{"push_source_name":"free","rows":[{"a":1},' + b",".join([b'{"b":1}'] * 100_000) + b"]}",
    "ragged columns": b'{"push_source_name":"free","df":{"a":[],' + b",".join(b'"a%d":[1]' % n for n in range(60_000)) + b"}}",
}


@pytest.mark.parametrize("name", COSTLY)
def test_no_body_costs_much_more_than_its_bytes(pushing: Running, name: str) -> None:
    """Than a body of that size that is read through to its last byte, a number at a time."""
    plain = cost(pushing, "/push", b"[" + b",".join([b"1"] * (len(COSTLY[name]) // 2)) + b"]")
    assert cost(pushing, "/push", COSTLY[name]) < 20 * max(plain, 0.01)


def test_nulls_that_take_no_bytes_cost_nothing(pushing: Running) -> None:
    """Some bytes of Arrow stand for any number of rows; they are counted before they are looked at."""
    few, many = (stream(pa.table({name: pa.nulls(rows) for name in scores(1)}), rows) for rows in (10_001, 5_000_000))
    assert len(many) == len(few)
    assert cost(pushing, f"/push?{SOURCE}", many) < 9 * max(cost(pushing, f"/push?{SOURCE}", few), 0.01)


def test_feasts_sdk_hears_the_same(pushing: Running, pusher: Pusher) -> None:
    """In its own form, with the setting for it."""
    with running(pushing.registry, error_format="feast") as for_feast:
        for df in (scores(CUSTOMER, score=["x"]), scores(CUSTOMER, colour=["red"])):
            response = Pusher(for_feast, pusher.redis).send("free", df)
            assert response.status_code == httpx.codes.UNPROCESSABLE_ENTITY
            error = FeastError.from_error_detail(response.json())
            assert str(error) == pusher.send("free", df).json()["detail"]


@pytest.mark.parametrize(
    ("setting", "value", "df", "status"),
    [
        ("max_push_rows", 2, scores(507, 508), 200),
        ("max_push_rows", 2, scores(507, 508, 509), 413),
        ("max_body_bytes", 1024, scores(507), 200),
        ("max_body_bytes", 1024, scores(*range(520, 560)), 413),
        ("max_body_bytes", 1024, scores(*range(1000, 5000)), 413),
    ],
)
def test_limits_are_what_the_settings_say(
    pushing: Running, pusher: Pusher, setting: str, value: int, df: dict[str, Any], status: int
) -> None:
    """At the limit rows are written, beyond it 413 names the number."""
    with running(pushing.registry, **{setting: value}) as strict:
        response = Pusher(strict, pusher.redis).send("free", df)
        assert response.status_code == status
        if status != httpx.codes.OK:
            assert f" {value} " in response.json()["detail"]
