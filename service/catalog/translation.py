"""Feast's objects as definitions. Runs in the definitions process."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import msgspec
from feast import FeatureView, OnDemandFeatureView, PushSource, StreamFeatureView
from feast.feature_view import DUMMY_ENTITY_NAME, FeatureViewState
from feast.infra.online_stores.helpers import compute_versioned_name

from service.catalog import definitions
from service.catalog.computations import ON_WRITE_TIMESTAMP_FIELD, Computation, compute, projection
from service.catalog.functions import LoadedFunction

# Longer ones reach back before any event time that matters, and beyond what 64 bits of nanoseconds hold.
LONGEST_TTL = timedelta(days=100 * 365)


def translate_view(
    view: Any, entities: dict[str, Any], registry: Any, versioning: bool, function: LoadedFunction | None
) -> definitions.ViewDefinition:
    """A Feast view of any kind; `entities` are those of its project, by name, `function` is an on-demand view's."""
    ttl = getattr(view, "ttl", None)
    batch_source = getattr(view, "batch_source", None)
    on_demand = compute(view, function) if isinstance(view, OnDemandFeatureView) else Computation(None)
    on_write = on_demand.definition is not None and on_demand.definition.on_write
    reason = _unservable(view, entities, bool(getattr(registry, "serve_features_while_materializing", False)))
    return definitions.ViewDefinition(
        name=view.name,
        kind=_kind(view),
        features=[_feature(field) for field in view.features],
        entities=_entities(view, entities),
        store_name=compute_versioned_name(view, versioning),
        ttl_nanoseconds=0 if ttl is None else min(ttl, LONGEST_TTL) // timedelta(microseconds=1) * 1000,
        version=getattr(view, "current_version_number", None) or 0,
        unservable=reason or on_demand.unservable,
        timestamp_field=ON_WRITE_TIMESTAMP_FIELD if on_write else getattr(batch_source, "timestamp_field", "") or "",
        created_field=getattr(batch_source, "created_timestamp_column", "") or "",
        field_mapping=dict(getattr(batch_source, "field_mapping", None) or {}),
        online=bool(getattr(view, "online", True)),
        enabled=bool(getattr(view, "enabled", True)),
        description=view.description,
        owner=view.owner,
        tags=dict(view.tags),
        computation=on_demand.definition,
    )


def _kind(view: Any) -> str:
    if isinstance(view, OnDemandFeatureView):
        return definitions.ON_DEMAND
    if isinstance(view, StreamFeatureView):
        return "stream_feature_view"
    return "feature_view" if isinstance(view, FeatureView) else definitions.LABEL


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
    if lost and (not isinstance(view, OnDemandFeatureView) or view.write_to_online_store):
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


def push_sources(view: Any) -> Iterable[str]:
    """The names of the push sources that feed a view."""
    sources = (getattr(view, "stream_source", None), getattr(view, "source", None))
    return {source.name for source in sources if isinstance(source, PushSource)}


def encode_service(service: Any) -> msgspec.Raw:
    """A Feast feature service."""
    definition = definitions.ServiceDefinition(
        name=service.name,
        projections=[projection(each) for each in service.feature_view_projections],
        description=service.description,
        owner=service.owner,
        tags=dict(service.tags),
    )
    return msgspec.Raw(definitions.encode(definition))


def push_source(source: PushSource, views: list[str]) -> definitions.PushSourceDefinition:
    """A Feast push source and the views that it feeds."""
    return definitions.PushSourceDefinition(
        name=source.name, views=sorted(views), description=source.description, owner=source.owner, tags=dict(source.tags)
    )
