"""Where stock's pushes are wrong, what ours do instead; and that they are the same where stock is right.

Stock has a Redis of its own here, so that each test can show what it does.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from .depot import FEASTS, MOMENT, OURS, Depot, row

OK = httpx.codes.OK
REFUSED = httpx.codes.UNPROCESSABLE_ENTITY
BROKEN = httpx.codes.INTERNAL_SERVER_ERROR


def body(push_source: str = "plain_push", **changes: Any) -> dict[str, Any]:
    """A push of a row."""
    return {"push_source_name": push_source, "df": row(**changes), "to": "online"}


def errors(response: httpx.Response) -> list[tuple[str | None, int | None]]:
    """Field and row of each error that we tell of."""
    assert response.status_code == REFUSED, response.text
    return [(error["field"], error["row"]) for error in response.json()["errors"]]


@pytest.mark.parametrize("source", ["plain_push", "keyed_push", "stream_push", "label_push", "both_push", "composite_push"])
def test_what_stock_writes_we_write(depot: Depot, source: str) -> None:
    """The same body becomes the same bytes, whatever kind of view the source feeds."""
    sent = body(source, store_id=["süd"]) if source == "composite_push" else body(source)
    theirs, ours = depot.push(sent)
    assert (theirs.status_code, ours.status_code) == (OK, OK)
    assert depot.hashes(OURS) == depot.hashes(FEASTS)
    assert depot.hashes(OURS)


@pytest.mark.parametrize("flags", [{"allow_registry_cache": False}, {"transform_on_write": False}, {}], ids=str)
def test_flags_of_stocks_body(depot: Depot, flags: dict[str, bool]) -> None:
    """And without `to`, which is online."""
    sent = {"push_source_name": "plain_push", "df": row(), **flags}
    assert [response.status_code for response in depot.push(sent)] == [OK, OK]
    assert depot.hashes(OURS) == depot.hashes(FEASTS)


def test_a_view_without_an_entity_is_written_where_it_is_read(depot: Depot) -> None:
    """Stock: under a key that nobody reads."""
    sent = body("everyone_push", customer_id=None)
    assert [response.status_code for response in depot.push(sent)] == [OK, OK]
    assert depot.hashes(OURS).keys() != depot.hashes(FEASTS).keys()
    placeholder = depot.read("everyone", __dummy_id="")
    assert placeholder is not None
    assert placeholder["x"].int64_val == 7


def test_a_stale_push_is_told(depot: Depot) -> None:
    """The newer row stays in both. Stock: 200, and not a word."""
    depot.push(body(x=[1]))
    theirs, ours = depot.push(body(x=[2], at=[(MOMENT - timedelta(seconds=1)).isoformat()]))
    assert (theirs.status_code, theirs.content) == (OK, b"")
    assert (ours.status_code, ours.json()["stale"], ours.json()["written"]) == (OK, 1, 0)
    assert ours.json()["outcomes"][0]["outcome"] == "stale"
    assert depot.hashes(OURS) == depot.hashes(FEASTS)


def test_a_correction_of_the_same_time_replaces(depot: Depot) -> None:
    """So that a retry does what it says. Stock: the first one stays, 200."""
    depot.push(body(x=[1]))
    theirs, ours = depot.push(body(x=[2]))
    assert (theirs.status_code, ours.json()["written"]) == (OK, 1)
    stored = depot.read("plain", customer_id=1)
    assert stored is not None
    assert stored["x"].int64_val == 2
    assert depot.hashes(OURS) != depot.hashes(FEASTS)


@pytest.mark.parametrize("df", [{}, row(customer_id=[], x=[], y=[], at=[], made=[])], ids=["no columns", "no rows"])
def test_an_empty_frame_is_refused(depot: Depot, df: dict[str, list[Any]]) -> None:
    """Stock: 200, and nothing happens."""
    theirs, ours = depot.push({"push_source_name": "plain_push", "df": df})
    assert errors(ours) == [("df", None)]
    assert depot.hashes(FEASTS) == {}
    assert theirs.status_code == OK


def test_an_unknown_column_is_refused(depot: Depot) -> None:
    """It may be a misspelt one. Stock: dropped, 200."""
    theirs, ours = depot.push(body(colour=["red"]))
    assert theirs.status_code == OK
    assert errors(ours) == [("colour", None)]
    assert depot.hashes(OURS) == {}


@pytest.mark.parametrize("column", ["x", "at", "customer_id"])
def test_a_missing_column_is_named(depot: Depot, column: str) -> None:
    """Stock: 500."""
    theirs, ours = depot.push(body(**{column: None}))
    assert theirs.status_code == BROKEN
    assert errors(ours) == [(column, None)]


def test_one_bad_row_is_told_among_good_ones(depot: Depot) -> None:
    """Which, and why. Stock: 500 for the whole batch."""
    at = [MOMENT.isoformat()] * 3
    theirs, ours = depot.push(body(customer_id=[1, 2, 3], x=[1, "two", 3], y=[0.5] * 3, at=at, made=at))
    assert theirs.status_code == BROKEN
    assert errors(ours) == [("x", 1)]
    assert depot.hashes(OURS) == {}


def test_an_event_far_in_the_future_is_refused(depot: Depot) -> None:
    """Stock: 200, and every later push to that key is dropped without a word."""
    ahead = (datetime.now(UTC) + timedelta(days=365)).isoformat()
    theirs, ours = depot.push(body(at=[ahead], x=[1]))
    assert theirs.status_code == OK
    assert errors(ours) == [("at", 0)]
    now = datetime.now(UTC).isoformat()
    theirs, ours = depot.push(body(at=[now], x=[2]))
    assert (theirs.status_code, ours.json()["written"]) == (OK, 1)
    ids = {"customer_id": 1}
    (hash_of_stock,) = depot.hashes(FEASTS).values()
    assert b" \x01" in hash_of_stock.values()  # the first push's 1 still stands there
    stored = depot.read("plain", **ids)
    assert stored is not None
    assert stored["x"].int64_val == 2


def test_epoch_seconds_are_seconds_or_nothing(depot: Depot) -> None:
    """Where the request says so. Stock: nanoseconds, so it is 1970."""
    seconds = int(MOMENT.timestamp())
    theirs, ours = depot.push(body(at=[seconds], made=[seconds]))
    assert theirs.status_code == OK
    (hash_of_stock,) = depot.hashes(FEASTS).values()
    assert hash_of_stock[b"_ts:plain"].startswith(b"\x08\x01\x10")  # a second after 1970
    assert set(errors(ours)) == {("at", 0), ("made", 0)}
    ours = depot.ours.client.post("/push", json={**body(at=[seconds], made=[seconds]), "timestamp_unit": "s"})
    assert ours.status_code == OK
    read = depot.ours.read(["plain:x"], {"customer_id": [1]})
    assert read["results"][1]["event_timestamps"] == ["2026-01-31T10:00:00Z"]


LOSSY: dict[str, tuple[str, Any]] = {
    "3.7 for an Int64": ("x", 3.7),
    "a text for an Int64": ("x", "7"),
    "a boolean for an Int64": ("x", True),
    "a list for an Int64": ("x", [1]),
    "more than a Float32 holds": ("y", 1e300),
    "a text for an id": ("customer_id", "1"),
}


@pytest.mark.parametrize("name", LOSSY)
def test_nothing_is_coerced(depot: Depot, name: str) -> None:
    """Stock: stored as 3, 7, 1, null, infinity, and under customer 1."""
    column, value = LOSSY[name]
    theirs, ours = depot.push(body(**{column: [value]}))
    assert theirs.status_code == OK
    assert depot.hashes(FEASTS)
    assert errors(ours) == [(column, 0)]
    assert depot.hashes(OURS) == {}


@pytest.mark.parametrize(("column", "value"), [("at", None), ("at", "yesterday"), ("customer_id", None), ("x", "seven")])
def test_a_bad_value_is_named_with_its_row(depot: Depot, column: str, value: Any) -> None:
    """Stock: 500."""
    theirs, ours = depot.push(body(**{column: [value]}))
    assert theirs.status_code == BROKEN
    assert errors(ours) == [(column, 0)]


def test_a_row_of_nulls_is_a_row(depot: Depot) -> None:
    """The features have no value since then. Stock: 200, and what was there stays."""
    depot.push(body())
    later = (MOMENT + timedelta(seconds=1)).isoformat()
    theirs, ours = depot.push(body(x=[None], y=[None], at=[later]))
    assert (theirs.status_code, ours.json()["written"]) == (OK, 1)
    read = depot.ours.read(["plain:x", "plain:y"], {"customer_id": [1]})
    assert [vector["statuses"] for vector in read["results"][1:]] == [["NULL_VALUE"], ["NULL_VALUE"]]
    assert depot.hashes(OURS) != depot.hashes(FEASTS)


def test_an_unknown_push_source_is_told(depot: Depot) -> None:
    """404 with the nearest name."""
    _, ours = depot.push({**body(), "push_source_name": "plan_push"})
    assert ours.status_code == httpx.codes.NOT_FOUND
    assert "Did you mean plain_push" in ours.json()["detail"]


def test_the_sdks_write_is_taken_whatever_the_source_calls_its_times(depot: Depot) -> None:
    """It always calls them event_timestamp and created. Stock: 500."""
    at = MOMENT.replace(tzinfo=None).isoformat()
    df = {"customer_id": [1], "x": [7], "y": [0.5], "event_timestamp": [at], "created": [None]}
    sent = {"feature_view_name": "plain", "df": df, "allow_registry_cache": False}
    assert depot.stock.post("/write-to-online-store", sent).status_code == BROKEN
    assert depot.ours.client.post("/write-to-online-store", json=sent).status_code == OK
    depot.direct.write_to_online_store("plain", frame_of(df))
    assert depot.hashes(OURS) == depot.hashes(FEASTS)


def frame_of(df: dict[str, list[Any]]) -> Any:
    """The rows of such a write as the SDK's user had them."""
    import pandas as pd

    return pd.DataFrame({"customer_id": df["customer_id"], "x": df["x"], "y": df["y"], "at": [MOMENT], "made": [MOMENT]})
