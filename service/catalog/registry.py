"""Reading a Feast registry into a CatalogDefinition.

It runs in the definitions process (`service.catalog.process`), so that Feast's imports (seconds, and some 190 MB) and
the time that a large registry takes to be read stay out of the processes that answer requests.
"""

import logging
import time
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from feast import FeatureStore, OnDemandFeatureView, PushSource, RepoConfig
from feast.errors import ProjectObjectNotFoundException
from feast.feature_view import DUMMY_ENTITY_NAME
from feast.infra.registry import proto_registry_utils
from feast.infra.registry.registry import Registry
from feast.infra.registry.sql import FeastRegistrySchemaError, SqlRegistryConfig
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from service.catalog import definitions
from service.catalog.computations import function_source, settle
from service.catalog.functions import FunctionLoader
from service.catalog.translation import encode_service, push_source, push_sources, translate_view
from service.catalog.versions import view_versions
from service.errors import CatalogUnavailable

logger = logging.getLogger(__name__)

# `feast apply` isn't one transaction: it writes a file in place, and a database object by object. A reading that caught it
# in the middle is made again, after these pauses in seconds.
PAUSES = (0.05, 0.1, 0.2, 0.4)


class Reading(NamedTuple):
    """Feast's objects as one reading found them."""

    entities: dict[str, Any]
    views: list[Any]
    services: list[Any]
    sources: list[Any]


class RegistryReader:
    """Reads the definitions of one project, again and again."""

    def __init__(self, config: RepoConfig) -> None:
        self._config = config
        self._store = FeatureStore(config=config)
        self._functions = FunctionLoader(config.repo_path)
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

    @property
    def loading(self) -> bool:
        """Whether a reading has come to the functions of on-demand views: that takes long, but has an end."""
        return self._functions.busy

    def read(self) -> bytes:
        """The definitions as they are in the registry now; the same definitions give the same bytes.

        Raises CatalogUnavailable when the registry can't be read or doesn't have the project.
        """
        if self._file is not None and not self._file.exists():
            raise CatalogUnavailable(f"The registry's file {self._file} isn't there: run feast apply first.")
        for pause in PAUSES:
            try:
                registry = self._store.registry
                reading = self._read(registry)
                if not torn(reading):
                    return definitions.encode(self._catalog(registry, reading))
            except ProjectObjectNotFoundException:
                logger.debug("The registry has no project %s at the moment.", self.project)
            except Exception as error:  # the registry's drivers raise whatever they like
                raise _explain(error) from error
            time.sleep(pause)
        return self._read_as_it_is()

    def _read_as_it_is(self) -> bytes:
        """What isn't whole after all the pauses isn't an apply in progress: a service may name a view that was deleted."""
        try:
            registry = self._store.registry
            return definitions.encode(self._catalog(registry, self._read(registry)))
        except ProjectObjectNotFoundException as error:
            raise CatalogUnavailable(f"The registry has no project {self.project}: run feast apply first.") from error
        except Exception as error:
            raise _explain(error) from error

    def _read(self, registry: Any) -> Reading:
        project = self.project
        if isinstance(registry, Registry):
            # One reading of the file; its own lists would each look whether the file has changed, and read it again.
            registry.refresh(project)
            proto = registry.proto()
            proto_registry_utils.get_project(proto, project)
            entities = proto_registry_utils.list_entities(proto, project, None)
            views = proto_registry_utils.list_all_feature_views(proto, project, None, skip_udf=True)
            services = proto_registry_utils.list_feature_services(proto, project, None)
            sources = proto_registry_utils.list_data_sources(proto, project, None)
        else:
            registry.get_project(project)
            # Services first: what they name is there by the time that the views are listed.
            services = registry.list_feature_services(project)
            views = registry.list_all_feature_views(project, skip_udf=True)
            entities = registry.list_entities(project)
            sources = registry.list_data_sources(project)
        return Reading({entity.name: entity for entity in entities}, views, services, sources)

    def _catalog(self, registry: Any, reading: Reading) -> definitions.CatalogDefinition:
        pushed: dict[str, list[str]] = {}
        for view in reading.views:
            for source in push_sources(view):
                pushed.setdefault(source, []).append(view.name)
        store = self._config.online_store
        return definitions.CatalogDefinition(
            project=self.project,
            entity_key_version=self._config.entity_key_serialization_version,
            online_store=definitions.OnlineStoreDefinition(store.connection_string, store.key_ttl_seconds),
            views=self._views(registry, reading),
            services={service.name: encode_service(service) for service in reading.services},
            push_sources={
                source.name: push_source(source, pushed.get(source.name, []))
                for source in reading.sources
                if isinstance(source, PushSource)
            },
            entities={name: entity.join_key for name, entity in reading.entities.items() if name != DUMMY_ENTITY_NAME},
            versioning=_versioning(registry),
        )

    def _views(self, registry: Any, reading: Reading) -> dict[str, msgspec.Raw]:
        """All views, by `name` and, where versions are kept apart, by `name@v2`."""
        versioning = _versioning(registry)
        found = {view.name: view for view in reading.views}
        if versioning:
            for view in reading.views:
                found.update(view_versions(registry, view.name, self.project))
        on_demand = {label: view for label, view in found.items() if isinstance(view, OnDemandFeatureView)}
        sources = {label: source for label, view in on_demand.items() if (source := function_source(view)) is not None}
        functions = self._functions.load(sources)
        views = {
            label: translate_view(view, reading.entities, registry, versioning, functions.get(label))
            for label, view in found.items()
        }
        return {label: msgspec.Raw(definitions.encode(view)) for label, view in settle(views).items()}


def _versioning(registry: Any) -> bool:
    return bool(getattr(registry, "enable_online_versioning", False))


def torn(reading: Reading) -> bool:
    """Whether something names what isn't there, as it does in the middle of an apply."""
    features = {view.name: {feature.name for feature in view.features} for view in reading.views}
    for view in reading.views:
        if any(name not in reading.entities and name != DUMMY_ENTITY_NAME for name in getattr(view, "entities", None) or []):
            return True
        for source in getattr(view, "source_feature_view_projections", {}).values():
            if source.version_tag is None and not {each.name for each in source.features} <= features.get(source.name, set()):
                return True
    for service in reading.services:
        for projection in service.feature_view_projections:
            names = {feature.name for feature in projection.features}
            if projection.name not in features or (projection.version_tag is None and not names <= features[projection.name]):
                return True
    return False


def _explain(error: Exception) -> CatalogUnavailable:
    """In one line; the drivers' messages have many, with SQL in them."""
    if isinstance(error, FeastRegistrySchemaError):
        return CatalogUnavailable("The registry's database has no tables of Feast's: run feast apply first.")
    logger.debug("The registry can't be read.", exc_info=error)
    lines = str(error).splitlines() or [""]
    return CatalogUnavailable(f"The registry can't be read: {type(error).__name__}: {lines[0]}")
