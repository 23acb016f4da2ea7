"""A Feast repository over files of rows, which is materialized here and by Feast into two databases of one Redis."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import redis
from feast import Entity, FeatureView, Field, FileSource
from feast.types import FeastType, Int64, from_value_type

from pipelines.local.redis import EmbeddedRedis
from service.materialization.job import Job, Report
from service.materialization.run import materialize
from tests.servers.feast_repo import CUSTOMER, FeastRepo

OURS, FEASTS = 0, 1
START = datetime(2026, 1, 1, tzinfo=UTC)
END = datetime(2026, 2, 1, tzinfo=UTC)
MOMENT = datetime(2026, 1, 15, 10, 30, 0, 123_456, tzinfo=UTC)

Hashes = dict[bytes, dict[bytes, bytes]]
Events = list[dict[str, Any]]


class Shelf:
    """`ours` and `feasts` are the same definitions over two databases."""

    def __init__(self, folder: Path, server: EmbeddedRedis, **configuration: Any) -> None:
        self.folder = folder
        self._server = server
        self.ours, self.feasts = (
            FeastRepo(folder / name, f"127.0.0.1:{server.port},db={db}", **configuration)
            for name, db in (("ours", OURS), ("feasts", FEASTS))
        )
        for db in (OURS, FEASTS):
            self.redis(db).flushdb()

    def redis(self, db: int = OURS) -> "redis.Redis":
        """A client of one of the databases."""
        return redis.Redis(port=self._server.port, db=db)

    def file(self, name: str, table: pa.Table | dict[str, Any]) -> FileSource:
        """A source of rows; those without a time have MOMENT."""
        table = table if isinstance(table, pa.Table) else pa.table(table)
        if "event_timestamp" not in table.column_names:
            moments = pa.array([MOMENT] * table.num_rows, pa.timestamp("us", "UTC"))
            table = table.append_column("event_timestamp", moments)
        path = self.folder / f"{name}.parquet"
        pq.write_table(table, path)
        return FileSource(name=name, path=str(path), timestamp_field="event_timestamp")

    def apply(self, *objects: Any) -> None:
        """To both."""
        for repo in (self.ours, self.feasts):
            repo.apply(*objects)

    def run(
        self, start: datetime | None = START, end: datetime = END, views: Sequence[str] = (), **options: Any
    ) -> tuple[Report, Events]:
        """Materialize ours: what is reported, and what was told."""
        events: Events = []
        return materialize(self.ours.folder, Job(start, end, tuple(views) or None, **options), events.append), events

    def dump(self, db: int) -> Hashes:
        """All that a database holds."""
        client = self.redis(db)
        return {key: client.hgetall(key) for key in client.scan_iter()}


def view(
    name: str, source: FileSource, features: dict[str, FeastType], entities: Sequence[Entity] = (CUSTOMER,), **options: Any
) -> FeatureView:
    """A feature view over a source, forever young."""
    keys = [Field(name=entity.join_key, dtype=from_value_type(entity.value_type)) for entity in entities]
    schema = [*keys, *(Field(name=feature, dtype=dtype) for feature, dtype in features.items())]
    return FeatureView(
        name=name, entities=list(entities), schema=schema, source=source, **{"ttl": timedelta(days=365), **options}
    )


def visits(shelf: Shelf, rows: dict[int, int], name: str = "visits", at: datetime = MOMENT, **options: Any) -> FeatureView:
    """A view of one number for each customer."""
    table = {
        "customer_id": pa.array(list(rows), pa.int64()),
        "visits": pa.array(list(rows.values()), pa.int64()),
        "event_timestamp": pa.array([at] * len(rows), pa.timestamp("us", "UTC")),
    }
    return view(name, shelf.file(name, table), {"visits": Int64}, **options)
