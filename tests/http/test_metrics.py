"""What the service counts, as Prometheus reads it."""

from collections.abc import Iterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.metrics.definitions import DEFINITIONS

from .conftest import ABSENT, EXPIRED, FRESH, NULL
from .handmade.running import Running, running

ROUTE = {"route": "/get-online-features"}
BODY = {"features": ["profile:age"], "entities": {"customer_id": [FRESH]}}
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def fresh(service: Running) -> Iterator[Running]:
    """A service that has counted nothing yet but that it was asked whether it is ready."""
    with running(service.registry) as served:
        yield served


def samples(service: Running) -> Samples:
    """The page, as Prometheus has it."""
    response = service.client.get("/metrics")
    assert response.status_code == httpx.codes.OK
    assert response.headers["content-type"].startswith("text/plain; version=")
    return {
        (sample.name.removeprefix("feature_service_"), tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def of(page: Samples, name: str, **labels: str) -> float:
    """One sample, 0 when it isn't there."""
    return page.get((name, tuple(sorted(labels.items()))), 0.0)


def test_the_page_has_every_metric(fresh: Running) -> None:
    """And nothing else."""
    text = fresh.client.get("/metrics").text
    families = {family.name.removeprefix("feature_service_") for family in text_string_to_metric_families(text)}
    assert families == {*DEFINITIONS, "catalog_age_seconds"}


def test_reads_are_counted_by_route_and_status(fresh: Running) -> None:
    """With their times."""
    for body in (BODY, BODY, {**BODY, "features": ["nope:x"]}, {**BODY, "features": []}, b"{"):
        fresh.post(body)
    page = samples(fresh)
    counts = {status: of(page, "requests_total", **ROUTE, status=status) for status in ("200", "400", "404", "422", "500")}
    assert counts == {"200": 2, "400": 1, "404": 1, "422": 1, "500": 0}
    assert of(page, "request_seconds_count", **ROUTE) == 5
    assert 0 < of(page, "request_seconds_sum", **ROUTE) < 5
    for phase in ("parse", "redis", "encode"):
        assert of(page, "read_phase_seconds_count", phase=phase) == 2


def test_entities_and_statuses_are_counted(fresh: Running) -> None:
    """By view."""
    fresh.read(["visits:count", "profile:age"], {"customer_id": [FRESH, EXPIRED, NULL, ABSENT]})
    page = samples(fresh)
    counted = {status: of(page, "feature_values_total", view="visits", status=status)
               for status in ("PRESENT", "OUTSIDE_MAX_AGE", "NULL_VALUE", "NOT_FOUND")}  # fmt: skip
    assert counted == {"PRESENT": 1, "OUTSIDE_MAX_AGE": 1, "NULL_VALUE": 1, "NOT_FOUND": 1}
    assert of(page, "feature_values_total", view="profile", status="PRESENT") == 2
    assert (of(page, "read_entities_count"), of(page, "read_entities_sum")) == (1, 4)
    assert of(page, "read_entities_bucket", le="2.0") == 0
    assert of(page, "read_entities_bucket", le="5.0") == 1


def test_other_routes_are_counted_too(fresh: Running) -> None:
    """Those that aren't there under one name, however many are tried."""
    for path in ("/catalog", "/nothing", "/nothing/at/all", "/docs"):
        fresh.client.get(path)
    page = samples(fresh)
    assert of(page, "requests_total", route="/catalog", status="200") == 1
    assert of(page, "requests_total", route="(unknown)", status="404") == 2
    assert {dict(labels)["route"] for name, labels in page if name == "requests_total"} <= {
        "/catalog",
        "/docs",
        "/health/ready",
        "/metrics",
        "(unknown)",
    }


def test_the_state_of_things_is_told(fresh: Running) -> None:
    """Workers, connections, the age of the definitions, and that nothing is in flight."""
    page = samples(fresh)
    assert of(page, "workers") == 1
    assert of(page, "redis_connections", purpose="reads") == fresh.app.settings.redis_connections
    assert of(page, "redis_connections", purpose="writes") == 1
    assert of(page, "redis_connects_total", purpose="reads") >= 1
    assert of(page, "requests_in_flight") == 0
    assert of(page, "catalog_swaps_total") == 1
    assert 0 <= of(page, "catalog_age_seconds") < 600


def test_labels_come_only_from_the_registry_and_the_routes(fresh: Running) -> None:
    """A client can't make series by asking for what there is not."""
    before = len(samples(fresh))
    for number in range(50):
        fresh.post({**BODY, "features": [f"view_{number}:x"]})
        fresh.client.get(f"/path_{number}")
        fresh.client.request(f"METHOD{number}", "/health")
    assert len(samples(fresh)) < before + 60  # one histogram of "(unknown)", and the statuses
