"""Answers as Arrow: typed tables and frames, with statuses and times on request."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from feature_client import NotFound
from tests.http.conftest import ABSENT, EXPIRED, FRESH, NULL
from tests.http.handmade.running import Running

from .clients import AnyClient

Connect = Callable[..., AnyClient]

IDS = [FRESH, EXPIRED, NULL, ABSENT]
FEATURES = ["profile:age", "profile:name", "profile:spend", "visits:count"]
VALUES: dict[str, list[Any]] = {
    "customer_id": IDS,
    "age": [41, 42, None, None],
    "name": ["customer 1", "customer 2", None, None],
    "spend": [0.5, 0.5, None, None],
    "count": [7, None, None, None],
}


@pytest.fixture
def asked(connect: Connect, service: Running) -> AnyClient:
    """A client of the service that is read."""
    return connect(service.url)


def test_a_table_has_the_columns_and_their_types(asked: AnyClient) -> None:
    """Entity columns first, in the order of the request."""
    table = asked.get_online_features(FEATURES, {"customer_id": IDS}, as_="arrow")
    assert table.column_names == list(VALUES)
    assert table.to_pydict() == VALUES
    assert [str(field.type) for field in table.schema] == ["int64", "int64", "string", "float", "int64"]


def test_a_frame_keeps_integers_beside_nulls(asked: AnyClient) -> None:
    """A float would lose digits of an int64."""
    frame = asked.get_online_features(FEATURES, {"customer_id": IDS}, as_="pandas")
    assert isinstance(frame, pd.DataFrame)
    assert frame.dtypes.astype(str).to_dict() == {
        "customer_id": "Int64", "age": "Int64", "name": "object", "spend": "float32", "count": "Int64",
    }  # fmt: skip
    assert frame["age"].tolist() == [41, 42, pd.NA, pd.NA]
    assert frame["spend"].isna().tolist() == [False, False, True, True]


def test_statuses_and_times_come_on_request(asked: AnyClient) -> None:
    """Columns of their own."""
    include = ("statuses", "event_timestamps")
    table = asked.get_online_features(["visits:count"], {"customer_id": IDS}, as_="arrow", include=include)
    assert set(table.column_names) == {"customer_id", "count", "count__status", "count__ts"}
    statuses = ["PRESENT", "OUTSIDE_MAX_AGE", "NULL_VALUE", "NOT_FOUND"]
    assert table.column("count__status").to_pylist() == statuses
    assert pa.types.is_timestamp(table.schema.field("count__ts").type)
    assert table.column("count__ts").null_count == 1
    frame = asked.get_online_features(["visits:count"], {"customer_id": IDS}, as_="pandas", include=["statuses"])
    assert frame["count__status"].tolist() == statuses


def test_errors_are_the_same(asked: AnyClient) -> None:
    """Whatever the answer's form."""
    with pytest.raises(NotFound):
        asked.get_online_features(["profile:nothing"], {"customer_id": IDS}, as_="pandas")
