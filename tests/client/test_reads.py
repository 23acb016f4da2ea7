"""Reads: a column for each name, whatever form the entities have."""

import inspect
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from feature_client import AsyncFeatureClient, FeatureClient, Health, InvalidRequest, NotFound
from tests.http.conftest import ABSENT, EXPIRED, FRESH, NULL
from tests.http.handmade.running import Running

from .clients import AnyClient

FEATURES = ["profile:age", "visits:count"]
IDS = [FRESH, EXPIRED, NULL, ABSENT]

Connect = Callable[..., AnyClient]


@pytest.fixture
def asked(connect: Connect, service: Running) -> AnyClient:
    """A client of the service that is read."""
    return connect(service.url)


def test_values_statuses_and_times_come_by_name(asked: AnyClient) -> None:
    """Entity columns first; there is no time where nothing is stored."""
    answer = asked.get_online_features(FEATURES, {"customer_id": IDS})
    assert answer.names == ("customer_id", "age", "count")
    assert len(answer) == 4
    assert answer.to_dict() == {"customer_id": IDS, "age": [41, 42, None, None], "count": [7, None, None, None]}
    assert answer.statuses["count"] == ["PRESENT", "OUTSIDE_MAX_AGE", "NULL_VALUE", "NOT_FOUND"]
    times = answer.event_timestamps
    assert times["customer_id"] == [None] * 4
    assert times["age"][3] is None
    present = times["age"][0]
    assert present is not None
    assert abs((datetime.now(UTC) - present).total_seconds()) < 600


def test_rows_are_the_columns_turned(asked: AnyClient) -> None:
    """One dict for each."""
    answer = asked.get_online_features(["profile:age"], {"customer_id": [FRESH, ABSENT]})
    assert answer.to_rows() == [{"customer_id": FRESH, "age": 41}, {"customer_id": ABSENT, "age": None}]
    assert "customer_id, age" in repr(answer)


ENTITIES = {
    "a dict of lists": {"customer_id": [FRESH, EXPIRED]},
    "a dict of tuples": {"customer_id": (FRESH, EXPIRED)},
    "a dict of arrays": {"customer_id": np.array([FRESH, EXPIRED])},
    "a dict of numpy's integers": {"customer_id": [np.int64(FRESH), np.int32(EXPIRED)]},
    "a dict of series": {"customer_id": pd.Series([FRESH, EXPIRED])},
    "rows": [{"customer_id": FRESH}, {"customer_id": EXPIRED}],
    "a frame": pd.DataFrame({"customer_id": [FRESH, EXPIRED]}, index=[7, 3]),
    "a table": pa.table({"customer_id": [FRESH, EXPIRED]}),
    "a record batch": pa.record_batch({"customer_id": [FRESH, EXPIRED]}),
}


@pytest.mark.parametrize("form", ENTITIES)
def test_entities_have_any_form(asked: AnyClient, form: str) -> None:
    """All mean the same."""
    answer = asked.get_online_features(["profile:age"], ENTITIES[form])
    assert answer.to_dict() == {"customer_id": [FRESH, EXPIRED], "age": [41, 42]}


def test_a_feature_service_and_full_names(asked: AnyClient) -> None:
    """As the server has them."""
    answer = asked.get_online_features(entities={"customer_id": [FRESH]}, feature_service="shopper", full_feature_names=True)
    assert answer.names == ("customer_id", "profile__name", "profile__age", "visits__score", "visits__count")


def test_a_view_without_entities_needs_none(asked: AnyClient) -> None:
    """One row."""
    assert asked.get_online_features(["everyone:rate"]).to_dict() == {"rate": [4.5]}


def test_bytes_are_ids_too(asked: AnyClient) -> None:
    """They travel as base64, both ways."""
    answer = asked.get_online_features(["door:opened"], {"badge_id": [b"\x00\xff"]})
    assert answer.to_dict() == {"badge_id": ["AP8="], "opened": [3]}


def test_an_unknown_name_is_told(asked: AnyClient) -> None:
    """With the nearest one."""
    with pytest.raises(NotFound, match="Did you mean age") as caught:
        asked.get_online_features(["profile:agee"], {"customer_id": [FRESH]})
    (problem,) = caught.value.problems
    assert (caught.value.status, caught.value.kind, problem.field) == (404, "unknown-name", "features[0]")


def test_a_bad_id_is_told_with_its_row(asked: AnyClient) -> None:
    """As the server finds it."""
    with pytest.raises(InvalidRequest) as caught:
        asked.get_online_features(FEATURES, {"customer_id": [FRESH, "2"]})
    assert [(problem.row, caught.value.status) for problem in caught.value.problems] == [(1, 422)]


def test_what_is_no_list_of_features_is_told_before_anything_is_sent(asked: AnyClient) -> None:
    """A string is a list of strings to Python."""
    with pytest.raises(InvalidRequest, match="must be a list of strings") as caught:
        asked.get_online_features("profile:age", {"customer_id": [FRESH]})
    assert caught.value.status is None
    with pytest.raises(ValueError, match="as_ must be"):
        asked.get_online_features(FEATURES, {"customer_id": [FRESH]}, as_="polars")  # type: ignore[call-overload]


def test_the_catalog_and_the_health_come_as_they_are(asked: AnyClient) -> None:
    """For a look around, and for a probe."""
    assert "profile" in {view["name"] for view in asked.catalog()["feature_views"]}
    assert asked.health() == Health(ready=True, catalog="ok", redis="ok")


def test_a_client_of_httpx_is_used_and_left_open(service: Running) -> None:
    """Its headers go along, beside the client's own."""
    seen: list[httpx.Request] = []
    with httpx.Client(headers={"x-of-http": "1"}, event_hooks={"request": [seen.append]}) as http:
        with FeatureClient(service.url + "/", headers={"x-of-client": "2"}, http=http) as client:
            assert client.health().ready
        assert not http.is_closed
    assert (seen[0].headers["x-of-http"], seen[0].headers["x-of-client"]) == ("1", "2")
    assert seen[0].url.path == "/health/ready"


def test_an_address_without_a_scheme_is_told_at_once() -> None:
    """Not by the first call."""
    with pytest.raises(ValueError, match="must begin with"):
        FeatureClient("localhost:6566")


def test_both_clients_take_the_same() -> None:
    """Method by method, parameter by parameter."""
    for name, method in inspect.getmembers(FeatureClient, inspect.isfunction):
        if not name.startswith("_"):
            assert inspect.signature(getattr(AsyncFeatureClient, name)) == inspect.signature(method), name
