"""A small registry with a bit of everything, the same rows in both servers, and both behind the same calls.

Each server has a database of its own in one Redis, so that a push to one doesn't show in the other.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pandas as pd
import redis as redis_py
from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, PushSource, RepoConfig
from feast import types as feast_types
from feast.feature_server import get_app
from feast.value_type import ValueType

from pipelines.local.redis import EmbeddedRedis
from service.catalog.configuration import load_config
from service.catalog.definitions import decode_catalog
from service.catalog.registry import RegistryReader
from tests.http.handmade.registry import Registry
from tests.http.handmade.running import Running, running
from tests.parity.servers import TestClient
from tests.parity.world import World

PROJECT = "kiosk"
OURS, FEASTS = 8, 9  # databases
OK = httpx.codes.OK
DAY = timedelta(days=1)
FRESH, EXPIRED, NULLS, ABSENT = 1, 2, 3, 99
PATHS = {"read": "/get-online-features", "push": "/push", "write": "/write-to-online-store"}

CUSTOMER = Entity(name="customer_id", join_keys=["customer_id"], value_type=ValueType.INT64)


class Answers(NamedTuple):
    """The answers of both to the same request."""

    stock: httpx.Response
    ours: httpx.Response

    @property
    def statuses(self) -> tuple[int, int]:
        """Both HTTP statuses, stock's first."""
        return self.stock.status_code, self.ours.status_code


@dataclass(frozen=True, repr=False)
class Kiosk:
    """Both servers of the registry."""

    world: World
    store: FeatureStore
    stock: TestClient
    ours: Running
    history: Path
    redis: EmbeddedRedis

    def fill(self) -> None:
        """Forget every row, and write these: a fresh one, one that is beyond its ttl, one with a null."""
        self.redis.command("FLUSHALL")
        moment = datetime.now(UTC) - timedelta(minutes=1)
        times = {"event_timestamp": [moment.isoformat()], "created": [moment.isoformat()]}
        old = [(moment - 2 * DAY).isoformat()]
        for df in (row(FRESH, **times), row(EXPIRED, event_timestamp=old), row(NULLS, **{**times, "score": [None]})):
            assert self.push(df=df).statuses == (OK, OK)
        for customer in (FRESH, EXPIRED):
            df = {**row(customer, count=None, **times), "name": ["Ada"]}
            assert self.push(push_source_name="profile_push", df=df).statuses == (OK, OK)

    def hashes(self) -> tuple[dict[bytes, dict[bytes, bytes]], dict[bytes, dict[bytes, bytes]]]:
        """What Redis holds of stock's and of ours, byte for byte."""
        return self._hashes(FEASTS), self._hashes(OURS)

    def _hashes(self, database: int) -> dict[bytes, dict[bytes, bytes]]:
        with closing(redis_py.Redis(host=self.redis.host, port=self.redis.port, db=database)) as client:
            return {key: client.hgetall(key) for key in client.scan_iter(f"*{PROJECT}")}

    def ask(self, method: str, path: str, **request: Any) -> Answers:
        """The same request to both; what httpx takes."""
        return Answers(self.stock.request(method, path, **request), self.ours.client.request(method, path, **request))

    def read(self, body: Mapping[str, Any] | None = None, **changes: Any) -> Answers:
        """A read of one customer's count, changed; None as a value leaves a field out."""
        base = {"features": ["visits:count"], "entities": {"customer_id": [FRESH]}}
        return self.ask("POST", PATHS["read"], json=_changed(body or base, changes))

    def push(self, **changes: Any) -> Answers:
        """A push of one row of visits, changed."""
        return self.ask("POST", PATHS["push"], json=_changed({"push_source_name": "visits_push", "df": row()}, changes))

    def write(self, **changes: Any) -> Answers:
        """A write of one row to the view visits, changed."""
        return self.ask("POST", PATHS["write"], json=_changed({"feature_view_name": "visits", "df": row()}, changes))


def row(customer: int = FRESH, **changes: Any) -> dict[str, Any]:
    """A row of visits, as a body has it; `changes` replace columns, None leaves one out."""
    now = datetime.now(UTC).isoformat()
    base = {"customer_id": [customer], "count": [7], "score": [0.5], "event_timestamp": [now], "created": [now]}
    return _changed(base, changes)


def _changed(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**base, **changes}.items() if value is not None}


def _source(name: str, history: Path) -> PushSource:
    file = FileSource(
        name=f"{name}_file", path=str(history), timestamp_field="event_timestamp", created_timestamp_column="created"
    )
    return PushSource(name=f"{name}_push", batch_source=file)


def _definitions(history: Path, more: Callable[[FeatureView], Sequence[Any]]) -> list[Any]:
    visits = FeatureView(
        name="visits",
        entities=[CUSTOMER],
        ttl=DAY,
        schema=[Field(name="count", dtype=feast_types.Int64), Field(name="score", dtype=feast_types.Float64)],
        source=_source("visits", history),
    )
    profile = FeatureView(
        name="profile",
        entities=[CUSTOMER],
        ttl=timedelta(0),
        schema=[Field(name="name", dtype=feast_types.String), Field(name="score", dtype=feast_types.Float64)],
        source=_source("profile", history),
    )
    closed = FeatureView(name="closed", entities=[CUSTOMER], schema=visits.schema, source=visits.batch_source, enabled=False)
    services = [
        FeatureService(name="model", features=[visits, profile[["name"]]]),
        FeatureService(name="ahead", features=[visits], precompute_online=True),
    ]
    return [CUSTOMER, visits, profile, closed, *services, *more(visits)]


def _nothing(visits: FeatureView) -> Sequence[Any]:
    return ()


@contextmanager
def open_kiosk(folder: Path, redis: EmbeddedRedis, more: Callable[[FeatureView], Sequence[Any]] = _nothing) -> Iterator[Kiosk]:
    """Everything applied and started; no rows. `more` makes definitions over the view visits."""
    address = f"{redis.host}:{redis.port},db="
    world = World.create(folder, PROJECT, f"{address}{OURS}")
    history = folder / "visits.parquet"
    columns = pd.DataFrame(row(ABSENT))
    columns.assign(
        event_timestamp=pd.to_datetime(columns["event_timestamp"]), created=pd.to_datetime(columns["created"])
    ).to_parquet(history)
    world.store.apply(_definitions(history, more))
    definition = decode_catalog(RegistryReader(load_config(folder)).read())
    store = stock_store(world, {"type": "redis", "connection_string": f"{address}{FEASTS}"})
    with (
        Registry(definition) as registry,
        running(registry) as ours,
        stock_client(store) as stock,
    ):
        yield Kiosk(world, store, stock, ours, history, redis)


def stock_client(store: FeatureStore, registry_ttl_sec: float = 0) -> TestClient:
    """A client of stock's server in this process; errors come as answers. Entering it starts the server."""
    return TestClient(get_app(store, registry_ttl_sec=registry_ttl_sec), raise_server_exceptions=False)


def stock_store(world: World, online_store: dict[str, Any], **more: Any) -> FeatureStore:
    """Another feature store over the same registry, or with `registry` over another one."""
    configuration: dict[str, Any] = {"registry": world.store.config.registry, "online_store": online_store, **more}
    configuration |= {"offline_store": {"type": "file"}, "entity_key_serialization_version": 3}
    return FeatureStore(config=RepoConfig(project=PROJECT, provider="local", **configuration))
