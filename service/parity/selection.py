"""What is compared: the features that were asked for, and the views and the request data that they come from."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from feast import FeatureStore, OnDemandFeatureView
from feast.errors import FeastError
from feast.utils import _get_feature_views_to_use, _get_features, _group_feature_refs, _parse_feature_ref
from feast.value_type import ValueType

from service.catalog import nearest
from service.parity.errors import NotComparable


class Key(NamedTuple):
    """A join key of a view, and the column of the request that it is taken from."""

    join_key: str
    column: str
    value_type: ValueType


@dataclass(frozen=True, slots=True)
class StoredView:
    """A view with a batch source, as one projection takes it.

    `label` is its name in full feature names: its alias if it has one, with @vN where a version is pinned. `reference` is
    its own name, with the version. `features` are all that are needed of it, inputs of on-demand views among them.
    """

    view: Any
    label: str
    reference: str
    features: tuple[str, ...]
    keys: tuple[Key, ...]

    @property
    def ttl(self) -> timedelta | None:
        """None is forever."""
        return self.view.ttl or None


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature that is compared. `sources` are the labels of the stored views that its value comes from."""

    reference: str
    column: str
    value_type: ValueType
    sources: tuple[str, ...]
    computed_by: str | None
    # References of the features that it is computed from; empty for a stored one.
    inputs: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Selection:
    """Everything that a comparison needs to know of the definitions; `request` is the request data by name."""

    features: tuple[Feature, ...]
    views: tuple[StoredView, ...]
    on_demand: tuple[OnDemandFeatureView, ...]
    request: dict[str, ValueType]


def select(store: FeatureStore, service: str | None, references: Sequence[str] | None) -> Selection:
    """Resolve a feature service or a list of references as get_historical_features does; raises NotComparable."""
    asked: Any = _service(store, service) if service is not None else list(references or ())
    if service is None:
        _check_references(store, asked)
    try:
        resolved = _get_features(store.registry, store.project, asked)
        views, on_demand = _get_feature_views_to_use(store.registry, store.project, asked)
        # Training always computes them anew (FeatureStore.get_historical_features).
        on_demand = copy.deepcopy(on_demand)
        for view in on_demand:
            view.write_to_online_store = False
        grouped, _ = _group_feature_refs(resolved, views, on_demand)
    except (FeastError, ValueError, KeyError) as error:
        raise NotComparable(str(error)) from error
    stored = tuple(_stored(view, features) for view, features in grouped)
    request = {name: kind for view in on_demand for name, kind in view.get_request_data_schema().items()}
    by_label = {view.label: view for view in stored}
    computed = {view.projection.name_to_use(): view for view in on_demand}
    features = tuple(_feature(reference, by_label, computed) for reference in dict.fromkeys(resolved))
    return Selection(features, stored, tuple(on_demand), request)


def _service(store: FeatureStore, name: str) -> Any:
    services = {service.name: service for service in store.list_feature_services()}
    if name not in services:
        raise NotComparable(
            f"Feature service {name} does not exist in project {store.project}.{_did_you_mean(name, list(services))}"
        )
    return services[name]


def _check_references(store: FeatureStore, references: Sequence[str]) -> None:
    views = {view.name: view for view in store.list_all_feature_views()}
    for reference in references:
        view_part, _, feature = reference.rpartition(":")
        if not view_part or not feature:
            raise NotComparable(f'A feature reference is "view:feature" or "view@v2:feature", not "{reference}".')
        name, version, _ = _parse_feature_ref(reference)
        if name not in views:
            raise NotComparable(
                f"Feature view {name} does not exist in project {store.project}.{_did_you_mean(name, list(views))}"
            )
        names = [field.name for field in views[name].features]
        if version is None and feature not in names:
            raise NotComparable(f"Feature view {name} has no feature {feature}.{_did_you_mean(feature, names)}")


def _did_you_mean(name: str, names: list[str]) -> str:
    found = nearest(name, names)
    return f" Did you mean {' or '.join(found)}?" if found else ""


def _stored(view: Any, features: Sequence[str]) -> StoredView:
    if isinstance(view, OnDemandFeatureView):
        raise NotComparable(f"Feast doesn't compute on-demand feature views of others for training: {view.name}.")
    if view.batch_source is None:
        raise NotComparable(f"Feature view {view.name} has no batch source, so there is nothing to compare it with.")
    projection = view.projection
    version = projection.version_tag
    keys = tuple(
        Key(field.name, projection.join_key_map.get(field.name, field.name), field.dtype.to_value_type())
        for field in view.entity_columns
    )
    reference = view.name if version is None else f"{view.name}@v{version}"
    return StoredView(view, projection.name_to_use(), reference, tuple(sorted(features)), keys)


def _feature(reference: str, stored: dict[str, StoredView], computed: dict[str, OnDemandFeatureView]) -> Feature:
    view_name, version, name = _parse_feature_ref(reference)
    label = view_name if version is None else f"{view_name}@v{version}"
    column = f"{label}__{name}"
    if label in computed:
        view = computed[label]
        inputs = [
            (projection.name_to_use(), field.name)
            for projection in view.source_feature_view_projections.values()
            for field in projection.features
        ]
        labels = tuple(dict.fromkeys(source for source, _ in inputs))
        of_it = frozenset(f"{source}:{feature}" for source, feature in inputs)
        return Feature(reference, column, _type(view, name), labels, label, of_it)
    return Feature(reference, column, _type(stored[label].view, name), (label,), None)


def _type(view: Any, name: str) -> ValueType:
    types = {field.name: field.dtype.to_value_type() for field in view.features}
    found: ValueType = types[name]
    return found
