"""Both servers of one registry, started once for all rows of the page."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import pytest

from pipelines.local.redis import EmbeddedRedis
from tests.parity.conftest import pytest_configure  # noqa: F401 - silences what stock says of itself

from .kiosk import Kiosk, open_kiosk
from .outage import answers_without_redis


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """An empty Redis of our own."""
    with EmbeddedRedis(tmp_path_factory.mktemp("redis"), persist=False) as server:
        yield server


@pytest.fixture(scope="session")
def opened(redis: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kiosk]:
    """The registry that the page's rows are about, served by both."""
    with open_kiosk(tmp_path_factory.mktemp("kiosk"), redis) as kiosk:
        yield kiosk


@pytest.fixture(scope="session")
def outage(opened: Kiosk) -> Iterator[Future[dict[str, httpx.Response]]]:
    """What stock answers without Redis. That takes it many seconds, so it is asked while other tests run."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(answers_without_redis, opened)


@pytest.fixture
def kiosk(opened: Kiosk, outage: Future[dict[str, httpx.Response]]) -> Kiosk:
    """The same, with exactly the rows that `kiosk.py` tells of; `outage` is here so that it begins early."""
    opened.fill()
    return opened
