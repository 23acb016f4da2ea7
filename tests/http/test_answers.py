"""Answers to requests that are right: their form, their order, and what they cost Redis."""

import json
from typing import Any

import httpx
import pytest
import redis as redis_py

from .conftest import ABSENT, EXPIRED, FRESH, NULL
from .handmade.running import Running, running

READ_PATH = "/get-online-features"


def commands(client: "redis_py.Redis[bytes]") -> dict[str, int]:
    """How often Redis was sent each command."""
    stats: dict[str, dict[str, Any]] = client.info("commandstats")  # type: ignore[assignment]
    return {name.removeprefix("cmdstat_"): stat["calls"] for name, stat in stats.items()}


def test_an_answer_has_stocks_form(service: Running) -> None:
    """Results first, then metadata; compact JSON, with its length and no charset."""
    body = {"features": ["profile:age"], "entities": {"customer_id": [FRESH]}}
    response = service.post(body)
    assert response.status_code == httpx.codes.OK
    assert response.headers["content-type"] == "application/json"
    assert int(response.headers["content-length"]) == len(response.content)
    answer = response.json()
    assert list(answer) == ["results", "metadata"]
    assert [list(vector) for vector in answer["results"]] == [["values", "statuses", "event_timestamps"]] * 2
    assert response.content == json.dumps(answer, separators=(",", ":"), ensure_ascii=False).encode()


def test_each_status_reaches_the_client(service: Running) -> None:
    """Present, too old, null, not found."""
    answer = service.read(["visits:count"], {"customer_id": [FRESH, EXPIRED, NULL, ABSENT]})
    assert answer["results"][1]["values"] == [7, None, None, None]
    assert answer["results"][1]["statuses"] == ["PRESENT", "OUTSIDE_MAX_AGE", "NULL_VALUE", "NOT_FOUND"]


def test_expired_values_are_kept_where_the_settings_say_so(service: Running) -> None:
    """Their status tells of their age either way."""
    with running(service.registry, expired_values="keep") as keeping:
        answer = keeping.read(["visits:count"], {"customer_id": [FRESH, EXPIRED, NULL, ABSENT]})
    assert answer["results"][1]["values"] == [7, 7, None, None]
    assert answer["results"][1]["statuses"] == ["PRESENT", "OUTSIDE_MAX_AGE", "NULL_VALUE", "NOT_FOUND"]


def test_features_come_in_the_order_of_the_request(service: Running) -> None:
    """Views interleaved; entity columns first, in their order."""
    features = ["till:total", "profile:name", "visits_at:minutes", "profile:age", "everyone:rate", "profile:name"]
    answer = service.read(features, {"store_id": ["north"], "customer_id": [FRESH]})
    names = ["store_id", "customer_id", "total", "name", "minutes", "age", "rate", "name"]
    assert answer["metadata"] == {"feature_names": names}
    values = [vector["values"][0] for vector in answer["results"]]
    assert values == ["north", FRESH, 1000, "customer 1", 90, 41, 4.5, "customer 1"]


def test_ids_and_values_of_other_scripts(service: Running) -> None:
    """UTF-8 all the way, escaped in the request or not."""
    for body in (
        '{"features":["till:total"],"entities":{"store_id":["süd"]}}'.encode(),
        b'{"features":["till:total"],"entities":{"store_id":["s\\u00fcd"]}}',
    ):
        answer = service.post(body).json()
        assert [vector["values"] for vector in answer["results"]] == [["süd"], [2000]]


def test_ids_of_bytes_are_base64(service: Running) -> None:
    """As bytes are in answers."""
    answer = service.read(["door:opened"], {"badge_id": ["AP8=", "AP9D"]})
    assert [vector["values"] for vector in answer["results"]] == [["AP8=", "AP9D"], [3, None]]


def test_views_without_an_entity_need_no_columns(service: Running) -> None:
    """One row."""
    answer = service.read(["everyone:rate"], {})
    assert answer["metadata"]["feature_names"] == ["rate"]
    assert answer["results"][0]["values"] == [4.5]


@pytest.mark.parametrize(
    ("asked", "entities", "names"),
    [
        ("shopper", {"customer_id": [FRESH]}, ["customer_id", "name", "age", "score", "count"]),
        ("old_prices", {"store_id": ["north"]}, ["store_id", "price"]),
        (["tariff@v1:price"], {"store_id": ["north"]}, ["store_id", "price"]),
        (["till:total"], {"store": ["north"]}, ["store_id", "total"]),
    ],
)
def test_services_versions_and_names_of_entities(
    service: Running, asked: list[str] | str, entities: dict[str, Any], names: list[str]
) -> None:
    """Everything that names something."""
    assert service.read(asked, entities)["metadata"]["feature_names"] == names


def test_full_names_and_versions_are_told_when_asked_for(service: Running) -> None:
    """The two flags of a request."""
    answer = service.read(
        ["tariff@v1:price", "tariff:price"],
        {"store_id": ["north"]},
        full_feature_names=True,
        include_feature_view_version_metadata=True,
    )
    assert answer["metadata"] == {
        "feature_names": ["store_id", "tariff@v1__price", "tariff__price"],
        "feature_view_metadata": [{"name": "tariff", "version": 1}],
    }
    assert [vector["values"] for vector in answer["results"]] == [["north"], [101.0], [102.0]]


def test_roles_are_read_from_their_own_columns(service: Running) -> None:
    """A service may map a join key to another column."""
    answer = service.read("roles", {"customer_id": [FRESH], "buyer_id": [EXPIRED]}, full_feature_names=True)
    assert answer["metadata"]["feature_names"] == ["customer_id", "buyer_id", "buyer__age", "profile__age"]
    assert [vector["values"] for vector in answer["results"]] == [[FRESH], [EXPIRED], [42], [41]]


def test_an_entity_that_is_asked_for_twice_is_fetched_once(service: Running, client: "redis_py.Redis[bytes]") -> None:
    """One HMGET for each key, for all its views; nothing else is sent to Redis."""
    before = commands(client)
    ids = [FRESH, EXPIRED, FRESH, FRESH, EXPIRED]
    answer = service.read(["profile:age", "visits:count", "profile:name"], {"customer_id": ids})
    assert answer["results"][1]["values"] == [41, 42, 41, 41, 42]
    after = commands(client)
    assert {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)} == {
        "hmget": 2,
        "info": 1,
    }


@pytest.mark.parametrize("entities", [512, 513, 1300])
def test_many_entities_are_answered_as_few_are(service: Running, entities: int) -> None:
    """A request that is read in parts is the same as many small ones."""
    ids = [(place * 7) % 100 for place in range(entities)]
    features = ["visits:score", "everyone:rate", "profile:tags", "visits:count"]
    whole = service.read(features, {"customer_id": ids})["results"]
    parts = [service.read(features, {"customer_id": ids[start : start + 100]})["results"] for start in range(0, entities, 100)]
    for place, vector in enumerate(whole):
        for name in ("values", "statuses", "event_timestamps"):
            assert vector[name] == [item for part in parts for item in part[place][name]]


def test_a_request_is_the_same_however_it_comes(service: Running) -> None:
    """In one piece, in chunks, with a query, over a connection that ends, as HTTP/1.0: all ways lead to one answer."""
    body = json.dumps({"features": ["profile:age"], "entities": {"customer_id": [FRESH]}}).encode()
    answers = [
        service.client.post(READ_PATH, content=body),
        service.client.post(READ_PATH, content=iter([body[:7], body[7:]])),
        service.client.post(READ_PATH + "?layout=columns", content=body),
        service.client.post(READ_PATH, content=body, headers={"connection": "close"}),
        service.client.post(READ_PATH, content=body + b" " * 100_000),
        service.client.post(READ_PATH, content=body, headers={"content-type": "text/plain"}),
    ]
    assert {(answer.status_code, answer.content) for answer in answers} == {(200, answers[0].content)}
    assert {answer.headers["content-type"] for answer in answers} == {"application/json"}


def test_a_refusal_is_the_same_however_the_request_comes(service: Running) -> None:
    """Errors too."""
    body = json.dumps({"features": ["profile:agee"], "entities": {"customer_id": [FRESH]}}).encode()
    answers = [
        service.client.post(READ_PATH, content=body),
        service.client.post(READ_PATH, content=iter([body[:7], body[7:]])),
        service.client.post(READ_PATH, content=body, headers={"connection": "close"}),
        service.client.post(READ_PATH, content=body + b" " * 100_000),
    ]
    assert {(answer.status_code, answer.content) for answer in answers} == {(404, answers[0].content)}
    assert {answer.headers["content-type"] for answer in answers} == {"application/problem+json"}
