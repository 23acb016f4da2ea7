"""Compiling the shape of a request (which features, which columns) into a plan that a request only runs. No I/O."""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from service.arrangement import Arrange, answer_template, arrangement
from service.catalog import Catalog
from service.codec.values import ColumnCodec, codec_for
from service.columns import Columns
from service.computations import Computation, Computations
from service.groups import Fields, Group
from service.keys import DUMMY_JOIN_KEY, JoinKey, KeyEncoder
from service.references import Selection, check_collisions, select_features, select_service
from service.request_fields import RequestField
from service.store import HashRead


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


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """What a request of one shape does.

    `join_keys` says which column of the request is checked and encoded as what. `echoed` are the columns that open the
    answer; features follow, `width` is the number of both. `reads` is what is read in all: behind the answer stand the inputs
    of functions that weren't asked for. `template` is the answer's JSON, into which `arrange` puts what was read
    (service.arrangement), `metadata` its last part. `names` and `types` (Feast's) are those of the answer's columns; `codecs`
    those of its features.
    """

    columns: tuple[str, ...]
    join_keys: tuple[tuple[str, JoinKey], ...]
    echoed: tuple[str, ...]
    groups: tuple[Group, ...]
    width: int
    reads: int
    metadata: bytes
    template: bytes
    arrange: Arrange
    names: tuple[str, ...]
    types: tuple[str, ...]
    codecs: tuple[ColumnCodec, ...]
    as_columns: bool
    with_times: bool
    is_packed: bool
    request: tuple[RequestField, ...] = ()
    computations: tuple[Computation, ...] = ()


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
    width = offset + len(selections)
    as_columns = shape.as_columns or computations.any
    metadata = _metadata(names, selections, shape)
    key_types = {column: value_type for column, _, value_type in columns.join_keys}
    return ReadPlan(
        columns=shape.columns,
        join_keys=tuple((column, JoinKey(name, value_type)) for column, name, value_type in columns.join_keys),
        echoed=tuple(columns.echoed),
        groups=groups,
        width=width,
        reads=width + len(computations.hidden),
        metadata=metadata,
        template=answer_template(width, metadata),
        arrange=tuple if as_columns else arrangement(offset, groups, width),
        names=names,
        types=(*(key_types[column] for column in columns.echoed), *(one.feature.value_type for one in selections)),
        codecs=tuple(codec_for(selection.feature.value_type) for selection in selections),
        as_columns=as_columns,
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
    fields = Fields()
    for position, selection in selected:
        fields.add(selection, offset + position)
    return Group(
        encoder, inputs, HashRead(list(fields.indexes), encoder.prefix, encoder.suffix), tuple(fields.views), fields.features()
    )


def _metadata(names: Sequence[str], selections: Sequence[Selection], shape: Shape) -> bytes:
    metadata: dict[str, object] = {"feature_names": names}
    if shape.view_metadata:
        versions: dict[str, int] = {}
        for selection in selections:
            versions.setdefault(selection.view_name, selection.view.version)
        metadata["feature_view_metadata"] = [
            {"name": name, "version": version} if version else {"name": name} for name, version in versions.items()
        ]
    return orjson.dumps(metadata)
