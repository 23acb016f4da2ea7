"""Pushes, in whatever form the rows have; and what the report says of them."""

import itertools
import json
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from feature_client import InvalidRequest, RowOutcome, RowsRejected, ViewCounts
from feature_client.requests import ARROW_ROWS, push_call, write_call
from tests.http.handmade.pushes import KINDS, SCORES, START, Pusher, at, scores

from .clients import AnyClient

CUSTOMERS = itertools.count(60_000)

Connect = Callable[..., AnyClient]


@pytest.fixture
def producer(connect: Connect, pusher: Pusher) -> AnyClient:
    """A client of the service that is pushed to."""
    return connect(pusher.service.url)


def frame(*customers: int, **columns: Any) -> pd.DataFrame:
    """Good rows of SCORES, their times those of pandas."""
    rows = {**scores(*customers), "event_timestamp": pd.Series([pd.Timestamp(START)] * len(customers)), **columns}
    return pd.DataFrame(rows)


def forms(first: int, second: int) -> dict[str, Any]:
    """The same two rows."""
    columns = scores(first, second)
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    there = START.astimezone(timezone(timedelta(hours=5, minutes=30)))
    return {
        "columns": columns,
        "rows": rows,
        "columns with datetimes": {**columns, "event_timestamp": [START, there]},
        "a frame": frame(first, second),
        "a frame in another zone": frame(first, second, event_timestamp=pd.Series([pd.Timestamp(there)] * 2)),
        "a table": pa.table({**columns, "event_timestamp": pa.array([START, START], pa.timestamp("us", "UTC"))}),
    }


@pytest.mark.parametrize("form", list(forms(1, 2)))
def test_rows_have_any_form(producer: AnyClient, pusher: Pusher, form: str) -> None:
    """All are the same rows at the same time."""
    first, second = next(CUSTOMERS), next(CUSTOMERS)
    report = producer.push("free", forms(first, second)[form], detail="all")
    assert (report.rows, report.written, report.stale, report.quarantined, report.queued) == (2, 2, 0, 0, 0)
    assert report.views == {"scores": ViewCounts(written=2, stale=0)}
    assert report.outcomes == (RowOutcome(0, "written"), RowOutcome(1, "written"))
    for customer in (first, second):
        moment, values = pusher.stored(SCORES, {"customer_id": customer}) or pytest.fail("nothing is stored")
        assert (moment, values["score"].double_val, values["level"].string_val) == (START, 0.5, "low")


@pytest.mark.parametrize("amount", [2, ARROW_ROWS])
def test_what_is_missing_in_a_frame_is_null(producer: AnyClient, pusher: Pusher, amount: int) -> None:
    """NaN, None, NaT and NA, whether a frame goes as JSON or is long enough to go as Arrow."""
    customers = [next(CUSTOMERS) for _ in range(amount)]
    gaps = frame(
        *customers,
        score=pd.Series([np.nan, 0.25] * (amount // 2)),
        level=pd.Series([None, "high"] * (amount // 2)),
        visits=pd.Series([pd.NA, 2**60 + 1] * (amount // 2), dtype="Int64"),
        created_timestamp=pd.Series([pd.NaT] * amount).dt.tz_localize("UTC"),
    )
    assert producer.push("free", gaps, request_id="gaps").written == amount
    _, values = pusher.stored(SCORES, {"customer_id": customers[0]}) or pytest.fail("nothing is stored")
    assert [value.WhichOneof("val") for value in values.values()] == [None] * 3
    _, values = pusher.stored(SCORES, {"customer_id": customers[-1]}) or pytest.fail("nothing is stored")
    assert (values["score"].double_val, values["level"].string_val, values["visits"].int64_val) == (0.25, "high", 2**60 + 1)


def test_a_nan_alone_is_null_and_in_a_list_is_itself(producer: AnyClient, pusher: Pusher) -> None:
    """As Feast stores them; every type has a form in JSON."""
    identifier, customer = uuid.uuid4(), next(CUSTOMERS)
    row: dict[str, Any] = dict.fromkeys(("customer_id", "event_timestamp", *map(str, _names(KINDS))))
    row |= {
        "customer_id": customer,
        "event_timestamp": START,
        "FLOAT": float("nan"),
        "DOUBLE": float("-inf"),
        "BYTES": b"\x00\xff",
        "UUID": identifier,
        "DECIMAL": Decimal("1.10"),
        "DOUBLE_LIST": np.array([0.5, np.nan, np.inf]),
        "STRING_SET": {"a"},
        "UNIX_TIMESTAMP": START,
        "BOOL": np.True_,
        "JSON": {"a": [1, None]},
    }
    assert producer.push("kinds_push", [row]).written == 1
    _, values = pusher.stored(KINDS, {"customer_id": customer}) or pytest.fail("nothing is stored")
    assert values["FLOAT"].WhichOneof("val") is None
    assert (values["DOUBLE"].double_val, values["BYTES"].bytes_val) == (float("-inf"), b"\x00\xff")
    assert (values["UUID"].uuid_val, values["DECIMAL"].decimal_val) == (str(identifier), "1.10")
    assert np.array_equal(values["DOUBLE_LIST"].double_list_val.val, [0.5, np.nan, np.inf], equal_nan=True)
    assert (values["UNIX_TIMESTAMP"].unix_timestamp_val, values["BOOL"].bool_val) == (START.timestamp(), True)


def _names(view: Any) -> list[str]:
    return [feature.name for feature in view.features]


NAIVE_TIME = START.replace(tzinfo=None)
NAIVE: dict[str, tuple[Any, int | None]] = {
    "a datetime": ({**scores(1, 2), "event_timestamp": [at(), NAIVE_TIME]}, 1),
    "a column of pandas": (frame(1, 2, event_timestamp=pd.Series([pd.Timestamp(NAIVE_TIME)] * 2)), None),
    "an object column of pandas": (frame(1, 2, event_timestamp=pd.Series([NAIVE_TIME] * 2, dtype=object)), 0),
    "a long column of pandas": (pd.concat([frame(1, event_timestamp=[NAIVE_TIME])] * ARROW_ROWS), None),
    "a long object column": (pd.concat([frame(1, event_timestamp=pd.Series([NAIVE_TIME], dtype=object))] * ARROW_ROWS), 0),
    "numpy's": ({**scores(1), "event_timestamp": np.array([NAIVE_TIME], "datetime64[ns]")}, 0),
    "a column of Arrow": (pa.table({**scores(1), "event_timestamp": [NAIVE_TIME]}), None),
}  # fmt: skip


@pytest.mark.parametrize("kind", NAIVE)
def test_a_time_without_an_offset_is_refused_before_anything_is_sent(producer: AnyClient, kind: str) -> None:
    """It could mean any zone; the column is named, and the row where values are looked at one by one."""
    rows, row = NAIVE[kind]
    with pytest.raises(InvalidRequest, match="has a time without an offset") as caught:
        producer.push("free", rows)
    assert (caught.value.status, caught.value.problems[0].field, caught.value.problems[0].row) == (None, "event_timestamp", row)


WRONG: dict[str, tuple[Any, str]] = {
    "rows of different columns": ([{"a": 1}, {"b": 1}], "Row 1: The row has other columns than row 0"),
    "a scalar in place of a column": ({"a": 1}, "a must be a list with a value for each row; it is of type int"),
    "a text in place of a column": ({"a": "xyz"}, "a must be a list with a value for each row; it is of type str"),
    "rows that are none": ([1, 2], "Rows are a dict of columns, .*these are a list with other things than dicts"),
    "nothing like rows": ("rows", "Rows are a dict of columns, .*these are of type str"),
    "an object": ({"a": [object()]}, "Row 0: a has a value of type object, which JSON can't hold"),
    "columns without names": (pd.DataFrame([[1, 2]]), "A column is called 0; names of columns are strings"),
    "a column twice": (pd.DataFrame([[1, 2]], columns=["a", "a"]), "Column a is there twice"),
    "a key that is none": ({"a": [{(1, 2): 3}]}, "can't be written as JSON"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_no_rows_is_told_before_anything_is_sent(producer: AnyClient, kind: str) -> None:
    """In words that say what would be right."""
    rows, said = WRONG[kind]
    with pytest.raises(InvalidRequest, match=said) as caught:
        producer.push("free", rows)
    assert caught.value.status is None


LONG: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], bool]] = {
    "plain": (lambda rows: rows, True),
    "categories": (lambda rows: rows.assign(level=rows.level.astype("category")), True),
    "texts of pandas' own type": (lambda rows: rows.assign(level=rows.level.astype("string")), True),
    "nanoseconds": (lambda rows: rows.assign(event_timestamp=rows.event_timestamp + pd.Timedelta(1, "ns")), False),
    "texts beside numbers": (
        lambda rows: rows.assign(score=pd.Series(["Infinity", 0.5] * (ARROW_ROWS // 2), dtype=object)),
        False,
    ),
}


@pytest.mark.parametrize("kind", LONG)
def test_a_long_frame_goes_as_arrow_where_that_means_the_same(pusher: Pusher, connect: Connect, kind: str) -> None:
    """And as JSON where it doesn't; the server takes both alike."""
    change, as_arrow = LONG[kind]
    rows = change(frame(*(next(CUSTOMERS) for _ in range(ARROW_ROWS))))
    call = push_call("free", rows, "online", None, "failed", None)
    assert (call.headers["content-type"] != "application/json") is as_arrow
    report = connect(pusher.service.url).push("free", rows, detail="all")
    assert {outcome.outcome for outcome in report.outcomes} == {"written"}


def test_integers_are_times_where_their_unit_is_said(producer: AnyClient, pusher: Pusher) -> None:
    """Nothing is guessed."""
    customer = next(CUSTOMERS)
    rows = {**scores(customer), "event_timestamp": [int(START.timestamp())]}
    with pytest.raises(InvalidRequest):
        producer.push("free", rows)
    assert producer.push("free", rows, timestamp_unit="s").written == 1
    stored = pusher.stored(SCORES, {"customer_id": customer})
    assert stored is not None
    assert stored[0] == START


def test_stale_rows_are_told(producer: AnyClient) -> None:
    """With the request's own id."""
    customer = next(CUSTOMERS)
    producer.push("free", scores(customer, seconds=5))
    report = producer.push("free", scores(customer), request_id="late")
    assert (report.written, report.stale, report.request_id) == (0, 1, "late")
    assert report.outcomes[0].outcome == "stale"


def test_bad_rows_are_told_with_their_reasons(producer: AnyClient) -> None:
    """Quarantined ones in the report; warnings, too."""
    report = producer.push("quarantine", scores(next(CUSTOMERS), next(CUSTOMERS), score=[0.5, 1.5]))
    assert (report.written, report.quarantined) == (1, 1)
    (outcome,) = report.outcomes
    assert (outcome.row, outcome.outcome) == (1, "quarantined")
    assert "score must be at least 0" in outcome.reasons[0]
    (warning,) = producer.push("warn", scores(next(CUSTOMERS), score=[1.5])).warnings
    assert (warning.expectation, warning.rows) == ("expect_column_values_to_be_between", 1)


def test_rejected_rows_are_an_error(producer: AnyClient, pusher: Pusher) -> None:
    """With the outcome of each, and GX's results."""
    good, bad = next(CUSTOMERS), next(CUSTOMERS)
    with pytest.raises(RowsRejected) as caught:
        producer.push("reject", scores(good, bad, score=[0.5, 1.5]))
    error = caught.value
    assert (error.status, error.kind, error.problems[0].field, error.problems[0].row) == (422, "rejected-rows", "score", 1)
    assert [(outcome.row, outcome.outcome) for outcome in error.outcomes] == [(1, "rejected")]
    assert error.validation is not None
    assert error.validation["success"] is False
    assert pusher.score(good) is None


def test_an_offline_push_is_queued(producer: AnyClient) -> None:
    """The answer is 202."""
    rows = {**scores(next(CUSTOMERS)), "created_timestamp": [None]}
    assert producer.push("free", rows, to="online_and_offline").queued == 1


@pytest.mark.parametrize("form", ["columns", "a frame", "a table"])
def test_a_view_is_written_to_as_a_source_is(producer: AnyClient, pusher: Pusher, form: str) -> None:
    """Always as JSON: its route takes nothing else."""
    first, second = next(CUSTOMERS), next(CUSTOMERS)
    assert producer.write_to_online_store("scores", forms(first, second)[form], detail="none").written == 2
    assert pusher.score(second) == 0.5


def test_a_time_has_the_microseconds_that_it_had(producer: AnyClient, pusher: Pusher) -> None:
    """On every way."""
    moment: datetime = START + timedelta(microseconds=123_456)
    for rows in (
        {**scores(customer := next(CUSTOMERS)), "event_timestamp": [moment]},
        frame(customer, event_timestamp=pd.Series([pd.Timestamp(moment)])),
        pa.table({**scores(customer), "event_timestamp": pa.array([moment], pa.timestamp("us", "Europe/Berlin"))}),
    ):
        assert producer.push("free", rows).written == 1
        stored = pusher.stored(SCORES, {"customer_id": customer})
        assert stored is not None
        assert stored[0] == moment


def test_results_of_an_on_demand_view_can_be_written_as_they_are() -> None:
    """The server is told only where that isn't its default."""
    rows = scores(1)
    told = [json.loads(write_call("view", rows, None, transform, "failed").content or b"") for transform in (True, False)]
    assert [body.get("transform_on_write") for body in told] == [None, False]


def test_what_one_call_asks_for_is_not_asked_by_the_next(producer: AnyClient) -> None:
    """Addresses are kept, queries aren't."""
    assert producer.push("free", scores(next(CUSTOMERS)), detail="all").outcomes != ()
    assert producer.push("free", scores(next(CUSTOMERS))).outcomes == ()
