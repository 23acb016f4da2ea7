"""Retries: what passes is waited for, as long as the server asks and the call's time lasts."""

from collections.abc import Callable, Iterator

import httpx
import pytest
import redis as redis_py

from feature_client import (
    ConnectionFailed,
    FeatureClient,
    FeatureClientError,
    InvalidRequest,
    Retries,
    ServerError,
    Timeout,
    Unavailable,
)
from feature_client.retries import Attempts
from pipelines.local.redis import EmbeddedRedis
from tests.http.conftest import fill
from tests.http.handmade.definitions import shop
from tests.http.handmade.registry import Registry
from tests.http.handmade.running import Running, running
from tests.servers.tcp_proxy import TcpProxy
from tests.servers.waiting import wait_until

from .clients import AnyClient

Connect = Callable[..., AnyClient]

FEATURES, ENTITIES = ["profile:age"], {"customer_id": [1]}
ANSWER = {"customer_id": [1], "age": [41]}


class Clock:
    """Time that passes only where the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """As time.monotonic."""
        return self.now


def attempts(clock: Clock, timeout: float, **options: float) -> Attempts:
    """Of a call that may be made five times and draws the longest wait."""
    return Attempts(Retries(**{"attempts": 5, "clock": clock, "draw": lambda: 1.0, **options}), timeout)  # type: ignore[arg-type]


def test_waits_double_up_to_the_longest() -> None:
    """From the first."""
    made = attempts(Clock(), 100.0, first_wait=0.5, longest_wait=3.0)
    waits = []
    for _ in range(4):
        made.begin()
        waits.append(made.wait_after(ConnectionFailed("")))
    assert waits == [0.5, 1.0, 2.0, 3.0]
    made.begin()
    with pytest.raises(ConnectionFailed) as caught:
        made.wait_after(ConnectionFailed(""))
    assert caught.value.attempts == 5


@pytest.mark.parametrize(("asked", "wait"), [(None, 0.1), (0.0, 0.1), (2.0, 2.1), (60.0, 5.1)])
def test_retry_after_is_waited_for(asked: float | None, wait: float) -> None:
    """Up to the longest wait, and a drawn moment besides, so that not all come back at once."""
    made = attempts(Clock(), 100.0)
    made.begin()
    assert made.wait_after(Unavailable("", {}, 503, asked)) == wait


def test_no_wait_outlasts_the_call() -> None:
    """What is known is told at once."""
    clock = Clock()
    made = attempts(clock, 3.0)
    assert made.begin() == 3.0
    clock.now += 1.5
    with pytest.raises(Unavailable):
        made.wait_after(Unavailable("", {}, 503, 1.5))


def test_an_attempt_gets_what_is_left() -> None:
    """Or its own time, if that is shorter."""
    clock = Clock()
    made = attempts(clock, 3.0, attempt_timeout=2.0)
    assert made.begin() == 2.0
    clock.now += 2.0
    assert made.wait_after(Timeout("")) == 0.1
    clock.now += 0.5
    assert made.begin() == 0.5


@pytest.mark.parametrize("error", [InvalidRequest("", {}, 422), InvalidRequest("", {}, 429), ServerError("", {}, 500)])
def test_what_does_not_pass_is_not_repeated(error: FeatureClientError) -> None:
    """However much time there is."""
    made = attempts(Clock(), 100.0)
    made.begin()
    with pytest.raises(type(error)):
        made.wait_after(error)


def test_no_attempt_is_too_few() -> None:
    """At once."""
    with pytest.raises(ValueError, match="at least 1"):
        Retries(attempts=0)


@pytest.fixture(scope="module")
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """One to be killed."""
    with EmbeddedRedis(tmp_path_factory.mktemp("redis"), persist=False) as server:
        yield server


@pytest.fixture(scope="module")
def own_service(own_redis: EmbeddedRedis) -> Iterator[Running]:
    """The service that reads from it."""
    with Registry(shop(own_redis.connection_string)) as registry, running(registry) as served:
        yield served


@pytest.fixture
def proxy(service: Running) -> Iterator[TcpProxy]:
    """Between the client and a service that is well."""
    with TcpProxy(service.port) as between:
        yield between


def revive(redis: EmbeddedRedis, service: Running) -> None:
    """Redis with its rows, and the service connected to it."""
    redis.start()
    with redis_py.Redis.from_url(redis.url) as client:
        fill(client)
    wait_until(lambda: service.ready, "that the service is ready")


def test_a_redis_that_comes_back_is_waited_for(connect: Connect, own_redis: EmbeddedRedis, own_service: Running) -> None:
    """As long as the server's Retry-After says."""
    revive(own_redis, own_service)
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        revive(own_redis, own_service)

    client = connect(own_service.url, sleep=sleep, timeout=60.0)
    own_redis.kill()
    assert client.get_online_features(FEATURES, ENTITIES).to_dict() == ANSWER
    (wait,) = waits
    assert 1.0 <= wait <= 1.1


def test_a_redis_that_stays_away_is_an_error(connect: Connect, own_redis: EmbeddedRedis, own_service: Running) -> None:
    """After the last attempt; health says so without one."""
    waits: list[float] = []
    client = connect(own_service.url, sleep=waits.append, retries=Retries(attempts=4))
    own_redis.kill()
    try:
        with pytest.raises(Unavailable) as caught:
            client.get_online_features(FEATURES, ENTITIES)
        assert (caught.value.status, caught.value.retry_after, caught.value.attempts, len(waits)) == (503, 1.0, 4, 3)
        health = client.health()
        assert (health.ready, health.catalog) == (False, "ok")
        assert len(waits) == 3
        with pytest.raises(Unavailable) as caught:
            client.get_online_features(FEATURES, ENTITIES, timeout=1.0)
        assert (caught.value.attempts, len(waits)) == (1, 3)
    finally:
        revive(own_redis, own_service)


def test_a_server_that_refuses_connections_for_a_moment(connect: Connect, proxy: TcpProxy) -> None:
    """As one that is restarted does."""
    proxy.refuse()
    client = connect(f"http://127.0.0.1:{proxy.port}", sleep=lambda seconds: proxy.heal())
    assert client.get_online_features(FEATURES, ENTITIES).to_dict() == ANSWER


@pytest.mark.parametrize("passed", [0, 20, 200])
def test_an_answer_that_is_cut_is_asked_for_again(connect: Connect, proxy: TcpProxy, passed: int) -> None:
    """Wherever it is cut: before it, in its head, in its body."""
    waits: list[float] = []
    client = connect(f"http://127.0.0.1:{proxy.port}", sleep=waits.append)
    assert client.get_online_features(FEATURES, ENTITIES).to_dict() == ANSWER
    proxy.cut_after(passed)
    assert client.get_online_features(FEATURES, ENTITIES).to_dict() == ANSWER
    assert len(waits) == 1


def test_an_attempt_that_hangs_is_given_up_for_another(connect: Connect, proxy: TcpProxy) -> None:
    """Where each attempt has a time of its own."""
    proxy.black_hole()
    retries = Retries(attempt_timeout=0.5)
    client = connect(f"http://127.0.0.1:{proxy.port}", sleep=lambda seconds: proxy.heal(), retries=retries)
    assert client.get_online_features(FEATURES, ENTITIES).to_dict() == ANSWER


def test_a_request_that_is_wrong_is_sent_once(connect: Connect, service: Running) -> None:
    """4xx is never repeated."""
    waits: list[float] = []
    client = connect(service.url, sleep=waits.append)
    before = _requests(service, 404)
    with pytest.raises(InvalidRequest) as caught:
        client.get_online_features(["profile:nothing"], ENTITIES)
    assert (caught.value.attempts, waits) == (1, [])
    assert _requests(service, 404) == before + 1


def _requests(service: Running, status: int) -> float:
    return service.metric("feature_service_requests_total", route="/get-online-features", status=str(status))


def test_connections_are_kept(connect: Connect, proxy: TcpProxy) -> None:
    """One for calls that follow each other."""
    client = connect(f"http://127.0.0.1:{proxy.port}")
    for _ in range(5):
        client.get_online_features(FEATURES, ENTITIES)
    assert proxy.accepted == 1


def test_the_time_of_a_call_is_what_httpx_gets(service: Running) -> None:
    """For each of its steps."""
    seen: list[httpx.Request] = []
    with httpx.Client(event_hooks={"request": [seen.append]}) as http:
        FeatureClient(service.url, http=http, retries=Retries(clock=Clock())).health(timeout=7.0)
    assert seen[0].extensions["timeout"] == {"connect": 7.0, "read": 7.0, "write": 7.0, "pool": 7.0}
