"""Compiling the shape of a request (which features, which columns) into a plan that a request only runs. No I/O."""

import struct
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

import mmh3
import orjson

from service.catalog import Catalog
from service.catalog.definitions import ViewDefinition
from service.codec.packed_numbers import RawColumn
from service.codec.values import ColumnCodec, codec_for
from service.columns import Columns
from service.computations import Computation, Computations
from service.keys import DUMMY_JOIN_KEY, JoinKey, KeyEncoder
from service.references import Selection, check_collisions, select_features, select_service
from service.request_fields import RequestField
from service.store import HashRead

# What stands between the vectors and the metadata.
_METADATA = b'],"metadata":'


@dataclass(frozen=True, slots=True)
class Shape:
    """All of a request but its values: two requests of one shape run the same plan.

    `columns` are the names under `entities`, in the request's order. Either `features` or `service` is set. `as_columns` says
    that the answer is made of columns of values, not of JSON vectors; these have event times only `with_times`, and
    may be packed where `is_packed` (service.codec.packed_numbers).
    """

    columns: tuple[str, ...]
    features: tuple[str, ...] | None = None
    service: str | None = None
    full_names: bool = False
    view_metadata: bool = False
    as_columns: bool = False
    with_times: bool = True
    is_packed: bool = False


class FeatureReads(NamedTuple):
    """The features of a group that one codec reads, whichever view they belong to.

    `take` picks their columns from those of a reply. `places` has for each place in the answer the index of the column, the
    index of its view in the group, and the position. `owned` counts the columns of each view. `names` are for messages.
    """

    codec: ColumnCodec
    take: Callable[[Sequence[RawColumn]], Sequence[RawColumn]]
    places: tuple[tuple[int, int, int], ...]
    owned: tuple[tuple[int, int], ...]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ViewRead:
    """A view of a group: where its event time stands in a reply, and its ttl in nanoseconds (0 is forever)."""

    name: str
    timestamp_field: int
    ttl: int


@dataclass(frozen=True, slots=True)
class Group:
    """Views with the same join keys taken from the same columns: one hash a row holds all of them.

    `inputs` are indexes into the plan's `join_keys`, in the encoder's order; empty for views without an entity.
    """

    encoder: KeyEncoder
    inputs: tuple[int, ...]
    read: HashRead
    views: tuple[ViewRead, ...]
    features: tuple[FeatureReads, ...]


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """What a request of one shape does.

    `join_keys` says which column of the request is checked and encoded as what. `echoed` are the columns that open the
    answer; features follow, `width` is the number of both. `reads` is what is read in all: behind the answer stand the inputs
    of functions that weren't asked for. `tail` is the end of the answer's JSON, from the end of `results` on. `names` and
    `types` (Feast's) are those of the answer's columns; `codecs` those of its features.
    """

    columns: tuple[str, ...]
    join_keys: tuple[tuple[str, JoinKey], ...]
    echoed: tuple[str, ...]
    groups: tuple[Group, ...]
    width: int
    reads: int
    tail: bytes
    names: tuple[str, ...]
    types: tuple[str, ...]
    codecs: tuple[ColumnCodec, ...]
    as_columns: bool
    with_times: bool
    is_packed: bool
    request: tuple[RequestField, ...] = ()
    computations: tuple[Computation, ...] = ()

    @property
    def metadata(self) -> bytes:
        """The answer's metadata alone, as JSON."""
        return self.tail[len(_METADATA) : -1]


def compile_plan(catalog: Catalog, shape: Shape) -> ReadPlan:
    """Resolve every name in `shape`.

    Raises InvalidRequest, UnknownName, FeatureNameCollision, NotSupported or ComputationFailed.
    """
    if shape.service is not None:
        selections = select_service(catalog, shape.service)
    else:
        selections = select_features(catalog, shape.features or ())
    check_collisions(selections, shape.full_names)
    columns = Columns(shape.columns, catalog.definition.entities.values())
    computations = Computations(catalog, selections, columns)
    read: list[tuple[int, Selection]] = []
    for position, selection in enumerate(selections):
        if selection.view.computed:
            computations.add(selection, position)
        else:
            read.append((position, selection))
    read += enumerate(computations.hidden, len(selections))
    members: dict[tuple[tuple[str, str, str], ...], list[tuple[int, Selection]]] = {}
    for position, selection in read:
        members.setdefault(columns.group_of(selection), []).append((position, selection))
    columns.finish()
    offset = len(columns.echoed)
    groups = tuple(_group(catalog, columns, key, selected, offset) for key, selected in members.items())
    names = (*columns.echoed_names, *(selection.output_name(shape.full_names) for selection in selections))
    key_types = {column: value_type for column, _, value_type in columns.join_keys}
    return ReadPlan(
        columns=shape.columns,
        join_keys=tuple((column, JoinKey(name, value_type)) for column, name, value_type in columns.join_keys),
        echoed=tuple(columns.echoed),
        groups=groups,
        width=offset + len(selections),
        reads=offset + len(selections) + len(computations.hidden),
        tail=_tail(names, selections, shape),
        names=names,
        types=(*(key_types[column] for column in columns.echoed), *(one.feature.value_type for one in selections)),
        codecs=tuple(codec_for(selection.feature.value_type) for selection in selections),
        as_columns=shape.as_columns or computations.any,
        with_times=shape.with_times or computations.any,
        is_packed=shape.is_packed and not computations.any,
        request=computations.request_fields,
        computations=computations.compile(catalog.functions, offset),
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
    inputs = tuple(by_name[join_key.name] for join_key in encoder.join_keys) if key else ()
    fields = _Fields()
    for position, selection in selected:
        fields.add(selection, offset + position)
    return Group(
        encoder, inputs, HashRead(list(fields.indexes), encoder.prefix, encoder.suffix), tuple(fields.views), fields.features()
    )


class _Fields:
    """Lays out the fields that a group reads of each hash: every feature once, however often it is asked for."""

    def __init__(self) -> None:
        self.indexes: dict[bytes, int] = {}
        self.views: list[ViewRead] = []
        self._view_of: dict[tuple[str, int], int] = {}
        # By codec, by field, owner and name: the positions at which it is wanted.
        self._wanted: dict[int, tuple[ColumnCodec, dict[tuple[int, int, str], list[int]]]] = {}

    def add(self, selection: Selection, position: int) -> None:
        """Read a feature and put it at `position` of the answer."""
        view, feature = selection.view, selection.feature
        owner = self._view(view)
        field = self._field(hash_field(view.store_name, feature.name))
        codec = codec_for(feature.value_type)
        _, wanted = self._wanted.setdefault(id(codec), (codec, {}))
        wanted.setdefault((field, owner, f"{view.name}:{feature.name}"), []).append(position)

    def _view(self, view: ViewDefinition) -> int:
        identity = (view.store_name, view.ttl_nanoseconds)
        if identity not in self._view_of:
            self._view_of[identity] = len(self.views)
            timestamp = self._field(f"_ts:{view.store_name}".encode())
            self.views.append(ViewRead(view.name, timestamp, view.ttl_nanoseconds))
        return self._view_of[identity]

    def _field(self, name: bytes) -> int:
        return self.indexes.setdefault(name, len(self.indexes))

    def features(self) -> tuple[FeatureReads, ...]:
        """What was added, by codec."""
        found = []
        for codec, wanted in self._wanted.values():
            fields, owners, names = zip(*wanted, strict=True)
            places = [
                (index, owners[index], position) for index, positions in enumerate(wanted.values()) for position in positions
            ]
            # Of one field itemgetter would give the item itself.
            take = itemgetter(*fields) if len(fields) > 1 else itemgetter(slice(fields[0], fields[0] + 1))
            found.append(FeatureReads(codec, take, tuple(places), tuple(Counter(owners).items()), names))
        return tuple(found)


def hash_field(store_name: str, feature: str) -> bytes:
    """A feature's field in the hash (feast/infra/online_stores/helpers.py, _mmh3)."""
    return struct.pack("<I", mmh3.hash(f"{store_name}:{feature}", signed=False))


def _tail(names: Sequence[str], selections: Sequence[Selection], shape: Shape) -> bytes:
    metadata: dict[str, object] = {"feature_names": names}
    if shape.view_metadata:
        versions: dict[str, int] = {}
        for selection in selections:
            versions.setdefault(selection.view_name, selection.view.version)
        metadata["feature_view_metadata"] = [
            {"name": name, "version": version} if version else {"name": name} for name, version in versions.items()
        ]
    return b"%s%s}" % (_METADATA, orjson.dumps(metadata))
