"""On-demand functions in a worker's own process: slow and endless ones keep nobody waiting but those who asked for them."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis as redis_py

from pipelines.local.process import die_with_parent
from pipelines.local.redis import EmbeddedRedis
from service.catalog.definitions import CatalogDefinition
from tests.http.conftest import FRESH, fill
from tests.http.handmade.definitions import PROFILE, definition
from tests.http.handmade.on_demand import BALANCE, OUTPUTS, by_columns, computing, on_demand
from tests.http.handmade.registry import Registry
from tests.servers.waiting import wait_until

BUDGET_MS = 500
HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """A Redis with the rows of the shop."""
    with EmbeddedRedis(tmp_path_factory.mktemp("redis"), persist=False) as server:
        with redis_py.Redis.from_url(server.url) as client:
            fill(client)
        yield server


@contextmanager
def worker(registered: CatalogDefinition, folder: Path) -> Iterator[tuple[httpx.Client, int]]:
    """One worker process as the supervisor starts it, a client of it, and its process id."""
    with Registry(registered) as registry, socket.create_server((HOST, 0)) as listener:
        file = listener.fileno()
        command = [sys.executable, "-m", "service.worker", "--listen", str(file)]
        command += ["--definitions", str(registry.socket), "--metrics", str(folder)]
        environment = {**os.environ, "FEATURE_SERVICE_COMPUTATION_BUDGET_MS": str(BUDGET_MS)}
        with (
            subprocess.Popen(
                command, pass_fds=[file], stdin=subprocess.PIPE, env=environment, preexec_fn=die_with_parent()
            ) as process,
            httpx.Client(base_url=f"http://{HOST}:{listener.getsockname()[1]}", timeout=20) as client,
        ):
            try:
                wait_until(lambda: is_ready(client), "that the worker is ready")
                yield client, process.pid
            finally:
                process.terminate()


def is_ready(client: httpx.Client) -> bool:
    """Whether it says so."""
    try:
        return client.get("/health/ready").is_success
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def client(redis: EmbeddedRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A worker with all on-demand views of the tests."""
    with worker(computing(redis.connection_string), tmp_path_factory.mktemp("metrics")) as (client, _):
        yield client


def ask(client: httpx.Client, features: list[str], **entities: Any) -> httpx.Response:
    """One read."""
    return client.post("/get-online-features", json={"features": features, "entities": entities})


def stored(client: httpx.Client) -> httpx.Response:
    """A read that computes nothing."""
    return ask(client, ["profile:age"], customer_id=[FRESH])


@pytest.mark.parametrize("calls_before", [0, 200], ids=["of a function that isn't known", "of one that has always been quick"])
def test_an_endless_call_ends_with_its_budget(client: httpx.Client, calls_before: int) -> None:
    """504 naming the view; the worker goes on, and so does the view."""
    for _ in range(calls_before):
        assert ask(client, ["endless:x"], forever=[False]).is_success
    response = ask(client, ["endless:x"], forever=[True])
    assert response.status_code == 504, response.text
    assert response.json()["type"] == "urn:feature-service:computation-timeout"
    assert "On-demand feature view endless: its function endless takes longer than 0.5 s." in response.json()["detail"]
    assert stored(client).is_success
    assert ask(client, ["endless:x"], forever=[False]).is_success


@pytest.mark.parametrize(("view", "seconds"), [("sleepy", 0.3), ("busy", 0.0)])
def test_reads_go_on_while_slow_functions_run(client: httpx.Client, view: str, seconds: float) -> None:
    """Those that wait, and those that compute: other requests get their turn all the time."""
    asked, answered = threading.Event(), threading.Event()
    statuses: list[int] = []

    def ask_slowly() -> None:
        with httpx.Client(base_url=client.base_url, timeout=20) as other:
            for _ in range(5):
                asked.set()
                statuses.append(ask(other, [f"{view}:x"], seconds=[seconds]).status_code)
        answered.set()

    thread = threading.Thread(target=ask_slowly)
    thread.start()
    asked.wait()
    reads = 0
    while not answered.is_set():
        assert stored(client).is_success
        reads += 1
    thread.join()
    assert statuses == [200] * 5
    assert reads > 5 * len(statuses)


def test_a_worker_that_stands_still_ends(client: httpx.Client, tmp_path: Path, redis: EmbeddedRedis) -> None:
    """A library's code that never comes back can't be interrupted; the supervisor starts another worker."""
    with worker(computing(redis.connection_string), tmp_path) as (own, pid):
        for _ in range(50):
            assert ask(own, ["stuck:x"], forever=[False]).is_success
        with pytest.raises(httpx.TransportError):
            ask(own, ["stuck:x"], forever=[True])
        wait_until(lambda: Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z", "that the worker has ended")


def test_pandas_stays_out_of_workers_that_do_not_need_it(redis: EmbeddedRedis, tmp_path: Path) -> None:
    """Functions in plain Python cost neither its memory nor its import."""
    view = on_demand("derived", by_columns, OUTPUTS, request=BALANCE)
    with worker(definition(PROFILE, view, connection_string=redis.connection_string), tmp_path) as (client, pid):
        assert ask(client, ["derived:ratio"], customer_id=[FRESH], balance=[10]).json()["results"][1]["values"] == [5.0]
        libraries = Path(f"/proc/{pid}/maps").read_text()
    assert "/orjson/" in libraries
    assert "/pandas/" not in libraries
    assert "/pyarrow/" not in libraries
