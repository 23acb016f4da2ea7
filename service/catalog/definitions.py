"""What the registry defines, as plain immutable values that travel between processes as msgpack.

A Catalog keeps its views and services as undecoded bytes until a request asks for one: a registry of a thousand views
is handed over in well under a millisecond, and nobody pays for the views that nobody reads.
"""

from typing import Any, Literal

import msgspec

# Kinds of feature views.
ON_DEMAND = "on_demand_feature_view"
LABEL = "label_view"


class FeatureDefinition(msgspec.Struct, frozen=True):
    """A feature and its type's name in feast.value_type.ValueType."""

    name: str
    value_type: str
    description: str = ""


class EntityDefinition(msgspec.Struct, frozen=True):
    """An entity of a view: its name, its join key, and the join key's type."""

    name: str
    join_key: str
    value_type: str


class ProjectionDefinition(msgspec.Struct, frozen=True):
    """What a feature service, or an on-demand view, takes of one view."""

    view: str
    features: list[str]
    alias: str = ""
    # None is the current version.
    version: int | None = None
    # Join key in the store to column in the request.
    join_key_map: dict[str, str] = {}


class ComputationDefinition(msgspec.Struct, frozen=True):
    """How the features of an on-demand view come about: a function of the repository, and what it gets.

    `function` is pickled by value (cloudpickle), so that a worker runs it without the repository and without Feast; in
    the mode substrait it is the serialized plan.
    """

    mode: Literal["pandas", "python", "substrait"]
    function_name: str
    function: bytes
    sources: list[ProjectionDefinition]
    # What the request brings beside join keys.
    request: list[FeatureDefinition] = []
    # Whether a function of mode python gets a row instead of columns.
    singleton: bool = False
    # Whether it runs when rows are written, and its features are then only read.
    on_write: bool = False
    # Why the function isn't there, in words that go on from its name; empty when it is.
    failure: str = ""


class ViewDefinition(msgspec.Struct, frozen=True):
    """A feature view, stream feature view, label view or on-demand feature view, in one of its versions."""

    name: str
    kind: str
    features: list[FeatureDefinition]
    entities: list[EntityDefinition]
    # The view's name in Redis: with a suffix when versions are kept apart there.
    store_name: str
    # 0 is forever, as in Feast.
    ttl_nanoseconds: int = 0
    # 0 when the view has never been changed.
    version: int = 0
    # Why the view can't be served although it is defined (disabled, not materialized yet); empty when it can.
    unservable: str = ""
    # Of the batch source: the columns of the event time and, where there is one, of the time that a row was made at.
    timestamp_field: str = ""
    created_field: str = ""
    # Names in the batch source to names of features, where they differ.
    field_mapping: dict[str, str] = {}
    # Whether it is materialized and written to the online store at all.
    online: bool = True
    # Whether it isn't switched off (feast feature-views disable).
    enabled: bool = True
    description: str = ""
    owner: str = ""
    tags: dict[str, str] = {}
    # Of an on-demand view.
    computation: ComputationDefinition | None = None

    @property
    def refusal(self) -> str:
        """Why the view can't be asked for; empty when it can."""
        if self.kind == ON_DEMAND and self.computation is None:
            return self.unservable or f"What computes on-demand feature view {self.name} isn't known: run feast apply."
        return self.unservable

    @property
    def computed(self) -> bool:
        """Whether its features are computed when they are read."""
        return self.computation is not None and not self.computation.on_write


class ServiceDefinition(msgspec.Struct, frozen=True):
    """A feature service."""

    name: str
    projections: list[ProjectionDefinition]
    description: str = ""
    owner: str = ""
    tags: dict[str, str] = {}


class PushSourceDefinition(msgspec.Struct, frozen=True):
    """A push source and the views that it feeds. Its tags say how what is pushed is validated (service.push_planner)."""

    name: str
    views: list[str]
    description: str = ""
    owner: str = ""
    tags: dict[str, str] = {}


class OnlineStoreDefinition(msgspec.Struct, frozen=True):
    """What feature_store.yaml says of the online store."""

    connection_string: str
    key_ttl_seconds: int | None = None


class CatalogDefinition(msgspec.Struct, frozen=True):
    """One reading of the registry, whole.

    `views` is keyed by name, and by `name@vN` for each version that can be asked for.
    """

    project: str
    entity_key_version: int
    online_store: OnlineStoreDefinition
    views: dict[str, msgspec.Raw]
    services: dict[str, msgspec.Raw]
    push_sources: dict[str, PushSourceDefinition]
    # Every entity of the project: entity name to join key.
    entities: dict[str, str]
    # Whether `view@vN` references are allowed (registry.enable_online_feature_view_versioning).
    versioning: bool = False


_encoder = msgspec.msgpack.Encoder(order="deterministic")
_catalog = msgspec.msgpack.Decoder(CatalogDefinition)
_view = msgspec.msgpack.Decoder(ViewDefinition)
_service = msgspec.msgpack.Decoder(ServiceDefinition)


def encode(definition: Any) -> bytes:
    """The same definitions always give the same bytes, so that a reading can be compared with the one before."""
    return _encoder.encode(definition)


def decode_catalog(data: bytes) -> CatalogDefinition:
    """A catalog whose views and services are still bytes."""
    return _catalog.decode(data)


def decode_view(data: msgspec.Raw) -> ViewDefinition:
    """One view of a catalog."""
    return _view.decode(data)


def decode_service(data: msgspec.Raw) -> ServiceDefinition:
    """One feature service of a catalog."""
    return _service.decode(data)
