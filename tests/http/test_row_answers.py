"""Reads answered with an object for each row: `?layout=rows`."""

import time
from collections.abc import Iterator
from random import Random
from typing import Any

import httpx
import pytest
import redis as redis_py
from feast.protos.feast.types.Value_pb2 import Value

from pipelines.local.redis import EmbeddedRedis

from .conftest import ABSENT, EXPIRED, FRESH, NULL
from .handmade.all_types import EVERYTHING, ROWS, TYPES, random_row
from .handmade.definitions import definition, view
from .handmade.forms import read_rows, send
from .handmade.on_demand import on_demand, projection
from .handmade.registry import Registry
from .handmade.rows import write
from .handmade.running import Running, running

CUSTOMERS = [FRESH, EXPIRED, NULL, ABSENT]
NAMESAKE = view("namesake", {"customer_id": "STRING"})
NUMBERS = view("numbers", {"single": "FLOAT", "double": "DOUBLE"})


def halved(inputs: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """An on-demand feature with a null."""
    return {"half": [None if double is None else double / 2 for double in inputs["double"]]}


HALVED = on_demand("halved", halved, {"half": "DOUBLE"}, [projection("numbers", "double")])


@pytest.fixture(scope="module")
def everything(redis: EmbeddedRedis) -> Iterator[Running]:
    """A service with a feature of every type."""
    rng = Random(12)
    with redis_py.Redis.from_url(redis.url) as client:
        for customer in range(ROWS):
            write(client, EVERYTHING, {"customer_id": customer}, time.time_ns(), random_row(rng))
            numbers = {"single": Value(float_val=1.5), "double": Value(double_val=customer)}
            write(client, NUMBERS, {"customer_id": customer}, time.time_ns(), numbers)
        infinite = {"single": Value(float_val=float("-inf")), "double": Value(double_val=float("nan"))}
        write(client, NUMBERS, {"customer_id": 100}, time.time_ns(), infinite)
        largest = {"single": Value(), "double": Value(double_val=1.7976931348623157e308)}
        write(client, NUMBERS, {"customer_id": 101}, time.time_ns(), largest)
        write(client, NUMBERS, {"customer_id": 102}, time.time_ns(), largest)
    views = (EVERYTHING, NUMBERS, NAMESAKE, HALVED)
    with Registry(definition(*views, connection_string=redis.connection_string)) as registry, running(registry) as served:
        yield served


def turned(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer in columns as it should be in rows, with all that may be included; these are of features."""
    names, results = answer["metadata"]["feature_names"], answer["results"]
    # Features behind entities: those whose status and time aren't all that an entity column has.
    features = [(name, vector) for name, vector in zip(names, results, strict=True) if name not in ("customer_id", "store_id")]

    def rows(kind: str, of: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
        columns = [vector[kind] for _, vector in of]
        return [dict(zip([name for name, _ in of], row, strict=True)) for row in zip(*columns, strict=True)]

    return {
        "metadata": answer["metadata"],
        "rows": rows("values", list(zip(names, results, strict=True))),
        "statuses": rows("statuses", features),
        "event_timestamps": rows("event_timestamps", features),
    }


def test_a_row_is_an_object(service: Running) -> None:
    """Entity columns first, then the features in the order of the request; metadata as ever, and nothing else."""
    features = ["till:total", "profile:name", "profile:tags", "everyone:rate"]
    answer = read_rows(service, features, {"customer_id": [FRESH, ABSENT], "store_id": ["north", "süd"]})
    assert answer == {
        "metadata": {"feature_names": ["customer_id", "store_id", "total", "name", "tags", "rate"]},
        "rows": [
            {"customer_id": 1, "store_id": "north", "total": 1000, "name": "customer 1", "tags": ["a", "b"], "rate": 4.5},
            {"customer_id": 99, "store_id": "süd", "total": 2000, "name": None, "tags": None, "rate": 4.5},
        ],
    }
    assert list(answer["rows"][0]) == answer["metadata"]["feature_names"]


@pytest.mark.parametrize("include", ["", "statuses", "event_timestamps", "event_timestamps,statuses", "statuses,statuses"])
def test_statuses_and_times_stand_beside_the_rows(service: Running, include: str) -> None:
    """Those that are asked for, of each feature."""
    features = ["visits:count", "profile:age"]
    expected = turned(service.read(features, {"customer_id": CUSTOMERS}))
    answer = read_rows(service, features, {"customer_id": CUSTOMERS}, include)
    assert answer == {name: expected[name] for name in ("metadata", "rows", *filter(None, set(include.split(","))))}


def test_all_present_is_a_status_too(service: Running) -> None:
    """A column without any other."""
    answer = read_rows(service, ["visits:count", "profile:age"], {"customer_id": [FRESH] * 2}, "statuses")
    assert answer["statuses"] == [{"count": "PRESENT", "age": "PRESENT"}] * 2


def test_the_columns_layout_is_the_usual_answer(service: Running) -> None:
    """Byte for byte, whatever is included: it has statuses and times anyway."""
    body = {"features": ["visits:count"], "entities": {"customer_id": CUSTOMERS}}
    usual = send(service, body).content
    assert send(service, body, query={"layout": "columns"}).content == usual
    assert send(service, body, query={"layout": "columns", "include": "statuses"}).content == usual
    assert send(service, body, query={"layout": "rows"}).content != usual


@pytest.mark.parametrize("name", TYPES)
def test_values_of_each_type_are_those_of_the_columns(everything: Running, name: str) -> None:
    """NaN and infinities as strings, at any depth."""
    entities = {"customer_id": list(range(ROWS + 1))}
    expected = turned(everything.read([f"everything:{name}"], entities))
    answer = read_rows(everything, [f"everything:{name}"], entities, "statuses,event_timestamps")
    assert answer == expected


def test_numbers_that_are_none_are_found_wherever_they_are(everything: Running) -> None:
    """Beside nulls, and where the sum of all is no number though each of them is."""
    for customers in ([1, 100], [1, 2], [1, 101], [101, 102], [ABSENT, 100], [ABSENT]):
        features = ["numbers:single", "numbers:double"]
        expected = turned(everything.read(features, {"customer_id": customers}))
        assert read_rows(everything, features, {"customer_id": customers})["rows"] == expected["rows"]


@pytest.mark.parametrize("rows", [600, 4000])
def test_answers_of_any_size_say_the_same(service: Running, rows: int) -> None:
    """However many parts they are read in and wherever they are encoded."""
    entities = {"customer_id": Random(rows).choices(CUSTOMERS, k=rows)}
    features = ["visits:count", "profile:name", "profile:spend", "visits:score", "profile:tags"]
    expected = turned(service.read(features, entities))
    assert read_rows(service, features, entities, "statuses,event_timestamps") == expected


def test_views_and_their_versions_are_told_when_asked_for(service: Running) -> None:
    """In the metadata, as in columns; features named by their views, too."""
    more = {"include_feature_view_version_metadata": True, "full_feature_names": True}
    features, entities = ["tariff:price", "till:total"], {"store_id": ["north"]}
    answer = read_rows(service, features, entities, **more)
    assert answer["metadata"] == service.read(features, entities, **more)["metadata"]
    assert answer["rows"] == [{"store_id": "north", "tariff__price": 102.0, "till__total": 1000}]


def test_one_row_without_entities(service: Running) -> None:
    """Of a view that has none."""
    assert read_rows(service, ["everyone:rate"], {})["rows"] == [{"rate": 4.5}]


def test_on_demand_features_are_like_others(everything: Running) -> None:
    """Their inputs, which weren't asked for, aren't there."""
    answer = read_rows(everything, ["halved:half"], {"customer_id": [3, ABSENT]}, "statuses")
    assert answer["rows"] == [{"customer_id": 3, "half": 1.5}, {"customer_id": ABSENT, "half": None}]
    assert answer["statuses"] == [{"half": "PRESENT"}, {"half": "NOT_FOUND"}]


def test_one_name_for_two_things_is_refused(everything: Running) -> None:
    """An object has a name once; lists don't mind."""
    body = {"features": ["namesake:customer_id"], "entities": {"customer_id": [1]}}
    response = send(everything, body, query={"layout": "rows"})
    assert response.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert response.json()["errors"][0]["field"] == "features"
    assert response.json()["detail"].startswith("customer_id would be the name of two different things")
    assert send(everything, body).status_code == httpx.codes.OK


def test_errors_are_the_usual_ones(service: Running) -> None:
    """In either layout."""
    for body in ({"features": ["profle:age"], "entities": {"customer_id": [1]}}, {"features": []}):
        assert send(service, body, query={"layout": "rows"}).content == send(service, body).content
