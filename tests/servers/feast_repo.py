"""A small Feast repository of customers: its yaml, its registry, its rows, all written by Feast itself."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import yaml
from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource
from feast.infra.online_stores.redis import RedisOnlineStore
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value as ValueProto
from feast.type_map import python_values_to_proto_values
from feast.types import FeastType, Int64, String
from feast.value_type import ValueType

RegistryKind = Literal["sql", "file"]

CUSTOMER = Entity(name="customer_id", join_keys=["customer_id"], value_type=ValueType.INT64)
TTL = timedelta(days=365)


class FeastRepo:
    """A folder with a feature_store.yaml, over a Redis that is running. Nothing is applied until `apply`."""

    def __init__(
        self,
        folder: Path,
        connection_string: str,
        *,
        kind: RegistryKind = "sql",
        project: str = "shop",
        cache_ttl_seconds: int = 1,
        **overrides: Any,
    ) -> None:
        """Write the yaml; `overrides` replace whole entries of it, None removes one."""
        self.folder = folder
        self.project = project
        self.registry_file = folder / "registry.db"
        kinds = {
            "sql": {"registry_type": "sql", "path": f"sqlite:///{self.registry_file}"},
            "file": {"registry_type": "file", "path": str(self.registry_file)},
        }
        self.configuration: dict[str, Any] = {
            "project": project,
            "provider": "local",
            "registry": {**kinds[kind], "cache_ttl_seconds": cache_ttl_seconds},
            "online_store": {"type": "redis", "connection_string": connection_string},
            "offline_store": {"type": "file"},
            "entity_key_serialization_version": 3,
            **overrides,
        }
        folder.mkdir(parents=True, exist_ok=True)
        self.yaml = folder / "feature_store.yaml"
        self.yaml.write_text(yaml.safe_dump({name: value for name, value in self.configuration.items() if value is not None}))
        self._store: FeatureStore | None = None

    @property
    def store(self) -> FeatureStore:
        """Feast's SDK on this repository."""
        if self._store is None:
            self._store = FeatureStore(repo_path=str(self.folder))
        return self._store

    def reopen(self) -> None:
        """Forget the SDK's connections to the registry: after its file was replaced."""
        self._store = None

    def apply(self, *objects: FeatureView | FeatureService | Entity) -> None:
        """What `feast apply` does with these definitions; others stay as they are."""
        self.store.apply([CUSTOMER, *objects])

    def remove(self, *objects: FeatureView | FeatureService) -> None:
        """What `feast apply` does with definitions that are no longer in the repository."""
        self.store.apply([], objects_to_delete=list(objects), partial=False)

    def write(self, view: FeatureView, rows: Mapping[int, Mapping[str, Any]], at: datetime | None = None) -> None:
        """Rows of features by customer id, written by Feast's own Redis store with one event time (default: now)."""
        types = {field.name: field.dtype.to_value_type() for field in view.features}
        moment = at or datetime.now(UTC)
        batch = [(_key(customer), _values(row, types), moment, None) for customer, row in rows.items()]
        RedisOnlineStore().online_write_batch(self.store.config, view, batch, None)


def view(name: str, features: Mapping[str, FeastType], ttl: timedelta = TTL) -> FeatureView:
    """A feature view of customers over a file that isn't there: nothing reads it."""
    schema = [Field(name=feature, dtype=dtype) for feature, dtype in features.items()]
    source = FileSource(name=f"file of {name}", path="nowhere.parquet", timestamp_field="event_timestamp")
    return FeatureView(name=name, entities=[CUSTOMER], ttl=ttl, schema=schema, source=source)


def service(name: str, *views: FeatureView) -> FeatureService:
    """A feature service of whole views."""
    return FeatureService(name=name, features=list(views))


PROFILE = view("profile", {"visits": Int64, "segment": String})


def profile_rows(customers: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Rows of PROFILE in which every value tells whose it is."""
    return {customer: {"visits": customer * 1000, "segment": f"segment of {customer}"} for customer in customers}


def _key(customer: int) -> EntityKey:
    return EntityKey(join_keys=["customer_id"], entity_values=[ValueProto(int64_val=customer)])


def _values(row: Mapping[str, Any], types: Mapping[str, ValueType]) -> dict[str, ValueProto]:
    return {name: python_values_to_proto_values([value], types[name])[0] for name, value in row.items()}
