"""Whether the service is well: alive, and able to answer."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from pipelines.local.redis import EmbeddedRedis
from tests.servers.waiting import wait_until

from .handmade.definitions import PROFILE, definition
from .handmade.registry import Registry
from .handmade.running import Running, running

BODY = {"features": ["profile:age"], "entities": {"customer_id": [1]}}


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """A Redis that may be killed."""
    with EmbeddedRedis(tmp_path, persist=False) as server:
        yield server


def test_a_service_that_is_well_says_so(service: Running) -> None:
    """Alive and ready, in JSON."""
    alive, ready = service.client.get("/health"), service.client.get("/health/ready")
    assert (alive.status_code, alive.json()) == (200, {"status": "ok"})
    assert (ready.status_code, ready.json()) == (200, {"ready": True, "catalog": "ok", "redis": "ok"})


def test_without_redis_it_is_alive_but_not_ready(own_redis: EmbeddedRedis) -> None:
    """It says what is missing, reads are 503 with Retry-After, and all is well again when Redis is back."""
    with Registry(definition(PROFILE, connection_string=own_redis.connection_string)) as registry, running(registry) as served:
        own_redis.kill()
        wait_until(lambda: not served.ready, "that the loss is noticed")
        assert served.client.get("/health").status_code == httpx.codes.OK
        ready = served.client.get("/health/ready").json()
        assert ready["catalog"] == "ok"
        assert f"{own_redis.host}:{own_redis.port}" in ready["redis"]
        response = served.post(BODY)
        assert response.status_code == httpx.codes.SERVICE_UNAVAILABLE
        assert response.headers["retry-after"] == "1"
        assert response.headers["content-type"] == "application/problem+json"
        assert f"{own_redis.host}:{own_redis.port}" in response.json()["detail"]
        own_redis.start()
        wait_until(lambda: served.ready, "that it is ready again")
        assert served.post(BODY).status_code == httpx.codes.OK


def test_a_redis_that_was_never_there(tmp_path: Path) -> None:
    """The service starts without it, and is ready when it comes."""
    absent = EmbeddedRedis(tmp_path, persist=False)
    with (
        Registry(definition(PROFILE, connection_string=absent.connection_string)) as registry,
        running(registry, wait=False) as served,
    ):
        wait_until(lambda: served.client.get("/catalog").status_code == httpx.codes.OK, "that it has definitions")
        assert not served.ready
        assert served.post(BODY).status_code == httpx.codes.SERVICE_UNAVAILABLE
        with absent:
            wait_until(lambda: served.ready, "that it is ready")


def test_a_wrong_password_is_told_without_it(tmp_path: Path) -> None:
    """In Redis's own words, and without the secret."""
    with EmbeddedRedis(tmp_path, persist=False, password="the right one") as locked:
        address = f"{locked.host}:{locked.port},password=secret-guess"
        with Registry(definition(PROFILE, connection_string=address)) as registry, running(registry, wait=False) as served:
            wait_until(lambda: "WRONGPASS" in served.client.get("/health/ready").json()["redis"], "that it is told")
            told = served.client.get("/health/ready").text + served.post(BODY).text
            assert "secret-guess" not in told


def test_health_stays_out_of_what_is_counted_as_reads(service: Running) -> None:
    """Each route has its own series."""
    before = service.metric("feature_service_requests_total", route="/health", status="200")
    service.client.get("/health")
    assert service.metric("feature_service_requests_total", route="/health", status="200") == before + 1
