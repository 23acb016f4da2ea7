"""A shop whose customers are pushed to a local parquet file: its repository, its definitions, its writers."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from feast import FeatureView, Field, FileSource, PushSource
from feast.types import Array, Bytes, Float32, Int64, String, UnixTimestamp

from pipelines.local.process import die_with_parent
from pipelines.local.redis import EmbeddedRedis
from service.catalog.client import CatalogClient
from service.catalog.configuration import load_config
from service.catalog.process import DefinitionsServer
from service.catalog.registry import RegistryReader
from service.metrics import Metrics
from service.metrics.page import render
from service.offline.entry import Keys
from service.offline.queue import OfflineQueue
from service.offline.stream import OfflineStream
from service.offline.writer import OfflineWriter
from service.settings import Settings
from service.store.lease import Lease
from tests.servers.feast_repo import CUSTOMER, FeastRepo
from tests.servers.service_process import sample_sum
from tests.servers.waiting import until

from .stores import connected

SOURCE = "customer_pushes"
EVENT = datetime(2026, 1, 31, 12, tzinfo=UTC)
# What Feast's imports may take on a busy machine, in a writer that has its first push.
WRITTEN_SECONDS = 60.0
# `city` is called otherwise in the file, `created` has no zone there, `seen` is in milliseconds.
SCHEMA = pa.schema(
    [
        ("customer_id", pa.int64()),
        ("event_timestamp", pa.timestamp("us", "UTC")),
        ("created", pa.timestamp("us")),
        ("visits", pa.int64()),
        ("spend", pa.float32()),
        ("town", pa.string()),
        ("tags", pa.list_(pa.string())),
        ("photo", pa.binary()),
        ("seen", pa.timestamp("ms", "UTC")),
    ]
)
FEATURES = {
    "visits": Int64, "spend": Float32, "city": String, "tags": Array(String), "photo": Bytes, "seen": UnixTimestamp
}  # fmt: skip


class Shop:
    """One project, applied. `file` is what its views read their history from; it holds one row, of customer 0."""

    def __init__(self, folder: Path, redis: EmbeddedRedis, **sources: str) -> None:
        """`sources` are further push sources, over other paths."""
        self.folder = folder
        self.redis = redis
        self.file = folder / "customers.parquet"
        self.repo = FeastRepo(folder / "repo", redis.connection_string, project=folder.name)
        self.keys = Keys.of(self.repo.project)
        write_file(self.file, [0])
        views = [_view(name, SOURCE, self.file) for name in ("profile", "profile_again")]
        self.repo.apply(*views, *[_view(name, name, Path(path)) for name, path in sources.items()])

    def customers(self) -> list[int]:
        """Whose rows the file holds, in order."""
        return sorted(pq.read_table(self.file)["customer_id"].to_pylist())

    def settings(self, **overrides: Any) -> Settings:
        """Without delay, unless told otherwise."""
        hasty = {"offline_batch_age_seconds": 0.0, "offline_lease_seconds": 2.0, "offline_max_attempts": 2}
        return Settings(**{**hasty, **overrides})

    def redis_length(self, key: bytes) -> int:
        """Entries of a stream."""
        length = self.redis.command("XLEN", key)
        assert isinstance(length, int)
        return length

    def dead(self) -> list[dict[str, str]]:
        """The dead letters, by their fields."""
        found: Any = self.redis.command("XRANGE", self.keys.dead, "-", "+")
        pairs = [(fields[::2], fields[1::2]) for _, fields in found]
        return [
            {name.decode(): value.decode(errors="replace") for name, value in zip(*pair, strict=True)} for pair in pairs
        ]  # fmt: skip

    async def written(self, customers: Sequence[int], seconds: float = WRITTEN_SECONDS) -> None:
        """Return when the file holds these rows and nothing waits any more."""
        await until(lambda: self.redis_length(self.keys.stream) == 0, "that nothing waits", seconds)
        assert self.customers() == sorted(customers)

    @asynccontextmanager
    async def definitions(self) -> AsyncIterator[Path]:
        """The socket of a definitions process, which here is this one."""
        path = self.folder / f"definitions-{time.monotonic_ns()}.sock"
        server = DefinitionsServer(
            RegistryReader(load_config(self.repo.folder)), 0.0, path.with_suffix(".kept"), Metrics(self.folder / "definitions")
        )
        assert await server.refresh() is None
        async with await asyncio.start_unix_server(server.serve_worker, path):
            yield path

    @asynccontextmanager
    async def queue(self) -> AsyncIterator[OfflineQueue]:
        """A worker's end."""
        async with connected(self.redis.connection_string, read_timeout=5.0) as (store, _):
            yield OfflineQueue(store, self.repo.project, Metrics(self.folder / "worker"))

    @asynccontextmanager
    async def writer(self, **overrides: Any) -> AsyncIterator[Metrics]:
        """A writer in this process; its metrics. It is stopped in order."""
        settings = self.settings(**overrides)
        metrics = Metrics(self.folder / "writer")
        async with self.definitions() as socket, connected(self.redis.connection_string, 1, 5.0) as (store, _):
            first: asyncio.Future[object] = asyncio.get_running_loop().create_future()
            client = CatalogClient(socket, metrics, first.set_result)
            client.start()
            await first
            lease = Lease(store, self.keys.lease, settings.offline_lease_seconds, "the offline writer")
            stream = OfflineStream(store, self.repo.project)
            stop = asyncio.Event()
            running = asyncio.create_task(OfflineWriter(stream, lease, client, self.repo.folder, settings, metrics).run(stop))
            try:
                yield metrics
            finally:
                stop.set()
                await running
                await client.stop()
                metrics.close()


class WriterProcess:
    """`python -m service.offline.process`, as the supervisor runs it."""

    def __init__(self, shop: Shop, definitions: Path) -> None:
        self._metrics = shop.folder / "metrics"
        settings = shop.settings().model_dump(include={"offline_batch_age_seconds", "offline_lease_seconds"})
        environment = {f"FEATURE_SERVICE_{key.upper()}": str(value) for key, value in settings.items()}
        command = [sys.executable, "-m", "service.offline.process", "--repo", str(shop.repo.folder)]
        command += ["--definitions", str(definitions), "--metrics", str(self._metrics)]
        self.child = subprocess.Popen(
            command, stdin=subprocess.PIPE, env=os.environ | environment, preexec_fn=die_with_parent()
        )

    def send(self, number: signal.Signals) -> None:
        """A signal."""
        self.child.send_signal(number)

    @property
    def holds_the_lease(self) -> bool:
        """Whether it is the one that writes."""
        return sample_sum(render(self._metrics, time.time).decode(), "offline_writers") == 1


@asynccontextmanager
async def writer_process(shop: Shop) -> AsyncIterator[WriterProcess]:
    """One that has the lease; it is killed at the end unless it has ended."""
    async with shop.definitions() as socket:
        process = WriterProcess(shop, socket)
        with process.child:
            try:
                await until(lambda: process.holds_the_lease, "that it has the lease", WRITTEN_SECONDS)
                yield process
            finally:
                process.child.kill()


def batch(*customers: int, **columns: list[Any]) -> dict[str, list[Any]]:
    """A push of a row for each customer, in which every value tells whose it is, as it comes from a worker."""
    rows: Mapping[str, Callable[[int], Any]] = {
        "customer_id": lambda number: number,
        "event_timestamp": lambda number: (EVENT + timedelta(seconds=number)).isoformat(),
        "created": lambda number: "2026-02-01T00:00:00",
        "visits": lambda number: number * 1000,
        "spend": lambda number: number / 2,
        "city": lambda number: f"city of {number}",
        "tags": lambda number: [f"tag of {number}"],
        "photo": lambda number: b"photo of %d" % number,
        "seen": lambda number: 1_700_000_000 + number,
    }
    return {name: list(map(make, customers)) for name, make in rows.items()} | columns


def write_file(path: Path, customers: Sequence[int]) -> None:
    """A file of the same rows."""
    rows = batch(*customers)
    moments = [EVENT + timedelta(seconds=number) for number in customers]
    created = [datetime(2026, 2, 1)] * len(moments)
    columns = [rows["customer_id"], moments, created, rows["visits"], rows["spend"], rows["city"], rows["tags"], rows["photo"]]
    seen = [second * 1000 for second in rows["seen"]]
    pq.write_table(pa.table([*columns, pa.array(seen, pa.timestamp("ms", "UTC"))], SCHEMA), path)


def _view(name: str, push_source: str, path: Path) -> FeatureView:
    source = FileSource(
        name=f"file of {push_source}",
        path=str(path) if "s3:" not in str(path) else str(path).replace("s3:/", "s3://"),
        timestamp_field="event_timestamp",
        created_timestamp_column="created",
        field_mapping={"town": "city"},
    )
    return FeatureView(
        name=name,
        entities=[CUSTOMER],
        ttl=timedelta(days=3650),
        schema=[Field(name=feature, dtype=dtype) for feature, dtype in FEATURES.items()],
        source=PushSource(name=push_source, batch_source=source),
    )
