"""A whole site that is pushed to, and producers that push all the time and remember what was confirmed."""

import asyncio
import json
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq
import redis as redis_py
from feast import FeatureView, Field, FileSource, PushSource
from feast.infra.online_stores.helpers import _mmh3, _redis_key
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.types import Int64
from google.protobuf.timestamp_pb2 import Timestamp

from pipelines.local.redis import EmbeddedRedis
from tests.servers.feast_repo import CUSTOMER, FeastRepo
from tests.servers.http_connection import HttpConnection, encode_request
from tests.servers.service_process import Answer, ServiceProcess
from tests.servers.tcp_proxy import TcpProxy
from tests.servers.waiting import until

from .meters import FEATURES, SOURCE, START, SUITE, VIEW, at, rows

WORKERS = 2
WRITE_DEADLINE_SECONDS = 0.5
# A worker starts in a second; on a busy machine in some.
RECOVERY_SECONDS = 20.0
ENVIRONMENT = {
    "FEATURE_SERVICE_WRITE_DEADLINE_MS": str(WRITE_DEADLINE_SECONDS * 1000),
    "FEATURE_SERVICE_OFFLINE_BATCH_AGE_SECONDS": "0",
    "FEATURE_SERVICE_QUARANTINE_MAX_ROWS_PER_SOURCE": "1000000",
}
# A producer that was refused, or lost its connection, comes again this much later.
RETRY_SECONDS = 0.02
END_SECONDS = 30.0


@dataclass(frozen=True)
class PushSite:
    """What there is to hurt."""

    redis: EmbeddedRedis
    proxy: TcpProxy
    repo: FeastRepo
    service: ServiceProcess
    history: Path

    def push(self, df: dict[str, list[Any]], **more: Any) -> Answer:
        """The answer to a push."""
        return self.service.post("/push", {"push_source_name": SOURCE, "df": df, **more})

    def standing(self, customers: Sequence[int]) -> list["Standing | None"]:
        """What Redis has of some rows, None where it has nothing; AssertionError for a row that is half there, or mixed."""
        with redis_py.Redis(port=self.redis.port) as client, client.pipeline(transaction=False) as pipeline:
            for customer in customers:
                key = EntityKey(join_keys=["customer_id"], entity_values=[Value(int64_val=customer)])
                fields = [f"_ts:{VIEW}", *[_mmh3(f"{VIEW}:{feature}") for feature in FEATURES]]
                pipeline.hmget(_redis_key(self.repo.project, key, entity_key_serialization_version=3), fields)
            return [_whole(row) for row in pipeline.execute()]


@dataclass(frozen=True, slots=True)
class Standing:
    """A row: nanoseconds since 1970, and the mark that all of its values have."""

    time: int
    mark: int


def _whole(row: Sequence[bytes | None]) -> Standing | None:
    if set(row) == {None}:
        return None
    assert None not in row, f"half a row: {row}"
    time, *values = [field for field in row if field is not None]
    marks = {Value.FromString(value).int64_val for value in values}
    assert len(marks) == 1, f"values of several pushes: {marks}"
    return Standing(Timestamp.FromString(time).ToNanoseconds(), marks.pop())


def meters(history: Path) -> FeatureView:
    """A view whose rows are checked on their way in; what it reads its history from is a parquet file."""
    file = FileSource(
        name="file of meters", path=str(history), timestamp_field="event_timestamp", created_timestamp_column="created"
    )
    tags = {"validation_suite": SUITE, "on_invalid": "quarantine"}
    return FeatureView(
        name=VIEW,
        entities=[CUSTOMER],
        ttl=timedelta(days=3650),
        schema=[Field(name=feature, dtype=Int64) for feature in FEATURES],
        source=PushSource(name=SOURCE, batch_source=file, tags=tags),
    )


def write_history(path: Path) -> None:
    """A file without rows."""
    moment = pa.timestamp("us", "UTC")
    features = [(feature, pa.int64()) for feature in FEATURES]
    columns = [("customer_id", pa.int64()), ("event_timestamp", moment), ("created", moment), *features]
    pq.write_table(pa.schema(columns).empty_table(), path)


def write_suite(project: Path) -> Path:
    """No value may be negative."""
    expectation = {"type": "expect_column_values_to_be_between", "kwargs": {"column": FEATURES[0], "min_value": 0}}
    (project / "suites").mkdir(parents=True)
    (project / "suites" / f"{SUITE}.json").write_text(json.dumps({"name": SUITE, "expectations": [expectation]}))
    return project


@contextmanager
def open_push_site(folder: Path) -> Iterator[PushSite]:
    """Everything started, the service last: wait for it with `site.service.wait_ready()`."""
    history = folder / "meters.parquet"
    with EmbeddedRedis(folder / "redis", appendonly=True) as redis, TcpProxy(redis.port) as proxy:
        repo = FeastRepo(folder / "repo", f"127.0.0.1:{proxy.port}")
        write_history(history)
        repo.apply(meters(history))
        project = write_suite(folder / "expectations")
        service = ServiceProcess(
            repo.folder, workers=WORKERS, environment=ENVIRONMENT, log=folder / "service.log", expectations=project
        )
        try:
            yield PushSite(redis, proxy, repo, service.start(), history)
        finally:
            service.stop()


class Producers:
    """Each pushes batch after batch on a connection of its own. `async with Producers(...) as producers`.

    A batch has new customers, whom nobody pushes again, customers that each batch has, and one row that is bad.
    """

    NEW, KNOWN = 10, 10

    def __init__(self, site: PushSite, amount: int) -> None:
        self.statuses: Counter[int] = Counter()
        self.lost = 0
        # The last mark of each customer that was sent, and that was confirmed.
        self.sent: dict[int, int] = {}
        self.confirmed: dict[int, int] = {}
        # Ids of requests whose bad row was put into quarantine.
        self.put_aside: set[str] = set()
        self._site = site
        self._amount = amount
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        # Customers of other tests' producers are others.
        self._first = uuid.uuid4().int % 2**40 * 2**20

    async def __aenter__(self) -> Self:
        """Start, and return after the first confirmation."""
        self._tasks = [asyncio.create_task(self._run(number)) for number in range(self._amount)]
        await self.more()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let each get its last answer, and stop."""
        self._stop.set()
        async with asyncio.timeout(END_SECONDS):
            await asyncio.gather(*self._tasks)

    async def more(self, pushes: int = 1, seconds: float = RECOVERY_SECONDS) -> None:
        """Return when so many more pushes were confirmed whole."""
        wanted = self.statuses[200] + pushes
        await until(lambda: self.statuses[200] >= wanted, f"{pushes} more pushes, of {self.statuses}", seconds)

    async def _run(self, producer: int) -> None:
        first = self._first + producer * 2**16
        connection: HttpConnection | None = None
        batch = 0
        while not self._stop.is_set():
            batch += 1
            known = range(first, first + self.KNOWN)
            new = range(first + batch * self.NEW + self.KNOWN, first + (batch + 1) * self.NEW + self.KNOWN)
            customers = [*known, *new]
            self.sent |= dict.fromkeys(customers, batch)
            try:
                connection = connection or await HttpConnection.open(self._site.service.url)
                await connection.send(_request([*customers, first - 1 - batch], batch))
                answer = await connection.receive()
            except OSError:
                self.lost += 1
                if connection is not None:
                    connection.close()
                connection = None
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self._note(answer, customers, batch)
            if answer.status != 200:
                await asyncio.sleep(RETRY_SECONDS)
        if connection is not None:
            connection.close()

    def _note(self, answer: Answer, customers: Sequence[int], batch: int) -> None:
        self.statuses[answer.status] += 1
        if answer.status == 200:
            assert (answer.json["written"], answer.json["quarantined"]) == (len(customers), 1), answer.json
            self.confirmed |= dict.fromkeys(customers, batch)
            self.put_aside.add(answer.json["request_id"])
        else:
            written = answer.json.get("written_rows", [])
            self.confirmed |= dict.fromkeys([customers[row] for row in written], batch)

    def check(self) -> None:
        """Every row that was confirmed is there or a later one is, whole; nothing is there that wasn't sent."""
        standing = dict(zip(self.sent, self._site.standing(list(self.sent)), strict=True))
        for customer, row in standing.items():
            confirmed = self.confirmed.get(customer)
            if row is None:
                assert confirmed is None, f"customer {customer}: batch {confirmed} was confirmed and isn't there"
                continue
            assert (confirmed or 0) <= row.mark <= self.sent[customer]
            assert row.time == (int(START.timestamp()) + row.mark) * 10**9
        with redis_py.Redis(port=self._site.redis.port) as client:
            kept = client.xrange(f"feature-service:{self._site.repo.project}:quarantine:{SOURCE}")
        ids = {json.loads(fields[b"entry"])["request_id"] for _, fields in kept}
        assert ids >= self.put_aside


def _request(customers: Sequence[int], batch: int) -> bytes:
    df = rows(customers, [batch] * len(customers), [at(batch)] * len(customers))
    df[FEATURES[0]][-1] = -1
    return encode_request("POST", "/push", json.dumps({"push_source_name": SOURCE, "df": df}).encode())
