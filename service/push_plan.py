"""Compiling what may be pushed (to a push source, to a feature view) into a plan that a push only runs. No I/O."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Literal, NamedTuple

from service.catalog import Catalog, nearest
from service.catalog.definitions import FeatureDefinition, PushSourceDefinition, ViewDefinition
from service.codec.encoders import ColumnEncoder, encoder_for
from service.codec.natives import Native
from service.codec.values import ColumnCodec
from service.errors import InvalidRequest, Problem, UnknownName, ValidationMisconfigured
from service.keys import DUMMY_JOIN_KEY, JoinKey, KeyEncoder, shorten
from service.plan import hash_field
from service.store import HashWrite
from service.transforms import Call

# The tags of a push source that say how what is pushed to it is validated.
SUITE_TAG = "validation_suite"
POLICY_TAG = "on_invalid"
Policy = Literal["reject", "quarantine", "warn"]
POLICIES: dict[str, Policy] = {"reject": "reject", "quarantine": "quarantine", "warn": "warn"}
# What Feast's remote online store calls the times, whatever the view's source calls them.
SDK_EVENT_TIME = "event_timestamp"
SDK_CREATED = "created"
# Sets of column names whose layout is kept. A producer sends one set for ever.
MAX_LAYOUTS = 64


class Validation(NamedTuple):
    """How what is pushed is validated: the suite's name (None: only types are checked), and what becomes of bad rows."""

    suite: str | None
    policy: Policy


class PushedFeature(NamedTuple):
    """A feature that is written: its name, its type's encoder."""

    name: str
    encoder: ColumnEncoder


@dataclass(frozen=True, slots=True)
class WriteGroup:
    """Views with the same join keys: one hash a row holds all of them.

    `inputs` are the join keys' indexes in the plan, in the encoder's order, `columns` the features' indexes in the plan, in
    the order of `write`.
    """

    views: tuple[str, ...]
    encoder: KeyEncoder
    inputs: tuple[int, ...]
    columns: tuple[int, ...]
    write: HashWrite


@dataclass(frozen=True, slots=True)
class Transformation:
    """An on-demand view's function between what is pushed and what is written.

    `call` gets the features of the push (read by `codecs`, turned by `natives`), then its columns `keys`, each with its native;
    `plan` is how its outputs are written.
    """

    call: Call
    codecs: tuple[ColumnCodec, ...]
    natives: tuple[Native | None, ...]
    keys: tuple[tuple[str, Native | None], ...]
    outputs: tuple[str, ...]
    plan: "PushPlan"


@dataclass(frozen=True, slots=True)
class PushPlan:
    """What a push does. `target` is what it goes to, in words, `source` its name: a push source's, or a feature view's.

    `views` are those that are kept online; `aliases` are names that a client may use instead: name given to name meant.
    """

    target: str
    source: str
    validation: Validation
    views: tuple[str, ...]
    join_keys: tuple[JoinKey, ...]
    features: tuple[PushedFeature, ...]
    groups: tuple[WriteGroup, ...]
    event_time: str
    created: str
    aliases: dict[str, str]
    # Whether rows may come without event times: then they are of the moment at which they come.
    timeless: bool = False
    # What is made of the rows before they are written.
    then: "Transformation | None" = None
    layouts: dict[tuple[str, ...], dict[str, str]] = field(default_factory=dict)

    def layout(self, given: tuple[str, ...]) -> dict[str, str]:
        """The column that the client has for each name that the plan knows. Hot on a hit.

        Raises InvalidRequest for columns that are missing, unknown or there twice.
        """
        layout = self.layouts.get(given)
        if layout is None:
            layout = self._match(given)
            if len(self.layouts) >= MAX_LAYOUTS:
                self.layouts.clear()
            self.layouts[given] = layout
        return layout

    def rejecting(self) -> "PushPlan":
        """The same for rows that are in quarantine already: one that is bad isn't put there again."""
        if self.validation.policy != "quarantine":
            return self
        return replace(self, validation=self.validation._replace(policy="reject"))

    def _match(self, given: tuple[str, ...]) -> dict[str, str]:
        needed = [*(key.name for key in self.join_keys), *dict.fromkeys(one.name for one in self.features)]
        needed += [] if self.timeless else [self.event_time]
        known = {*needed, self.event_time, self.created} - {""}
        layout: dict[str, str] = {}
        repeated, unknown = [], []
        for column in given:
            name = column if column in known else self.aliases.get(column, "")
            if not name:
                unknown.append(column)
            elif name in layout:
                repeated.append(Problem(f"{column} and {layout[name]} are the same column.", shorten(column)))
            else:
                layout[name] = column
        missing = [name for name in needed if name not in layout]
        if repeated or missing or unknown:
            # Only as many are made as the error takes: a body has room for a million unknown columns.
            raise InvalidRequest(chain(repeated, self._missing(missing), self._unknown(unknown, missing or needed, known)))
        return layout

    def _missing(self, names: Sequence[str]) -> Iterator[Problem]:
        for name in names:
            yield Problem(f"Column {name} is missing; {self.target} needs it in each row.", name)

    def _unknown(self, columns: Sequence[str], meant: Sequence[str], known: set[str]) -> Iterator[Problem]:
        for column in map(shorten, columns):
            close = nearest(column, list(meant))
            hint = f" Did you mean {close[0]}?" if close else f" Known are {', '.join(sorted(known))}."
            yield Problem(f"{self.target} has no column {column}.{hint}", column)


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
