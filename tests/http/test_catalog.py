"""What may be asked for, how it changes, and what is said while nobody knows."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest

from pipelines.local.redis import EmbeddedRedis
from service.catalog.messages import Snapshot, frame
from tests.servers.waiting import wait_until

from .conftest import FRESH
from .handmade.definitions import PROFILE, VISITS, definition, projection, service, shop, view
from .handmade.registry import Registry
from .handmade.running import Running, running

BODY = {"features": ["profile:age"], "entities": {"customer_id": [FRESH]}}


@pytest.fixture
def registry(redis: EmbeddedRedis) -> Iterator[Registry]:
    """A registry of our own, with profile and visits."""
    with Registry(definition(PROFILE, VISITS, connection_string=redis.connection_string)) as listening:
        yield listening


@pytest.fixture
def served(registry: Registry) -> Iterator[Running]:
    """A service of that registry."""
    with running(registry) as started:
        yield started


def names(response: httpx.Response) -> set[str]:
    """The views in a catalog."""
    assert response.status_code == httpx.codes.OK, response.text
    return {each["name"] for each in response.json()["feature_views"]}


def by_name(items: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Items of the catalog."""
    return {item["name"]: item for item in items}


def test_the_catalog_shows_what_may_be_asked_for(service: Running) -> None:
    """Views with their features, types and ttl, services as references, push sources, and how current all this is."""
    catalog = service.client.get("/catalog").json()
    assert catalog["project"] == "shop"
    assert catalog["failure"] is None
    assert 0 <= catalog["age_seconds"] < 600
    views = by_name(catalog["feature_views"])
    assert set(views) == {name for name in shop().views if "@" not in name}
    assert views["visits"] == {
        "name": "visits",
        "kind": "feature_view",
        "version": 0,
        "ttl_seconds": 86_400.0,
        "entities": [{"name": "customer_id", "join_key": "customer_id", "type": "INT64"}],
        "features": [
            {"name": "count", "type": "INT64", "description": ""},
            {"name": "score", "type": "DOUBLE", "description": ""},
        ],
        "servable": True,
        "reason": "",
        "on_demand": None,
        "description": "",
        "owner": "",
        "tags": {"team": "web"},
    }
    assert views["profile"]["ttl_seconds"] is None
    assert views["tariff"]["version"] == 2
    assert views["till"]["entities"] == [{"name": "store", "join_key": "store_id", "type": "STRING"}]
    services = by_name(catalog["feature_services"])
    assert services["shopper"]["features"] == ["profile:name", "profile:age", "visits:score", "visits:count"]
    assert services["old_prices"]["features"] == ["tariff@v1:price"]
    assert by_name(catalog["push_sources"])["visits_push"]["views"] == ["visits"]


def test_the_catalog_says_what_cannot_be_served(service: Running) -> None:
    """And why."""
    views = by_name(service.client.get("/catalog").json()["feature_views"])
    assert not views["disabled"]["servable"]
    assert "feast feature-views enable" in views["disabled"]["reason"]
    assert not views["derived"]["servable"]
    assert views["derived"]["reason"]


def test_each_reference_in_the_catalog_can_be_asked_for(service: Running) -> None:
    """What a service stands for, too; what isn't servable is refused."""
    catalog = service.client.get("/catalog").json()
    ids = {"customer_id": [1], "store_id": ["a"], "badge_id": ["AA=="], "room_id": [1], "starts_at": [1]}
    for each in catalog["feature_views"]:
        entities = {entity["join_key"]: ids[entity["join_key"]] for entity in each["entities"]}
        for feature in each["features"]:
            body = {"features": [f"{each['name']}:{feature['name']}"], "entities": entities}
            assert (service.post(body).status_code == httpx.codes.OK) == each["servable"], body


def test_new_definitions_are_in_force_at_once(served: Running, registry: Registry, redis: EmbeddedRedis) -> None:
    """Views come and go, and with them the plans that were made for them."""
    assert served.post(BODY).status_code == httpx.codes.OK
    without = definition(VISITS, view("new", {"x": "INT64"}), connection_string=redis.connection_string)
    registry.publish(without)
    wait_until(lambda: names(served.client.get("/catalog")) == {"visits", "new"}, "that the new definitions are in place")
    assert served.post(BODY).status_code == httpx.codes.NOT_FOUND
    assert served.post({**BODY, "features": ["new:x"]}).status_code == httpx.codes.OK
    assert served.metric("feature_service_catalog_swaps_total") == 2


def test_a_ttl_that_changes_counts_from_the_next_request(served: Running, registry: Registry, redis: EmbeddedRedis) -> None:
    """The same request, another answer."""
    assert served.read(["profile:age"], {"customer_id": [FRESH]})["results"][1]["statuses"] == ["PRESENT"]
    hasty = msgspec.structs.replace(PROFILE, ttl_nanoseconds=1)
    registry.publish(definition(hasty, connection_string=redis.connection_string))
    wait_until(
        lambda: served.read(["profile:age"], {"customer_id": [FRESH]})["results"][1]["statuses"] == ["OUTSIDE_MAX_AGE"],
        "that the new ttl holds",
    )


def test_definitions_change_under_load_without_one_wrong_answer(
    served: Running, registry: Registry, redis: EmbeddedRedis
) -> None:
    """A service of one of two shapes: each answer is of the one or of the other."""
    shapes = [["age"], ["name", "age"]]
    kinds = [
        definition(PROFILE, services=[service("s", projection("profile", *shape))], connection_string=redis.connection_string)
        for shape in shapes
    ]
    registry.publish(kinds[0])
    body = {"feature_service": "s", "entities": {"customer_id": [FRESH]}}
    wait_until(lambda: served.post(body).status_code == httpx.codes.OK, "that the service is there")
    stop, seen, wrong = threading.Event(), set(), []

    def ask() -> None:
        with httpx.Client(base_url=served.url) as client:
            while not stop.is_set():
                response = client.post("/get-online-features", json=body)
                answer = response.json()
                got = tuple(answer.get("metadata", {}).get("feature_names", [])[1:])
                seen.add(got)
                values = [vector["values"] for vector in answer.get("results", [])[1:]]
                if values != [{"age": [41], "name": ["customer 1"]}[name] for name in got] or list(got) not in shapes:
                    wrong.append(answer)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for turn in range(60):
        registry.publish(kinds[turn % 2])
        time.sleep(0.005)
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert seen == {tuple(shape) for shape in shapes}


def test_a_refresh_reads_the_registry_now(served: Running, registry: Registry) -> None:
    """And shows what it then defines."""
    before = registry.refreshes
    assert names(served.client.post("/catalog/refresh")) == {"profile", "visits"}
    assert registry.refreshes == before + 1


def test_a_refresh_that_fails_changes_nothing(served: Running, registry: Registry) -> None:
    """503 with the reason; reads go on, and the catalog tells of the failure until a reading succeeds."""
    registry.failure = "The registry can't be read: no such table."
    response = served.client.post("/catalog/refresh")
    assert response.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert response.headers["retry-after"]
    assert response.headers["content-type"] == "application/problem+json"
    assert "no such table" in response.json()["detail"]
    assert served.post(BODY).status_code == httpx.codes.OK
    assert "no such table" in served.client.get("/catalog").json()["failure"]
    assert served.client.get("/health/ready").status_code == httpx.codes.OK
    registry.failure = None
    assert names(served.client.post("/catalog/refresh")) == {"profile", "visits"}
    assert served.client.get("/catalog").json()["failure"] is None


def test_readings_that_fail_are_shown_with_their_age(served: Running, registry: Registry) -> None:
    """However many; the age grows from the last that succeeded."""
    for attempt in range(3):
        registry.fail(f"failure {attempt}")
    wait_until(lambda: served.client.get("/catalog").json()["failure"] == "failure 2", "that the failure is told")
    first = served.client.get("/catalog").json()["age_seconds"]
    wait_until(lambda: served.client.get("/catalog").json()["age_seconds"] > first, "that the age grows")
    assert served.metric("feature_service_catalog_age_seconds") >= first
    assert served.post(BODY).status_code == httpx.codes.OK


def test_definitions_outlive_the_process_that_reads_them(served: Running, registry: Registry, redis: EmbeddedRedis) -> None:
    """Reads go on without it, a refresh says that it is gone, and when it is back its definitions are taken."""
    registry.vanish()
    wait_until(
        lambda: served.client.post("/catalog/refresh").status_code == httpx.codes.SERVICE_UNAVAILABLE,
        "that the loss is noticed",
    )
    assert served.post(BODY).status_code == httpx.codes.OK
    registry.current = definition(PROFILE, view("new", {"x": "INT64"}), connection_string=redis.connection_string)
    registry.listen()
    wait_until(lambda: names(served.client.get("/catalog")) == {"profile", "new"}, "that it is heard again")
    assert served.client.post("/catalog/refresh").status_code == httpx.codes.OK


def test_definitions_that_cannot_be_decoded_leave_the_old_ones_in_force(served: Running, registry: Registry) -> None:
    """And the next good ones are taken."""
    registry.send_raw(frame(Snapshot(time.time(), b"\xc1 not msgpack", b"{}")))
    assert served.post(BODY).status_code == httpx.codes.OK
    wait_until(lambda: registry.connections > 1, "that the worker connects anew")
    assert served.client.post("/catalog/refresh").status_code in {200, 503}
    wait_until(lambda: served.client.post("/catalog/refresh").status_code == httpx.codes.OK, "that a refresh works again")
    assert served.post(BODY).status_code == httpx.codes.OK


def test_before_the_first_definitions_nothing_is_answered(redis: EmbeddedRedis) -> None:
    """503 with Retry-After on what needs them; health says that the process lives; then they come."""
    with Registry() as registry, running(registry, wait=False) as served:
        for response in (served.post(BODY), served.client.get("/catalog"), served.client.get("/health/ready")):
            assert response.status_code == httpx.codes.SERVICE_UNAVAILABLE
        assert served.post(BODY).headers["retry-after"]
        assert served.post(BODY).json()["type"] == "urn:feature-service:no-definitions"
        assert served.client.get("/health").status_code == httpx.codes.OK
        assert served.client.get("/metrics").status_code == httpx.codes.OK
        registry.fail("The registry has no project shop: run feast apply first.")
        wait_until(lambda: "feast apply" in served.post(BODY).json()["detail"], "that the reason is told")
        assert "feast apply" in served.client.get("/health/ready").json()["catalog"]
        registry.publish(definition(PROFILE, connection_string=redis.connection_string))
        wait_until(lambda: served.ready, "that it is ready")
        assert served.post(BODY).status_code == httpx.codes.OK
