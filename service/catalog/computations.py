"""Feast's on-demand feature views as computations. Runs in the definitions process."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple, cast

import msgspec
from feast import OnDemandFeatureView

from service.catalog import definitions
from service.catalog.functions import FunctionSource, LoadedFunction, digest_of

MODES = ("pandas", "python", "substrait")
# A plan has no name.
PLAN_NAME = "substrait"
# Feast writes what it computes under the event time of the source's rows, which arrive in this column
# (feast/feature_store.py, _transform_on_demand_feature_view_df).
ON_WRITE_TIMESTAMP_FIELD = "event_timestamp"


class Computation(NamedTuple):
    """What becomes of an on-demand view: how it is computed, and why it can't be."""

    definition: definitions.ComputationDefinition | None
    unservable: str = ""


def function_source(view: OnDemandFeatureView) -> FunctionSource | None:
    """The view's function as the registry has it; None where it has none.

    The view has to be read with `skip_udf`: otherwise Feast has it rebuilt already, without its globals.
    """
    transformation: Any = getattr(view, "_raw_feature_transformation_proto", None)
    kind = transformation.WhichOneof("transformation") if transformation is not None else None
    if kind == "user_defined_function":
        function = transformation.user_defined_function
        name, body, text = function.name, bytes(function.body), function.body_text
        return FunctionSource(digest_of(name.encode(), body, text.encode()), name, body, text)
    if kind == "substrait_transformation":
        plan = bytes(transformation.substrait_transformation.substrait_plan)
        return FunctionSource(digest_of(plan), PLAN_NAME, plan, plan=True)
    return None


def compute(view: OnDemandFeatureView, loaded: LoadedFunction | None) -> Computation:
    """`loaded` is what became of the view's function.

    A view whose features are computed when they are written is read without its function: that it can't be had (it is
    empty then) doesn't keep anybody from reading.
    """
    mode = str(getattr(view.mode, "value", view.mode)).lower()
    if mode not in MODES:
        reason = f"On-demand feature view {view.name} is of mode {mode}; {', '.join(MODES)} are served."
        return Computation(None, reason)
    source = function_source(view)
    definition = definitions.ComputationDefinition(
        mode=cast(Literal["pandas", "python", "substrait"], mode),
        function_name=source.name if source else "",
        function=loaded.function if loaded else b"",
        sources=_sources(view),
        request=list(_request(view)),
        singleton=bool(view.singleton),
        on_write=bool(view.write_to_online_store),
        failure=loaded.reason if loaded else "isn't in the registry: run feast apply.",
    )
    return Computation(definition, "" if definition.on_write else _unservable(view, source, loaded))


def _unservable(view: OnDemandFeatureView, source: FunctionSource | None, loaded: LoadedFunction | None) -> str:
    named = f"On-demand feature view {view.name}"
    if view.aggregations:
        return (
            f"{named} has aggregations, and these aren't computed when features are read: Feast leaves such features out of "
            "its answers, too. Aggregate in the function, or set write_to_online_store=True."
        )
    if source is None or loaded is None:
        return f"{named} has no function in the registry: run feast apply."
    return f"{named} can't be computed: its function {source.name} {loaded.reason}" if loaded.reason else ""


def _sources(view: OnDemandFeatureView) -> list[definitions.ProjectionDefinition]:
    """By name: Feast keeps them in a mapping without order."""
    projections = sorted(view.source_feature_view_projections.values(), key=lambda each: (each.name, each.name_alias or ""))
    return [projection(each) for each in projections]


def projection(feast: Any) -> definitions.ProjectionDefinition:
    """A Feast projection."""
    return definitions.ProjectionDefinition(
        view=feast.name,
        features=[feature.name for feature in feast.features],
        alias=feast.name_alias or "",
        version=feast.version_tag,
        join_key_map=dict(feast.join_key_map),
    )


def _request(view: OnDemandFeatureView) -> Iterator[definitions.FeatureDefinition]:
    """The fields of all request sources, and of `input_schema`, which Feast keeps as a request source of its own."""
    sources = dict(view.source_request_sources)
    if view._input_schema_sentinel is not None:
        sources[view._input_schema_sentinel.name] = view._input_schema_sentinel
    fields = {field.name: field for name in sorted(sources) for field in sources[name].schema}
    for field in fields.values():
        yield definitions.FeatureDefinition(field.name, field.dtype.to_value_type().name, field.description)


def settle(views: Mapping[str, definitions.ViewDefinition]) -> dict[str, definitions.ViewDefinition]:
    """The views by name, with those unservable that need what isn't there or isn't served itself."""
    settled = dict(views)
    computed = [name for name, view in views.items() if view.computed]
    # On-demand views may build on each other: what one finds out, the next may need.
    changed = True
    while changed:
        changed = False
        for name in computed:
            reason = settled[name].unservable or _lacking(settled[name], settled)
            if reason != settled[name].unservable:
                settled[name] = msgspec.structs.replace(settled[name], unservable=reason)
                changed = True
    return settled


def _lacking(view: definitions.ViewDefinition, views: Mapping[str, definitions.ViewDefinition]) -> str:
    for source in view.computation.sources if view.computation else ():
        label = source.view if source.version is None else f"{source.view}@v{source.version}"
        found = views.get(label)
        if found is None:
            return f"On-demand feature view {view.name} needs feature view {label}, which isn't there or isn't versioned."
        missing = [name for name in source.features if name not in {feature.name for feature in found.features}]
        if missing:
            return f"On-demand feature view {view.name} needs {label}:{missing[0]}, which the registry doesn't have."
        if found.unservable:
            return f"On-demand feature view {view.name} needs feature view {label}. {found.unservable}"
    return ""
