"""One Redis with a few rows, and one service with the usual settings, for all tests that need nothing else."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis as redis_py
from feast.protos.feast.types.Value_pb2 import Value

from pipelines.local.redis import EmbeddedRedis
from tests.http.handmade import definitions, pushes
from tests.http.handmade.definitions import DAY_NANOSECONDS, shop
from tests.http.handmade.pushes import Pusher, pushable, write_suites
from tests.http.handmade.registry import Registry
from tests.http.handmade.rows import write
from tests.http.handmade.running import Running, running

# A customer with fresh rows, one whose visits have expired, one whose values are null, one that nobody knows.
FRESH, EXPIRED, NULL, ABSENT = 1, 2, 3, 99
CUSTOMERS = {FRESH: 41, EXPIRED: 42, NULL: None}


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """A Redis of our own, with the rows of the shop."""
    with EmbeddedRedis(tmp_path_factory.mktemp("redis"), persist=False) as server:
        with redis_py.Redis.from_url(server.url) as client:
            fill(client)
        yield server


@pytest.fixture
def client(redis: EmbeddedRedis) -> Iterator["redis_py.Redis[bytes]"]:
    """A client of that Redis."""
    with redis_py.Redis.from_url(redis.url) as connected:
        yield connected


@pytest.fixture(scope="session")
def service(redis: EmbeddedRedis) -> Iterator[Running]:
    """The service, with its default settings."""
    with Registry(shop(redis.connection_string)) as registry, running(registry) as served:
        yield served


@pytest.fixture(scope="session")
def expectations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GX project with the suites that are pushed through; who changes suites has a project of their own."""
    return write_suites(tmp_path_factory.mktemp("expectations"))


@pytest.fixture(scope="session")
def pushing(redis: EmbeddedRedis, expectations: Path) -> Iterator[Running]:
    """A service that can be pushed to, with its default settings."""
    with Registry(pushable(redis.connection_string)) as registry, running(registry, expectations=expectations) as served:
        yield served


@pytest.fixture
def pusher(pushing: Running, client: "redis_py.Redis[bytes]") -> Pusher:
    """A client of that service, whose Redis has no row that was pushed."""
    rows = list(client.scan_iter(f"*{pushes.PROJECT}"))
    if rows:
        client.delete(*rows)
    return Pusher(pushing, client)


def fill(client: "redis_py.Redis[bytes]") -> None:
    """The rows that the tests know of."""
    now = time.time_ns()
    for customer, age in CUSTOMERS.items():
        known = age is not None
        profile = {
            "age": Value(int64_val=age) if known else Value(),
            "name": Value(string_val=f"customer {customer}") if known else Value(),
            "spend": Value(float_val=0.5) if known else Value(),
            "tags": Value(string_list_val={"val": ["a", "b"]}) if known else Value(),
        }
        write(client, definitions.PROFILE, {"customer_id": customer}, now, profile)
        visits = {"count": Value(int64_val=7), "score": Value(double_val=0.25)} if known else {"count": Value()}
        visited = now - 2 * DAY_NANOSECONDS if customer == EXPIRED else now
        write(client, definitions.VISITS, {"customer_id": customer}, visited, visits)
    for store, total in (("north", 1000), ("süd", 2000)):
        write(client, definitions.TILL, {"store_id": store}, now, {"total": Value(int64_val=total)})
    write(client, definitions.VISITS_AT, {"customer_id": FRESH, "store_id": "north"}, now, {"minutes": Value(int64_val=90)})
    write(client, definitions.EVERYONE, {}, now, {"rate": Value(double_val=4.5)})
    write(client, definitions.DOOR, {"badge_id": b"\x00\xff"}, now, {"opened": Value(int64_val=3)})
    for version, price in ((definitions.TARIFF, 102.0), (definitions.OLD_TARIFFS["tariff@v1"], 101.0)):
        write(client, version, {"store_id": "north"}, now, {"price": Value(double_val=price)})
