"""On-demand views that are kept (write_to_online_store=True): computed when rows are written, and then only read."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import redis as redis_py

from pipelines.local.redis import EmbeddedRedis
from tests.http.handmade.definitions import PROJECT
from tests.http.handmade.on_demand import KEPT, computing
from tests.http.handmade.registry import Registry
from tests.http.handmade.rows import redis_key
from tests.http.handmade.running import Running, running

CUSTOMER = 7001
INPUTS: dict[str, list[Any]] = {
    "customer_id": [CUSTOMER], "age": [40], "name": ["Ada"], "spend": [0.5], "tags": [["a"]], "balance": [10.0],
}  # fmt: skip


@pytest.fixture(scope="module")
def service(redis: EmbeddedRedis) -> Iterator[Running]:
    """A service of on-demand views."""
    with Registry(computing(redis.connection_string)) as registry, running(registry) as served:
        yield served


@pytest.fixture(autouse=True)
def nothing_written(client: "redis_py.Redis[bytes]") -> None:
    """No row of ours is there."""
    client.delete(redis_key(KEPT, {"customer_id": CUSTOMER}, PROJECT))


def write(service: Running, df: dict[str, list[Any]], **more: Any) -> httpx.Response:
    """The answer to a write to the view."""
    return service.client.post("/write-to-online-store", json={"feature_view_name": "kept", "df": df, **more})


def read(service: Running) -> dict[str, Any]:
    """What is kept of the customer: each vector's only value, status and time."""
    answer = service.read(["kept:ratio", "kept:is_adult"], {"customer_id": [CUSTOMER]})
    names = answer["metadata"]["feature_names"]
    return {
        name: tuple(vector[part][0] for part in ("values", "statuses", "event_timestamps"))
        for name, vector in zip(names, answer["results"], strict=True)
    }


def test_rows_of_inputs_are_computed_and_kept(service: Running) -> None:
    """And read without the function: no request data is needed any more."""
    assert read(service)["ratio"][:2] == (None, "NOT_FOUND")
    response = write(service, INPUTS)
    assert response.status_code == 200, response.text
    assert response.json()["views"] == {"kept": {"written": 1, "stale": 0}}
    found = read(service)
    assert found["ratio"][:2] == (5.0, "PRESENT")
    assert found["is_adult"][:2] == (1, "PRESENT")


def test_rows_without_a_time_are_of_this_moment(service: Running) -> None:
    """As in stock; with one, the newest stands."""
    before = datetime.now(UTC)
    write(service, INPUTS)
    assert before <= datetime.fromisoformat(read(service)["ratio"][2]) <= datetime.now(UTC)
    old = (before - timedelta(days=1)).isoformat()
    response = write(service, {**INPUTS, "balance": [20.0], "event_timestamp": [old]})
    assert response.json()["stale"] == 1
    assert read(service)["ratio"][0] == 5.0


def test_rows_may_be_written_as_they_are(service: Running) -> None:
    """With transform_on_write: false they are what the function would have given."""
    response = write(service, {"customer_id": [CUSTOMER], "ratio": [0.25], "is_adult": [0]}, transform_on_write=False)
    assert response.status_code == 200, response.text
    assert read(service)["ratio"][0] == 0.25
    response = write(service, INPUTS, transform_on_write=False)
    assert response.status_code == 422
    assert {error["field"] for error in response.json()["errors"]} >= {"ratio", "is_adult"}


@pytest.mark.parametrize(
    ("changes", "field", "row"),
    [
        ({"age": None}, "age", None),
        ({"agee": [1]}, "agee", None),
        ({"age": ["x"]}, "age", 0),
        ({"balance": [True]}, "balance", 0),
        ({"customer_id": ["7"]}, "customer_id", 0),
        ({"event_timestamp": [7]}, "event_timestamp", 0),
    ],
)
def test_inputs_are_checked(service: Running, changes: dict[str, Any], field: str, row: int | None) -> None:
    """By field and row, before the function sees them; nothing is written."""
    df = {name: values for name, values in {**INPUTS, **changes}.items() if values is not None}
    response = write(service, df)
    assert response.status_code == 422, response.text
    assert (field, row) in [(error["field"], error["row"]) for error in response.json()["errors"]]
    assert read(service)["ratio"][1] == "NOT_FOUND"


def test_a_view_that_is_not_kept_cannot_be_written(service: Running) -> None:
    """Its features are computed when they are read."""
    response = service.client.post("/write-to-online-store", json={"feature_view_name": "columns", "df": INPUTS})
    assert response.status_code == 422
    assert "write_to_online_store=False" in response.json()["detail"]


def test_kept_features_can_be_inputs(service: Running) -> None:
    """Of another on-demand view: they are read like any others."""
    write(service, INPUTS)
    answer = service.read(["chained:seen"], {"customer_id": [CUSTOMER]})
    assert answer["results"][1]["values"] == [f"{{'customer_id': {CUSTOMER}, 'kept__ratio': 5.0, 'ratio': 5.0}}"]
    assert answer["results"][1]["statuses"] == ["PRESENT"]


def test_a_row_cannot_have_two_columns_of_one_name(service: Running) -> None:
    """Two sources have a feature of that name; which of them it would be isn't guessed."""
    body = {"feature_view_name": "ambiguous", "df": {"customer_id": [CUSTOMER], "score": [0.5]}}
    response = service.client.post("/write-to-online-store", json=body)
    assert response.status_code == 501
    assert "two of its sources have a feature score" in response.json()["detail"]
