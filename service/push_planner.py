"""Compiling what may be pushed (to a push source, to a feature view) into a PushPlan. No I/O."""

from collections.abc import Sequence

from service.catalog import Catalog, nearest
from service.catalog.definitions import FeatureDefinition, PushSourceDefinition, ViewDefinition
from service.codec.encoders import encoder_for
from service.errors import InvalidRequest, UnknownName, ValidationMisconfigured
from service.groups import hash_field
from service.keys import DUMMY_JOIN_KEY, JoinKey, KeyEncoder, shorten
from service.push_plan import Policy, PushedFeature, PushPlan, Validation, WriteGroup
from service.store import HashWrite

# The tags of a push source that say how what is pushed to it is validated.
SUITE_TAG = "validation_suite"
POLICY_TAG = "on_invalid"
POLICIES: dict[str, Policy] = {"reject": "reject", "quarantine": "quarantine", "warn": "warn"}
# What Feast's remote online store calls the times, whatever the view's source calls them.
SDK_EVENT_TIME = "event_timestamp"
SDK_CREATED = "created"


def plan_push(catalog: Catalog, name: str) -> PushPlan:
    """The plan of a push source, for all views that it feeds. Raises UnknownName, InvalidRequest, NotSupported."""
    source = catalog.definition.push_sources.get(name)
    if source is None:
        close = nearest(shorten(name), list(catalog.definition.push_sources))
        hint = f" Did you mean {' or '.join(close)}?" if close else ""
        message = f"Push source {shorten(name)} does not exist in project {catalog.project}.{hint}"
        raise UnknownName.because(message, "push_source_name")
    if not source.views:
        message = f"No feature view has the push source {name}, so there is nothing to write to."
        raise InvalidRequest.because(message, "push_source_name")
    views = [writable(catalog, view, "push_source_name") for view in source.views]
    return Planner(catalog, f"Push source {name}", name, read_validation(source)).plan(views, {})


def read_validation(source: PushSourceDefinition) -> Validation:
    """What a push source's tags say; raises ValidationMisconfigured for a policy that there isn't."""
    policy = source.tags.get(POLICY_TAG, "reject")
    if policy not in POLICIES:
        raise ValidationMisconfigured(
            f"Push source {source.name} has the tag {POLICY_TAG}: {policy!r}; there are {', '.join(POLICIES)}."
        )
    return Validation(source.tags.get(SUITE_TAG) or None, POLICIES[policy])


def writable(catalog: Catalog, name: str, field_name: str) -> ViewDefinition:
    """A view that rows can be written to; raises UnknownName, InvalidRequest."""
    view = catalog.view(name)
    if view is None or "@" in name:
        close = nearest(shorten(name), [view for view in catalog.definition.views if "@" not in view])
        hint = f" Did you mean {' or '.join(close)}?" if close else ""
        message = f"Feature view {shorten(name)} does not exist in project {catalog.project}.{hint}"
        raise UnknownName.because(message, field_name)
    if view.refusal:
        raise InvalidRequest.because(view.refusal, field_name)
    if view.computed:
        message = f"On-demand feature view {name} is computed when it is read: it isn't kept (write_to_online_store=False)."
        raise InvalidRequest.because(message, field_name)
    if not view.timestamp_field:
        message = f"Feature view {name} has no batch source, so nothing says which column is the event time."
        raise InvalidRequest.because(message, field_name)
    return view


class Planner:
    """Lays out join keys, features and groups: each column is read once, however many views have it."""

    def __init__(self, catalog: Catalog, target: str, source: str, validation: Validation) -> None:
        self._catalog = catalog
        self._target = target
        self._source = source
        self._validation = validation
        self._join_keys: dict[str, JoinKey] = {}
        self._features: dict[tuple[str, str], PushedFeature] = {}

    def plan(self, views: Sequence[ViewDefinition], aliases: dict[str, str]) -> PushPlan:
        """The plan; views fed by one push source share its batch source, and so the names of its columns."""
        for view in views:
            for entity in view.entities:
                self._join_key(entity.join_key, entity.value_type)
            for feature in view.features:
                self._feature(feature)
        # The columns of views that aren't kept online are for the offline store.
        online = [view for view in views if view.online]
        groups: dict[tuple[str, ...], list[ViewDefinition]] = {}
        for view in online:
            groups.setdefault(tuple(sorted(entity.join_key for entity in view.entities)), []).append(view)
        made = tuple(self._group(members) for members in groups.values())
        first = views[0]
        mapped = {given: name for view in views for given, name in view.field_mapping.items()}
        return PushPlan(
            target=self._target,
            source=self._source,
            validation=self._validation,
            views=tuple(view.name for view in online),
            join_keys=tuple(self._join_keys.values()),
            features=tuple(self._features.values()),
            groups=made,
            event_time=first.timestamp_field,
            created=first.created_field or (SDK_CREATED if SDK_CREATED in aliases else ""),
            aliases=mapped | aliases,
        )

    def plan_inputs(self, view: ViewDefinition, inputs: Sequence[FeatureDefinition]) -> PushPlan:
        """A plan that types rows of an on-demand view's inputs and writes nothing."""
        for entity in view.entities:
            self._join_key(entity.join_key, entity.value_type)
        for feature in inputs:
            self._feature(feature)
        return PushPlan(
            target=self._target,
            source=self._source,
            validation=self._validation,
            views=(view.name,),
            join_keys=tuple(self._join_keys.values()),
            features=tuple(self._features.values()),
            groups=(),
            event_time=view.timestamp_field,
            created=SDK_CREATED,
            aliases={},
        )

    def _group(self, views: Sequence[ViewDefinition]) -> WriteGroup:
        keys = [self._join_key(entity.join_key, entity.value_type) for entity in views[0].entities]
        definition = self._catalog.definition
        encoder = KeyEncoder(keys or [JoinKey(DUMMY_JOIN_KEY, "STRING")], self._catalog.project, definition.entity_key_version)
        columns = [self._feature(feature) for view in views for feature in view.features]
        fields = [
            (f"_ts:{view.store_name}".encode(), [hash_field(view.store_name, feature.name) for feature in view.features])
            for view in views
        ]
        names = list(self._join_keys)
        return WriteGroup(
            views=tuple(view.name for view in views),
            encoder=encoder,
            inputs=tuple(names.index(key.name) for key in encoder.join_keys) if keys else (),
            columns=tuple(columns),
            write=HashWrite(fields, definition.online_store.key_ttl_seconds),
        )

    def _join_key(self, name: str, value_type: str) -> JoinKey:
        if not JoinKey.supports(value_type):
            message = f"Join key {name} is of type {value_type}, which Feast can't store keys of."
            raise InvalidRequest.because(message, name)
        return self._join_keys.setdefault(name, JoinKey(name, value_type))

    def _feature(self, feature: FeatureDefinition) -> int:
        key = (feature.name, feature.value_type)
        self._features.setdefault(key, PushedFeature(feature.name, encoder_for(feature.value_type)))
        return list(self._features).index(key)
