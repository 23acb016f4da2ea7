"""More than the service can do: it says so at once, and goes on with what it has."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from pipelines.local.redis import EmbeddedRedis
from tests.servers.waiting import wait_until

from .conftest import FRESH
from .handmade.running import Running, running

BODY = {"features": ["profile:age"], "entities": {"customer_id": [FRESH]}}
IN_FLIGHT = 3
DEADLINE_MS = 15_000


@contextmanager
def waiting(redis: EmbeddedRedis, service: Running, amount: int) -> Iterator[list[httpx.Response]]:
    """So many reads that wait for Redis, which is held up meanwhile; their answers are there at the end."""
    answers: list[httpx.Response] = []

    def ask() -> None:
        answers.append(httpx.post(f"{service.url}/get-online-features", json=BODY, timeout=30))

    threads = [threading.Thread(target=ask) for _ in range(amount)]
    os.kill(redis.pid, signal.SIGSTOP)
    try:
        for thread in threads:
            thread.start()
        wait_until(lambda: service.metric("feature_service_requests_in_flight") == amount, "that the reads wait for Redis")
        yield answers
    finally:
        os.kill(redis.pid, signal.SIGCONT)
        for thread in threads:
            thread.join()


@pytest.fixture
def busy(service: Running) -> Iterator[Running]:
    """A service that takes three reads at a time, and patiently waits for Redis."""
    with running(
        service.registry, max_requests_in_flight=IN_FLIGHT, read_deadline_ms=DEADLINE_MS, retry_after_seconds=5
    ) as served:
        yield served


def test_a_read_too_many_is_refused_at_once(busy: Running, redis: EmbeddedRedis) -> None:
    """503 with Retry-After; those under way are answered, and the next ones too."""
    with waiting(redis, busy, IN_FLIGHT) as answers:
        refused = busy.post(BODY)
        assert refused.status_code == httpx.codes.SERVICE_UNAVAILABLE
        assert refused.headers["retry-after"] == "5"
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["type"] == "urn:feature-service:overloaded"
        assert answers == []
        assert busy.client.get("/health").status_code == httpx.codes.OK
    assert [answer.status_code for answer in answers] == [httpx.codes.OK] * IN_FLIGHT
    assert busy.post(BODY).status_code == httpx.codes.OK
    assert busy.metric("feature_service_requests_shed_total") == 1
    labels = {"route": "/get-online-features"}
    assert busy.metric("feature_service_requests_total", **labels, status="503") == 1
    assert busy.metric("feature_service_requests_total", **labels, status="200") == IN_FLIGHT + 1
    assert busy.metric("feature_service_requests_in_flight") == 0


def test_as_many_as_allowed_are_served(busy: Running, redis: EmbeddedRedis) -> None:
    """The last of them too."""
    with waiting(redis, busy, IN_FLIGHT) as answers:
        pass
    assert [answer.status_code for answer in answers] == [httpx.codes.OK] * IN_FLIGHT
    assert busy.metric("feature_service_requests_shed_total") == 0
