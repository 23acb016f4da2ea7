"""A registry of 1,000 views of 50 features: a worker takes it over without a noticeable pause."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest

from service.app import FeatureService
from service.catalog import Catalog, definitions
from service.catalog.listing import render_listing
from service.catalog.messages import Snapshot, frame
from service.settings import Settings

VIEWS, FEATURES = 1000, 50
GENERATIONS = 5
# What the project allows itself on an idle machine is 20 ms; this catches what is wrong in kind on a busy one.
LONGEST_STALL_SECONDS = 0.1
TICK_SECONDS = 0.0005


def snapshot(generation: int) -> Snapshot:
    """What the definitions process sends; every generation has other features."""
    features = [f"amount_spent_in_the_last_{number}_days_{generation}" for number in range(FEATURES)]
    views = {
        f"customer_statistics_{number}": definitions.ViewDefinition(
            name=f"customer_statistics_{number}",
            kind="feature_view",
            features=[definitions.FeatureDefinition(name, "FLOAT", "Sum, in euros, of what was paid") for name in features],
            entities=[definitions.EntityDefinition("customer", "customer_id", "INT64")],
            store_name=f"customer_statistics_{number}",
            ttl_nanoseconds=86_400 * 10**9,
            tags={"team": "customer-analytics"},
        )
        for number in range(VIEWS)
    }
    body = definitions.encode(
        definitions.CatalogDefinition(
            project="large",
            entity_key_version=3,
            online_store=definitions.OnlineStoreDefinition("127.0.0.1:1"),
            views={name: msgspec.Raw(definitions.encode(view)) for name, view in views.items()},
            services={},
            push_sources={},
            entities={"customer": "customer_id"},
        )
    )
    return Snapshot(time.time(), body, render_listing(definitions.decode_catalog(body)))


class Definitions:
    """In the place of the definitions process: sends one snapshot to its one worker each time it is told to."""

    def __init__(self, path: Path) -> None:
        self._frames = [frame(snapshot(generation)) for generation in range(GENERATIONS)]
        self._send = threading.Semaphore(0)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def send(self) -> None:
        """Send the next one."""
        self._send.release()

    def stop(self) -> None:
        """End it, whether or not a worker came."""
        self._listener.close()
        self._send.release()
        self._thread.join(1)

    def _serve(self) -> None:
        worker, _ = self._listener.accept()
        with worker, contextlib.suppress(BrokenPipeError):
            for framed in self._frames:
                self._send.acquire()
                worker.sendall(framed)
            self._send.acquire()


class Ticker:
    """The longest time for which the event loop did nothing else."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def run(self) -> None:
        """Tick for ever."""
        last = time.perf_counter()
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = time.perf_counter()
            self.longest = max(self.longest, now - last - TICK_SECONDS)
            last = now


@contextlib.asynccontextmanager
async def ticking() -> AsyncIterator[Ticker]:
    """A ticker for the length of the block."""
    ticker = Ticker()
    task = asyncio.create_task(ticker.run())
    try:
        yield ticker
        await asyncio.sleep(0.05)
    finally:
        task.cancel()


@pytest.fixture
def definitions_process(tmp_path: Path) -> Iterator[Definitions]:
    """The one that sends."""
    server = Definitions(tmp_path / "definitions")
    yield server
    server.stop()


@pytest.fixture
async def worker(definitions_process: Definitions, tmp_path: Path) -> AsyncIterator[FeatureService]:
    """A worker's application that has its first catalog."""
    app = FeatureService(Settings(), tmp_path / "definitions", tmp_path / "metrics", None, False)
    app.catalog.start()
    await swapped(app, definitions_process)
    yield app
    await app.catalog.stop()
    await app._resources.stop()


async def swapped(app: FeatureService, process: Definitions) -> Catalog:
    """Have the next snapshot sent, and return it when it is in force."""
    before = app.catalog.current
    process.send()
    async with asyncio.timeout(10):
        while app.catalog.current is before:  # noqa: ASYNC110 - the ticker must find the loop free
            await asyncio.sleep(TICK_SECONDS)
    assert app.catalog.current is not None
    return app.catalog.current


async def test_a_swap(definitions_process: Definitions, worker: FeatureService, capsys: pytest.CaptureFixture[str]) -> None:
    """A new catalog is received, decoded and put in place with no long stall of the worker's event loop."""
    async with ticking() as idle:
        await asyncio.sleep(0.2)
    async with ticking() as busy:
        for generation in range(1, GENERATIONS):
            catalog = await swapped(worker, definitions_process)
            view = catalog.view("customer_statistics_999")
            assert view is not None
            assert view.features[0].name == f"amount_spent_in_the_last_0_days_{generation}"
            assert len(catalog.definition.views) == VIEWS
    with capsys.disabled():
        print(f"\nLongest stall, {VIEWS} x {FEATURES}: {busy.longest * 1e3:.1f} ms a swap, {idle.longest * 1e3:.1f} ms idle")
    assert busy.longest < LONGEST_STALL_SECONDS


@pytest.mark.parametrize(("method", "path"), [("GET", "/catalog"), ("GET", "/metrics")])
async def test_showing_it(worker: FeatureService, capsys: pytest.CaptureFixture[str], method: str, path: str) -> None:
    """Whoever asks for the whole catalog doesn't hold up those who read features."""
    await answer(worker, method, path)  # the first request of all builds the application
    async with ticking() as busy:
        for _ in range(3):
            body = await answer(worker, method, path)
    if path == "/catalog":
        assert len(json.loads(body)["feature_views"]) == VIEWS
    with capsys.disabled():
        print(f"\nLongest stall, {method} {path}: {busy.longest * 1e3:.1f} ms")
    assert busy.longest < LONGEST_STALL_SECONDS


async def answer(app: FeatureService, method: str, path: str) -> bytes:
    """The body of the answer to a request without one."""
    body = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, object]) -> None:
        if message["type"] == "http.response.body":
            body.append(message.get("body", b""))
        else:
            assert message["status"] == 200

    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "headers": [], "query_string": b""}
    await app({**scope, "root_path": "", "scheme": "http", "server": ("test", 80)}, receive, send)
    return b"".join(body)
