"""Compiling the on-demand views of a request: what their functions get and where their features go. No I/O."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from service.catalog import Catalog
from service.catalog.definitions import ComputationDefinition, FeatureDefinition, ProjectionDefinition, ViewDefinition
from service.codec.natives import Native, native_for
from service.columns import Columns
from service.errors import NotSupported
from service.references import Selection
from service.request_fields import RequestField, given_type
from service.transforms import Call, Function, InputSpec


@dataclass(frozen=True, slots=True)
class Computation:
    """One on-demand view of a request.

    `call` gets the columns of the answer at `inputs`, then the request's columns `keys` (each as its native makes it), then the
    plan's request data at `request`. `outputs` has for each of its outputs the positions in the answer.
    """

    view: str
    call: Call
    inputs: tuple[tuple[int, Native], ...]
    keys: tuple[tuple[str, Native], ...]
    request: tuple[int, ...]
    outputs: tuple[tuple[int, ...], ...]


@dataclass(slots=True)
class _Wanted:
    """What a request wants of one on-demand view: positions in the answer by the feature's name."""

    view: ViewDefinition
    computation: ComputationDefinition
    outputs: dict[str, list[int]] = field(default_factory=dict)
    inputs: list[tuple[InputSpec, int]] = field(default_factory=list)
    request: list[FeatureDefinition] = field(default_factory=list)


class Computations:
    """Collects the on-demand views of a request; their inputs are read behind the features that were asked for."""

    def __init__(self, catalog: Catalog, selections: Sequence[Selection], columns: Columns) -> None:
        """`selections` are what was asked for, each at its position."""
        self._catalog = catalog
        self._columns = columns
        # How the request names the join keys of a view that it asks for, too.
        self._maps = {selection.view_name: selection.join_key_map for selection in selections}
        self._first_free = len(selections)
        self._wanted: dict[tuple[str, int], _Wanted] = {}
        self.hidden: list[Selection] = []

    def add(self, selection: Selection, position: int) -> None:
        """A feature that is computed."""
        view = selection.view
        assert view.computation is not None  # noqa: S101 - only computed features come here
        key = (view.name, view.version)
        wanted = self._wanted.get(key)
        if wanted is None:
            wanted = self._wanted[key] = _Wanted(view, view.computation)
            for projection in view.computation.sources:
                self._add_source(wanted, projection)
            for one in view.computation.request:
                self._columns.request_data(one.name, view.name)
                wanted.request.append(one)
        wanted.outputs.setdefault(selection.feature.name, []).append(position)

    def _add_source(self, wanted: _Wanted, projection: ProjectionDefinition) -> None:
        source = find_source(self._catalog, wanted.view, projection)
        label = projection.alias or projection.view
        features = {feature.name: feature for feature in source.features}
        mapping = self._maps.get(label, projection.join_key_map)
        taken = {name for spec, _ in wanted.inputs for name in spec.names}
        for feature in projection.features:
            names = tuple(name for name in input_names(projection, feature) if name not in taken)
            spec = InputSpec(names, features[feature].value_type)
            wanted.inputs.append((spec, self._first_free + len(self.hidden)))
            self.hidden.append(Selection(source, features[feature], label, label, mapping))

    @property
    def any(self) -> bool:
        """Whether there are any."""
        return bool(self._wanted)

    @functools.cached_property
    def request_fields(self) -> tuple[RequestField, ...]:
        """Each column of request data once for each type that a view gives it."""
        needed = dict.fromkeys((one.name, one.value_type) for wanted in self._wanted.values() for one in wanted.request)
        return tuple(RequestField(name, value_type) for name, value_type in needed)

    def compile(self, functions: Mapping[tuple[str, int], Function], offset: int) -> tuple[Computation, ...]:
        """Once the columns are known; `offset` is what stands in the answer before the features."""
        fields = [(field.column, field.value_type) for field in self.request_fields]
        return tuple(self._compile(wanted, functions[key], fields, offset) for key, wanted in self._wanted.items())

    def _compile(self, wanted: _Wanted, function: Function, fields: Sequence[tuple[str, str]], offset: int) -> Computation:
        taken = {name for spec, _ in wanted.inputs for name in spec.names} | {one.name for one in wanted.request}
        types = {column: value_type for column, _, value_type in self._columns.join_keys}
        echoed = zip(self._columns.echoed, self._columns.echoed_names, strict=True)
        # A function knows a key by the name that the answer has, whatever the request calls it.
        used = [(column, name, types[column]) for column, name in echoed if column in types and name not in taken]
        specs = [spec for spec, _ in wanted.inputs]
        specs += [InputSpec((name,), value_type) for _, name, value_type in used]
        specs += [InputSpec((one.name,), given_type(one.value_type)) for one in wanted.request]
        return Computation(
            view=wanted.view.name,
            call=Call(function, specs, list(wanted.outputs)),
            inputs=tuple((offset + position, native_for(spec.value_type)) for spec, position in wanted.inputs),
            keys=tuple((column, native_for(value_type)) for column, _, value_type in used),
            request=tuple(fields.index((one.name, one.value_type)) for one in wanted.request),
            outputs=tuple(tuple(offset + position for position in positions) for positions in wanted.outputs.values()),
        )


def find_source(catalog: Catalog, view: ViewDefinition, projection: ProjectionDefinition) -> ViewDefinition:
    """The view that an on-demand view takes its inputs from; raises NotSupported if it can't."""
    name = projection.view if projection.version is None else f"{projection.view}@v{projection.version}"
    source = catalog.view(name)
    reason = f"the registry has no feature view {name}." if source is None else source.refusal
    if source is not None and source.computed:
        reason = (
            f"its source {name} is an on-demand feature view that is computed when it is read, of which Feast makes no "
            "training sets. Give the source write_to_online_store=True, or compute both in one function."
        )
    elif source is not None and (lost := set(projection.features) - {feature.name for feature in source.features}):
        reason = f"its source {name} has no feature {', '.join(sorted(lost))}: run feast apply."
    if source is None or reason:
        raise NotSupported(f"On-demand feature view {view.name} can't be computed: {reason}")
    return source


def input_names(projection: ProjectionDefinition, feature: str) -> tuple[str, ...]:
    """What a function may call an input: the feature's name, and that with the view's name before it."""
    label = projection.alias or projection.view
    return tuple(dict.fromkeys((feature, f"{projection.view}__{feature}", f"{label}__{feature}")))
