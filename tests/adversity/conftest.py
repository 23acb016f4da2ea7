"""Servers that tests of several files share, and the event loop that a worker runs on.

What imports Feast is imported where it is used: the store's tests are done in the seconds that this takes.
"""

import asyncio
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
import uvloop

from pipelines.local.redis import free_port
from tests.servers.service_process import ServiceProcess
from tests.servers.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    from .pushes import PushSite
    from .site import Site


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """For pytest-asyncio: what it is called, and how it is made."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def lasting_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Site"]:
    """A service with one worker for all tests that leave it as they found it; take `site`."""
    from .site import open_site

    with open_site(tmp_path_factory.mktemp("site")) as site:
        site.service.wait_ready()
        yield site


@pytest.fixture
def site(lasting_site: "Site") -> Iterator["Site"]:
    """That service, well before each test and after it."""
    from .site import RECOVERY_SECONDS

    yield lasting_site
    if not lasting_site.redis.running:
        lasting_site.redis.start()
    lasting_site.proxy.heal()
    lasting_site.service.wait_ready(RECOVERY_SECONDS)


@pytest.fixture(scope="session")
def lasting_push_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator["PushSite"]:
    """A service with two workers that is pushed to, over a Redis that forgets nothing when it is killed."""
    from .pushes import open_push_site

    with open_push_site(tmp_path_factory.mktemp("pushes")) as site:
        site.service.wait_ready()
        yield site


@pytest.fixture(scope="session")
def hanging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """A service whose registry is a database behind a black hole. Take it early: it takes long to say so."""
    from tests.servers.feast_repo import FeastRepo

    folder = tmp_path_factory.mktemp("hanging")
    with TcpProxy(free_port()) as black_hole:
        black_hole.black_hole()
        path = f"postgresql+psycopg://reader:s3cret@127.0.0.1:{black_hole.port}/feast"
        repo = FeastRepo(folder, "127.0.0.1:1", registry={"registry_type": "sql", "path": path, "cache_ttl_seconds": 1})
        service = ServiceProcess(repo.folder).start()
        yield service
        service.stop()
