"""Compiling a write to one feature view, an on-demand view that is kept among them. No I/O."""

from dataclasses import replace

from service.catalog import Catalog
from service.catalog.definitions import ComputationDefinition, FeatureDefinition, ViewDefinition
from service.codec.natives import native_for
from service.codec.values import codec_for
from service.computations import find_source, input_names
from service.errors import InvalidRequest, NotSupported
from service.push_plan import PushPlan, Transformation, Validation
from service.push_planner import SDK_CREATED, SDK_EVENT_TIME, Planner, read_validation, writable
from service.request_fields import given_type
from service.transforms import Call, InputSpec


def plan_view_write(catalog: Catalog, name: str, transform: bool = True) -> PushPlan:
    """The plan of a write to one view. What its push source demands is demanded here, too.

    Rows for an on-demand view are what its function gets; without `transform`, what it gives.
    """
    view = writable(catalog, name, "feature_view_name")
    if not view.online:
        raise InvalidRequest.because(f"Feature view {name} isn't kept online (online=False).", "feature_view_name")
    sources = [source for source in catalog.definition.push_sources.values() if name in source.views]
    validation = read_validation(sources[0]) if sources else Validation(None, "reject")
    aliases = {SDK_EVENT_TIME: view.timestamp_field, SDK_CREATED: view.created_field or SDK_CREATED}
    plan = Planner(catalog, f"Feature view {name}", name, validation).plan([view], aliases)
    if view.computation is None:
        return plan
    plan = replace(plan, timeless=True)
    return _of_inputs(catalog, view, view.computation, plan) if transform else plan


def _of_inputs(catalog: Catalog, view: ViewDefinition, computation: ComputationDefinition, plan: PushPlan) -> PushPlan:
    """The plan for rows of inputs, each under its short name, with what is made of them."""
    specs: dict[str, InputSpec] = {}
    for projection in computation.sources:
        types = {feature.name: feature.value_type for feature in find_source(catalog, view, projection).features}
        for feature in projection.features:
            if feature in specs:
                message = f"two of its sources have a feature {feature}, and a row to write has one column of that name"
                raise NotSupported(f"On-demand feature view {view.name} can't be written to: {message}.")
            specs[feature] = InputSpec(input_names(projection, feature), types[feature])
    for one in computation.request:
        specs[one.name] = InputSpec((one.name,), given_type(one.value_type))
    keys = [key for key in plan.join_keys if key.name not in specs]
    function = catalog.functions[view.name, view.version]
    outputs = tuple(feature.name for feature in view.features)
    then = Transformation(
        call=Call(function, [*specs.values(), *(InputSpec((key.name,), key.value_type) for key in keys)], outputs),
        codecs=tuple(codec_for(spec.value_type) for spec in specs.values()),
        natives=tuple(native_for(spec.value_type) for spec in specs.values()),
        keys=tuple((key.name, native_for(key.value_type)) for key in keys),
        outputs=outputs,
        plan=plan,
    )
    features = [FeatureDefinition(name, spec.value_type) for name, spec in specs.items()]
    inputs = Planner(catalog, f"On-demand feature view {view.name}", view.name, plan.validation).plan_inputs(view, features)
    return replace(inputs, aliases=plan.aliases, timeless=True, then=then)
