"""Processes that are killed, and what is left standing: workers, the definitions process, the supervisor."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.servers.http_connection import HttpConnection
from tests.servers.load import Load
from tests.servers.service_process import ServiceProcess, alive
from tests.servers.waiting import until, wait_until

from .site import PATIENT, QUESTIONS, Site, body, open_site, question

WORKERS = 2
# A worker starts in a second; on a busy machine in some.
REPLACED_SECONDS = 20.0
# The definitions process imports Feast first.
READ_AGAIN_SECONDS = 40.0
# Long enough to be waiting still when the signal comes.
SLOW_SECONDS = 1.5


@pytest.fixture(scope="module")
def _sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Site]]:
    """Services of two workers that wait for Redis for as long as it takes, all started at the same time."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(open_site(tmp_path_factory.mktemp(name), workers=WORKERS, environment=PATIENT))
            for name in ("lasting", "SIGTERM", "SIGINT")
        }


@pytest.fixture(scope="module")
def site(_sites: dict[str, Site]) -> Site:
    """The one that goes on to the end."""
    _sites["lasting"].service.wait_ready()
    return _sites["lasting"]


@pytest.fixture
def doomed(request: pytest.FixtureRequest, _sites: dict[str, Site]) -> Site:
    """One that is ended by a signal."""
    _sites[request.param].service.wait_ready()
    return _sites[request.param]


def exactly_counted(site: Site) -> float:
    """Reads answered by 200, as /metrics has them."""
    return site.service.metric("requests_total", route="/get-online-features", status="200")


async def test_counts_are_of_all_workers_together(site: Site) -> None:
    """However requests spread over connections and workers, /metrics of either worker counts each once."""

    def entities() -> float:
        return site.service.metric("read_entities_sum")

    before, before_entities = exactly_counted(site), entities()
    for requests in (1, 2, 3) * 10:
        async with await HttpConnection.open(site.service.url) as connection:
            for _ in range(requests):
                await connection.post("/get-online-features", body([1, 2, 3]))
    pages = {exactly_counted(site) for _ in range(20)}
    assert pages == {before + 60}
    assert {entities() for _ in range(20)} == {before_entities + 180}
    histogram = site.service.metric("request_seconds_count", route="/get-online-features")
    assert histogram == site.service.metric("requests_total", route="/get-online-features")
    assert site.service.metric("workers") == WORKERS


async def test_a_killed_worker_is_replaced_and_the_others_go_on(site: Site) -> None:
    """Only connections to the killed worker are lost; no answer is wrong, and soon there are as many workers again."""
    async with Load(site.service.url, QUESTIONS, clients=8, pause=0.002) as load:
        for _ in range(2):
            before = site.service.worker_pids
            lost = load.lost
            os.kill(before[0], signal.SIGKILL)
            await load.more(50)
            await until(
                lambda: len(site.service.worker_pids) == WORKERS and before[0] not in site.service.worker_pids,  # noqa: B023
                "another worker",
                REPLACED_SECONDS,
            )
            assert before[1] in site.service.worker_pids
            await asyncio.to_thread(site.service.wait_ready, REPLACED_SECONDS)
            assert load.lost - lost <= 8
            await load.more(50)
    assert set(load.statuses) == {200}  # no client meets the new worker before it has its definitions
    assert not load.wrong


async def test_counters_never_fall(site: Site) -> None:
    """A worker that is killed and replaced leaves its counts behind, and none of them twice."""
    counted = [exactly_counted(site)]
    async with Load(site.service.url, QUESTIONS, clients=4, pause=0.002) as load:
        victim = site.service.worker_pids[1]
        os.kill(victim, signal.SIGKILL)
        while len(site.service.worker_pids) < WORKERS or load.answered < 200:
            counted.append(await asyncio.to_thread(exactly_counted, site))
            assert len(counted) < 2000
    await asyncio.to_thread(site.service.wait_ready, REPLACED_SECONDS)
    counted.append(exactly_counted(site))
    assert counted == sorted(counted)
    # Answers that were counted and then cut off with their worker never arrived.
    assert load.answered <= counted[-1] - counted[0] <= load.answered + load.lost
    assert site.service.metric("workers") == WORKERS


async def test_a_killed_definitions_process_is_replaced_and_reads_go_on(site: Site) -> None:
    """Not one read fails while nobody reads the registry, whoever waits for a refresh is told, and then it can be had again."""
    service = site.service
    before, workers = service.definitions_pid, service.worker_pids
    assert before is not None
    async with Load(service.url, QUESTIONS, clients=4, pause=0.005) as load:
        os.kill(before, signal.SIGSTOP)
        async with await HttpConnection.open(service.url) as connection:
            refresh = asyncio.create_task(connection.request("POST", "/catalog/refresh"))
            await asyncio.sleep(0.2)
            assert not refresh.done()
            os.kill(before, signal.SIGKILL)
            answer = await refresh  # at once, not after the time that a refresh may take
        assert answer.status == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert service.post("/catalog/refresh").status == 503
        assert service.get("/health/ready").status == 200
        await until(lambda: service.definitions_pid not in (None, before), "another one", REPLACED_SECONDS)
        refreshed = lambda: service.post("/catalog/refresh").status == 200  # noqa: E731
        await asyncio.to_thread(wait_until, refreshed, "a refresh", READ_AGAIN_SECONDS)
        await load.more(20)
    assert set(load.statuses) == {200}
    assert not load.wrong
    assert not load.lost
    assert service.worker_pids == workers


@pytest.mark.parametrize("doomed", ["SIGTERM", "SIGINT"], indirect=True)
def test_a_signal_to_stop_lets_running_requests_end(doomed: Site, request: pytest.FixtureRequest) -> None:
    """The slow requests are answered, then nothing is left of the service, its port is free and its exit code 0."""
    pids = [doomed.service.pid, *doomed.service.worker_pids, doomed.service.definitions_pid or 0]
    port = doomed.service.port
    doomed.proxy.delay(SLOW_SECONDS)
    with ThreadPoolExecutor(6) as pool:
        answers = [pool.submit(doomed.service.read, body([customer])) for customer in range(1, 7)]
        wait_until(lambda: doomed.service.metric("requests_in_flight") == 6, "that all are under way")
        began = time.monotonic()
        doomed.service.send_signal(signal.Signals[request.node.callspec.params["doomed"]])
        for customer, answer in enumerate(answers, start=1):
            assert question([customer]).is_answered_by(answer.result())
    assert doomed.service.wait_ended(20) == 0
    assert time.monotonic() - began > SLOW_SECONDS / 2
    assert not [pid for pid in pids if alive(pid)]
    assert "Traceback" not in doomed.service.log
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))


def test_a_signal_at_any_moment_of_the_start(site: Site, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Children that are being started while it comes end too."""
    folder = tmp_path_factory.mktemp("start")
    for milliseconds in range(0, 24, 3):
        service = ServiceProcess(site.repo.folder, workers=6, log=folder / f"{milliseconds}.log").start()
        try:
            assert service.url
            time.sleep(milliseconds / 1000)
            service.send_signal(signal.SIGTERM)
            assert service.wait_ended(10) in (0, -signal.SIGTERM)  # the signal may come before it listens to signals
        finally:
            service.kill()


def test_when_the_supervisor_is_killed_all_end(site: Site) -> None:
    """Nobody is left who would hold the port, and a request that is being answered still is. Ends the module's service."""
    pids = [*site.service.worker_pids, site.service.definitions_pid or 0]
    assert len(pids) == WORKERS + 1
    site.proxy.delay(SLOW_SECONDS)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(site.service.read, body([4]))
        wait_until(lambda: site.service.metric("requests_in_flight") == 1, "that it is under way")
        site.service.kill()
        assert question([4]).is_answered_by(answer.result())
    wait_until(lambda: not [pid for pid in pids if alive(pid)], "the end of all")
