"""Compiling the shape of a request (which features, which columns) into a plan that a request only runs. No I/O."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import mmh3
import orjson

from service.catalog import Catalog
from service.catalog.definitions import ViewDefinition
from service.codec.values import ColumnCodec, codec_for
from service.columns import Columns
from service.keys import DUMMY_JOIN_KEY, JoinKey, KeyEncoder
from service.references import Selection, check_collisions, select_features, select_service
from service.store import HashRead


@dataclass(frozen=True, slots=True)
class Shape:
    """All of a request but its values: two requests of one shape run the same plan.

    `columns` are the names under `entities`, in the request's order. Either `features` or `service` is set.
    """

    columns: tuple[str, ...]
    features: tuple[str, ...] | None = None
    service: str | None = None
    full_names: bool = False
    view_metadata: bool = False


class FeatureRead(NamedTuple):
    """A feature: where its value stands in a reply, how it is read, at which places of the answer it is wanted."""

    field: int
    codec: ColumnCodec
    positions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ViewRead:
    """The features of one view. `ttl` in nanoseconds, 0 is forever."""

    name: str
    timestamp_index: int
    ttl: int
    features: tuple[FeatureRead, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Views with the same join keys taken from the same columns: one hash a row holds all of them.

    `inputs` are indexes into the plan's `join_keys`, in the encoder's order; empty for views without an entity.
    """

    encoder: KeyEncoder
    inputs: tuple[int, ...]
    read: HashRead
    views: tuple[ViewRead, ...]


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """What a request of one shape does.

    `join_keys` says which column of the request is checked and encoded as what. `echoed` are the columns that open the
    answer; features follow. `tail` is the end of the answer's JSON, from the end of `results` on.
    """

    columns: tuple[str, ...]
    join_keys: tuple[tuple[str, JoinKey], ...]
    echoed: tuple[str, ...]
    groups: tuple[Group, ...]
    features: int
    tail: bytes


def compile_plan(catalog: Catalog, shape: Shape) -> ReadPlan:
    """Resolve every name in `shape`; raises InvalidRequest, UnknownName, FeatureNameCollision or NotSupported."""
    if shape.service is not None:
        selections = select_service(catalog, shape.service)
    else:
        selections = select_features(catalog, shape.features or ())
    check_collisions(selections, shape.full_names)
    columns = Columns(shape.columns)
    members: dict[tuple[tuple[str, str, str], ...], list[tuple[int, Selection]]] = {}
    for position, selection in enumerate(selections):
        members.setdefault(columns.group_of(selection), []).append((position, selection))
    columns.finish()
    offset = len(columns.echoed)
    groups = tuple(_group(catalog, columns, key, selected, offset) for key, selected in members.items())
    return ReadPlan(
        columns=shape.columns,
        join_keys=tuple((column, JoinKey(name, value_type)) for column, name, value_type in columns.join_keys),
        echoed=tuple(columns.echoed),
        groups=groups,
        features=len(selections),
        tail=_tail(columns, selections, shape),
    )


def _group(
    catalog: Catalog,
    columns: Columns,
    key: tuple[tuple[str, str, str], ...],
    selected: Sequence[tuple[int, Selection]],
    offset: int,
) -> Group:
    join_keys = [JoinKey(name, value_type) for _, name, value_type in key] or [JoinKey(DUMMY_JOIN_KEY, "STRING")]
    encoder = KeyEncoder(join_keys, catalog.project, catalog.definition.entity_key_version)
    by_name = {name: columns.join_keys.index((column, name, value_type)) for column, name, value_type in key}
    fields: dict[bytes, int] = {}
    views: dict[tuple[str, int], dict[str, list[int]]] = {}
    definitions: dict[tuple[str, int], ViewDefinition] = {}
    for position, selection in selected:
        view = selection.view
        identity = (view.store_name, view.ttl_nanoseconds)
        definitions[identity] = view
        views.setdefault(identity, {}).setdefault(selection.feature.name, []).append(offset + position)
    reads = tuple(_view(definitions[identity], wanted, fields) for identity, wanted in views.items())
    inputs = tuple(by_name[join_key.name] for join_key in encoder.join_keys) if key else ()
    return Group(encoder, inputs, HashRead(list(fields)), reads)


def _view(view: ViewDefinition, wanted: dict[str, list[int]], fields: dict[bytes, int]) -> ViewRead:
    types = {feature.name: feature.value_type for feature in view.features}
    return ViewRead(
        name=view.name,
        timestamp_index=fields.setdefault(f"_ts:{view.store_name}".encode(), len(fields)),
        ttl=view.ttl_nanoseconds,
        features=tuple(
            FeatureRead(
                field=fields.setdefault(hash_field(view.store_name, name), len(fields)),
                codec=codec_for(types[name]),
                positions=tuple(positions),
            )
            for name, positions in wanted.items()
        ),
    )


def hash_field(store_name: str, feature: str) -> bytes:
    """A feature's field in the hash (feast/infra/online_stores/helpers.py, _mmh3)."""
    return struct.pack("<I", mmh3.hash(f"{store_name}:{feature}", signed=False))


def _tail(columns: Columns, selections: Sequence[Selection], shape: Shape) -> bytes:
    metadata: dict[str, object] = {
        "feature_names": columns.echoed_names + [selection.output_name(shape.full_names) for selection in selections]
    }
    if shape.view_metadata:
        versions: dict[str, int] = {}
        for selection in selections:
            versions.setdefault(selection.view_name, selection.view.version)
        metadata["feature_view_metadata"] = [
            {"name": name, "version": version} if version else {"name": name} for name, version in versions.items()
        ]
    return b'],"metadata":%s}' % orjson.dumps(metadata)
