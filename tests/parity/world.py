"""A registry that is applied and filled with rows: what both servers serve, and what a request to them asks for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import product
from math import prod
from pathlib import Path
from random import Random
from typing import Any

import yaml
from feast import FeatureStore, FeatureView
from feast.feature_view import DUMMY_ENTITY_ID, DUMMY_ENTITY_VAL
from feast.feature_view_projection import FeatureViewProjection
from feast.utils import _parse_feature_ref

from .registries import Registry, random_registry
from .rows import Key, Row, join_keys, key_of, random_ids, random_rows, write_rows

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOST_ROWS = 216


@dataclass(frozen=True)
class Column:
    """One feature that a request asks for: its names in the answer, and where its values are stored."""

    view: FeatureView
    view_name: str  # in full feature names: the alias, with its version where one is asked for
    store_version: int
    feature: str
    request_columns: Mapping[str, str]  # join key in the store to column in the request

    def name(self, full: bool) -> str:
        """The feature's name in the answer."""
        return f"{self.view_name}__{self.feature}" if full else self.feature


@dataclass
class World:
    """A store with everything that was written to it."""

    store: FeatureStore
    repo: Path
    versioning: bool
    ids: dict[str, list[Any]] = field(default_factory=dict)  # of each join key: with rows, and without
    rows: dict[tuple[str, int], dict[Key, Row]] = field(default_factory=dict)

    @classmethod
    def create(cls, repo: Path, project: str, connection_string: str, versioning: bool = False) -> "World":
        """An empty store with a SQLite SQL registry in `repo`, configured as a team would: by a feature_store.yaml."""
        configuration = {
            "project": project,
            "provider": "local",
            "registry": {
                "registry_type": "sql",
                "path": f"sqlite:///{repo / 'registry.db'}",
                "cache_ttl_seconds": 60,
                "enable_online_feature_view_versioning": versioning,
            },
            "online_store": {"type": "redis", "connection_string": connection_string},
            "offline_store": {"type": "file"},
            "entity_key_serialization_version": 3,
        }
        repo.mkdir(parents=True, exist_ok=True)
        (repo / "feature_store.yaml").write_text(yaml.safe_dump(configuration))
        return cls(FeatureStore(repo_path=str(repo)), repo, versioning)

    @classmethod
    def random(cls, repo: Path, seed: int, connection_string: str, versioning: bool) -> "World":
        """The random registry of a seed, applied and with random rows in each version of each view."""
        registry = random_registry(seed, versioning)
        world = cls.create(repo, registry.project, connection_string, versioning)
        world.fill(registry, Random(seed))
        return world

    def fill(self, registry: Registry, rng: Random) -> None:
        """Apply the registry step by step and write rows after each, as a repository grows over time."""
        now = datetime.now(UTC).replace(microsecond=0)
        stored = {}
        for entity in registry.entities:
            stored[entity.join_key], absent = random_ids(entity.value_type, rng)
            self.ids[entity.join_key] = stored[entity.join_key] + absent
        self.store.apply([*registry.entities])
        for number, views in enumerate(registry.steps):
            self.store.apply([*views])
            # A row as old as one that is there is ignored, so each step's rows are a little younger.
            moment = now - timedelta(minutes=len(registry.steps) - number)
            for view in views:
                self.write(view.name, random_rows(self._view(view.name), stored, moment, rng))
        self.store.apply([*registry.services])

    def write(self, view_name: str, rows: Mapping[Key, Row]) -> None:
        """Write rows to the current version of a view, and keep what Redis then holds."""
        view = self._view(view_name)
        write_rows(self.store, view, rows)
        kept = self.rows.setdefault((view_name, self._store_version(view, None)), {})
        for key, row in rows.items():
            before = kept.get(key)
            if before is None:
                kept[key] = row
            elif row.event_time > before.event_time or before.event_time <= EPOCH:  # Feast takes no offence at 1969
                kept[key] = Row(row.event_time, {**before.values, **row.values})

    @cached_property
    def references(self) -> list[str]:
        """Every reference that can be read: of the current views, and of their versions where these are kept."""
        return list(self._references())

    @cached_property
    def services(self) -> list[str]:
        """The names of the feature services."""
        return [service.name for service in self.store.list_feature_services()]

    def columns(self, body: Mapping[str, Any]) -> list[Column]:
        """What a request body asks for, in the order in which it must be answered."""
        if body.get("feature_service"):
            service = self.store.get_feature_service(body["feature_service"])
            return [
                self._column(projection.name, feature.name, projection.version_tag, projection)
                for projection in service.feature_view_projections
                for feature in projection.features
            ]
        references = [_parse_feature_ref(reference) for reference in body["features"]]
        return [self._column(view_name, feature, version, None) for view_name, version, feature in references]

    def request_columns(self, columns: Sequence[Column]) -> dict[str, str]:
        """The columns that a request for these features needs, each with the join key that it stands for.

        Where a service renames a join key and needs it under its own name too, stock uses whichever comes last, so
        own names come first here.
        """
        needed = {name: join_key for column in columns for join_key, name in column.request_columns.items()}
        return dict(sorted(needed.items(), key=lambda item: item[0] != item[1]))

    def ids_of(self, join_key: str) -> list[Any]:
        """The ids of a join key that are worth asking for; any will do for Feast's placeholder."""
        return self.ids.get(join_key, [DUMMY_ENTITY_VAL])

    def all_ids(self, columns: Sequence[Column]) -> dict[str, list[Any]]:
        """Entity columns with every combination of the ids that are known here, or with many of them."""
        pools = {name: self.ids_of(join_key) for name, join_key in self.request_columns(columns).items()}
        if prod(map(len, pools.values())) <= MOST_ROWS:
            rows = list(product(*pools.values()))
        else:
            rng = Random(MOST_ROWS)
            rows = [tuple(map(rng.choice, pools.values())) for _ in range(MOST_ROWS)]
        return {name: list(ids) for name, ids in zip(pools, zip(*rows, strict=True), strict=True)}

    def row(self, column: Column, entities: Mapping[str, list[Any]], position: int) -> Row | None:
        """What is stored for a column at one position of the request's entity columns."""
        ids = {
            join_key: DUMMY_ENTITY_VAL if join_key == DUMMY_ENTITY_ID else entities[request_column][position]
            for join_key, request_column in column.request_columns.items()
        }
        return self.rows.get((column.view.name, column.store_version), {}).get(key_of(ids))

    def _references(self) -> Iterator[str]:
        for view in self.store.list_all_feature_views():
            versions = range((view.current_version_number or 0) + 1) if self.versioning else ()
            labels = {view.name: None, f"{view.name}@latest": None} | {f"{view.name}@v{n}": n for n in versions}
            for label, version in labels.items():
                pinned = self._view(view.name, version)
                for feature in pinned.features:
                    if feature.name not in join_keys(pinned):  # as a stream feature view has them in the registry
                        yield f"{label}:{feature.name}"

    def _column(self, view_name: str, feature: str, version: int | None, projection: FeatureViewProjection | None) -> Column:
        view = self._view(view_name, version)
        shown = (projection and projection.name_alias) or view_name
        join_key_map = projection.join_key_map if projection else {}
        return Column(
            view,
            shown if version is None else f"{shown}@v{version}",
            self._store_version(view, version),
            feature,
            {join_key: join_key_map.get(join_key, join_key) for join_key in join_keys(view)},
        )

    def _view(self, name: str, version: int | None = None) -> FeatureView:
        registry, project = self.store.registry, self.store.project
        if version is None:
            return registry.get_any_feature_view(name, project, allow_cache=False)
        return registry.get_feature_view_by_version(name, project, version, allow_cache=False)

    def _store_version(self, view: FeatureView, pinned: int | None) -> int:
        """The version that rows are kept under: always 0 unless the registry keeps versions apart."""
        if not self.versioning:
            return 0
        return (view.current_version_number or 0) if pinned is None else pinned
