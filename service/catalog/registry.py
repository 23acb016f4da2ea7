"""Reading a Feast registry into a CatalogDefinition. The only module of the service that imports Feast.

It runs in the definitions process (`service.catalog.process`), so that Feast's imports (seconds, and some 190 MB) and
the time that a large registry takes to be read stay out of the processes that answer requests.
"""

import os
import re
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
from feast import FeatureStore, FeatureView, OnDemandFeatureView, PushSource, RepoConfig, StreamFeatureView
from feast.errors import ProjectObjectNotFoundException
from feast.feature_view import DUMMY_ENTITY_NAME, FeatureViewState
from feast.infra.online_stores.helpers import compute_versioned_name
from feast.infra.online_stores.redis import RedisOnlineStoreConfig, RedisType
from feast.infra.registry.registry import Registry
from feast.infra.registry.sql import SqlRegistryConfig
from feast.permissions.auth_model import NoAuthConfig
from feast.repo_config import load_repo_config
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from service.catalog import definitions
from service.errors import CatalogUnavailable, ConfigurationError
from service.keys import SUPPORTED_VERSIONS
from service.store import parse_address

DEFAULT_FILE = "feature_store.yaml"
# Longer ones reach back before any event time that matters, and beyond what 64 bits of nanoseconds hold.
LONGEST_TTL = timedelta(days=100 * 365)


def load_config(repo: Path) -> RepoConfig:
    """Feast's configuration from a repository's folder or from a yaml file.

    Raises ConfigurationError when it can't be read, or asks for what this server doesn't do.
    """
    path = repo / DEFAULT_FILE if repo.is_dir() else repo
    if not path.is_file():
        raise ConfigurationError(f"There is no Feast configuration at {path}. Name a folder with a {DEFAULT_FILE}, or a file.")
    unset = sorted({name for name in re.findall(r"\$\{(\w+)\}", _without_comments(path)) if name not in os.environ})
    if unset:
        raise ConfigurationError(f"{path} uses environment variables that aren't set: {', '.join(unset)}.")
    try:
        config = load_repo_config(path.parent, path)
        # Feast looks at these sections when they are first used.
        _ = (config.registry, config.offline_store, config.online_store)
    except Exception as error:  # Feast's, pydantic's, yaml's, the import machinery's
        raise ConfigurationError(f"{path} isn't a Feast configuration: {type(error).__name__}: {error}") from error
    _check(config)
    return config


def _without_comments(path: Path) -> str:
    return "\n".join(line for line in path.read_text().splitlines() if not line.lstrip().startswith("#"))


def _check(config: RepoConfig) -> None:
    """Refuse what would be served wrongly: another store, a cluster, a key format of old, a configured authentication."""
    store = config.online_store
    if not isinstance(store, RedisOnlineStoreConfig):
        name = getattr(store, "type", "none")
        raise ConfigurationError(f"This server reads from Redis; the online store in feature_store.yaml is of type {name}.")
    if store.redis_type != RedisType.redis:
        raise ConfigurationError(
            f"redis_type {store.redis_type.value} isn't supported; a standalone Redis (redis_type: redis) is."
        )
    address = parse_address(store.connection_string)
    if address.tls is not None:
        address.tls.context()
    if config.entity_key_serialization_version not in SUPPORTED_VERSIONS:
        raise ConfigurationError(
            f"entity_key_serialization_version {config.entity_key_serialization_version} isn't supported; "
            f"{' and '.join(map(str, SUPPORTED_VERSIONS))} are."
        )
    if not isinstance(config.auth_config, NoAuthConfig):
        raise ConfigurationError(
            f"feature_store.yaml asks for authentication ({config.auth_config.type}), which this server doesn't check; "
            "it doesn't start rather than serve without it."
        )


class RegistryReader:
    """Reads the definitions of one project, again and again."""

    def __init__(self, config: RepoConfig) -> None:
        self._config = config
        self._store = FeatureStore(config=config)
        self._file: Path | None = None
        if isinstance(config.registry, SqlRegistryConfig):
            # A reader has no business creating tables in a database that `feast apply` hasn't seen.
            config.registry.schema_mode = "verify"
            url = make_url(config.registry.path)
            if url.get_backend_name() == "sqlite" and url.database:
                # An open connection would go on reading a file that was replaced, and a new one makes a missing file.
                config.registry.sqlalchemy_config_kwargs = {**config.registry.sqlalchemy_config_kwargs, "poolclass": NullPool}
                self._file = Path(url.database)

    @property
    def project(self) -> str:
        """The project's name."""
        return str(self._config.project)

    def read(self) -> bytes:
        """The definitions as they are in the registry now; the same definitions give the same bytes.

        Raises CatalogUnavailable when the registry can't be read or doesn't have the project.
        """
        if self._file is not None and not self._file.exists():
            raise CatalogUnavailable(f"The registry's file {self._file} isn't there: run feast apply first.")
        try:
            registry = self._store.registry
            # A file is read once and listed from memory; a database is asked for each list.
            cached = isinstance(registry, Registry)
            if cached:
                registry.refresh(self.project)
            registry.get_project(self.project, allow_cache=cached)
            return definitions.encode(self._catalog(registry, cached))
        except ProjectObjectNotFoundException as error:
            raise CatalogUnavailable(f"The registry has no project {self.project}: run feast apply first.") from error
        except Exception as error:  # the registry's drivers raise whatever they like
            raise CatalogUnavailable(f"The registry can't be read: {type(error).__name__}: {error}") from error

    def _catalog(self, registry: Any, cached: bool) -> definitions.CatalogDefinition:
        versioning = bool(getattr(registry, "enable_online_versioning", False))
        entities = {entity.name: entity for entity in registry.list_entities(self.project, allow_cache=cached)}
        views = {}
        push_views: dict[str, list[str]] = {}
        for view in registry.list_all_feature_views(self.project, allow_cache=cached, skip_udf=True):
            views[view.name] = _encode_view(view, entities, registry, versioning)
            for source in _push_sources(view):
                push_views.setdefault(source, []).append(view.name)
            if versioning:
                views.update(self._versions(registry, view.name, entities))
        return definitions.CatalogDefinition(
            project=self.project,
            entity_key_version=self._config.entity_key_serialization_version,
            online_store=definitions.OnlineStoreDefinition(
                connection_string=self._config.online_store.connection_string,
                key_ttl_seconds=self._config.online_store.key_ttl_seconds,
            ),
            views=views,
            services={
                service.name: msgspec.Raw(definitions.encode(_service(service)))
                for service in registry.list_feature_services(self.project, allow_cache=cached)
            },
            push_sources={
                source.name: _push_source(source, push_views.get(source.name, []))
                for source in registry.list_data_sources(self.project, allow_cache=cached)
                if isinstance(source, PushSource)
            },
            entities={name: entity.join_key for name, entity in entities.items() if name != DUMMY_ENTITY_NAME},
            versioning=versioning,
        )

    def _versions(self, registry: Any, name: str, entities: dict[str, Any]) -> dict[str, msgspec.Raw]:
        found = {}
        for version in registry.list_feature_view_versions(name, self.project):
            number = version["version_number"]
            view = registry.get_feature_view_by_version(name, self.project, number)
            view.projection.version_tag = number
            found[f"{name}@v{number}"] = _encode_view(view, entities, registry, versioning=True)
        return found


def _encode_view(view: Any, entities: dict[str, Any], registry: Any, versioning: bool) -> msgspec.Raw:
    ttl = getattr(view, "ttl", None)
    definition = definitions.ViewDefinition(
        name=view.name,
        kind=_kind(view),
        features=[_feature(field) for field in view.features],
        entities=_entities(view, entities),
        store_name=compute_versioned_name(view, versioning),
        ttl_nanoseconds=0 if ttl is None else min(ttl, LONGEST_TTL) // timedelta(microseconds=1) * 1000,
        version=getattr(view, "current_version_number", None) or 0,
        unservable=_unservable(view, entities, bool(getattr(registry, "serve_features_while_materializing", False))),
        description=view.description,
        owner=view.owner,
        tags=dict(view.tags),
    )
    return msgspec.Raw(definitions.encode(definition))


def _kind(view: Any) -> str:
    if isinstance(view, OnDemandFeatureView):
        return "on_demand_feature_view"
    if isinstance(view, StreamFeatureView):
        return "stream_feature_view"
    return "feature_view" if isinstance(view, FeatureView) else "label_view"


def _feature(field: Any) -> definitions.FeatureDefinition:
    return definitions.FeatureDefinition(field.name, field.dtype.to_value_type().name, field.description)


def _entities(view: Any, entities: dict[str, Any]) -> list[definitions.EntityDefinition]:
    types = {column.name: column.dtype.to_value_type().name for column in getattr(view, "entity_columns", [])}
    found = [entities[name] for name in getattr(view, "entities", None) or [] if name in entities]
    return [
        definitions.EntityDefinition(entity.name, entity.join_key, types.get(entity.join_key, entity.value_type.name))
        for entity in found
        if entity.name != DUMMY_ENTITY_NAME
    ]


def _unservable(view: Any, entities: dict[str, Any], while_materializing: bool) -> str:
    lost = [name for name in getattr(view, "entities", None) or [] if name not in entities and name != DUMMY_ENTITY_NAME]
    if lost and not isinstance(view, OnDemandFeatureView):
        return f"Feature view {view.name} has an entity that the registry doesn't have: {', '.join(lost)}."
    if not getattr(view, "enabled", True):
        return f"Feature view {view.name} is disabled. Enable it with `feast feature-views enable {view.name}`."
    state = getattr(view, "state", None)
    servable = {FeatureViewState.STATE_UNSPECIFIED, FeatureViewState.AVAILABLE_ONLINE}
    if while_materializing:
        servable.add(FeatureViewState.MATERIALIZING)
    if isinstance(state, FeatureViewState) and state not in servable:
        return f"Feature view {view.name} is in state {state.name}; only AVAILABLE_ONLINE views are served."
    return ""


def _push_sources(view: Any) -> Iterable[str]:
    sources = (getattr(view, "stream_source", None), getattr(view, "source", None))
    return {source.name for source in sources if isinstance(source, PushSource)}


def _service(service: Any) -> definitions.ServiceDefinition:
    return definitions.ServiceDefinition(
        name=service.name,
        projections=[
            definitions.ProjectionDefinition(
                view=projection.name,
                features=[feature.name for feature in projection.features],
                alias=projection.name_alias or "",
                version=projection.version_tag,
                join_key_map=dict(projection.join_key_map),
            )
            for projection in service.feature_view_projections
        ],
        description=service.description,
        owner=service.owner,
        tags=dict(service.tags),
    )


def _push_source(source: PushSource, views: list[str]) -> definitions.PushSourceDefinition:
    return definitions.PushSourceDefinition(
        name=source.name, views=sorted(views), description=source.description, owner=source.owner, tags=dict(source.tags)
    )
