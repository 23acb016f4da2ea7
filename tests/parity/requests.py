"""Hypothesis strategies for bodies of /get-online-features that both servers must answer."""

from typing import Any

from feast.feature_view import DUMMY_ENTITY_ID
from feast.utils import _parse_feature_ref
from hypothesis import strategies as st

from .world import World

MANY_TIMES = 50  # the few drawn rows over and over: more than any batch of our reader


@st.composite
def bodies(draw: st.DrawFn, world: World) -> dict[str, Any]:
    """A body with features or a service, entity columns with stored, absent and repeated ids, and any options."""
    body: dict[str, Any] = draw(st.one_of(_references(world), _services(world)))
    body["entities"] = draw(_entities(world, body))
    body.update(draw(_options()))
    names = draw(st.permutations(list(body)))
    return {name: body[name] for name in names}


def _references(world: World) -> st.SearchStrategy[dict[str, Any]]:
    references = st.sampled_from(world.references)
    return st.lists(references, min_size=1, max_size=8, unique_by=_parse_feature_ref).map(
        lambda features: {"features": features}
    )


def _services(world: World) -> st.SearchStrategy[dict[str, Any]]:
    return st.sampled_from(world.services).map(lambda name: {"feature_service": name})


def _options() -> st.SearchStrategy[dict[str, Any]]:
    flags = {"full_feature_names": st.booleans(), "include_feature_view_version_metadata": st.booleans()}
    return st.fixed_dictionaries({}, optional=flags)


@st.composite
def _entities(draw: st.DrawFn, world: World, body: dict[str, Any]) -> dict[str, list[Any]]:
    """A column for each join key that is needed, under the name that the request must use, in most orders."""
    needed = world.request_columns(world.columns(body))
    if set(needed) != {DUMMY_ENTITY_ID} and draw(st.booleans()):
        needed.pop(DUMMY_ENTITY_ID, None)  # views without an entity are answered for as many rows as the others
    rows = draw(st.integers(1, 6))
    times = draw(st.sampled_from([1] * 9 + [MANY_TIMES]))
    columns = {}
    for name in draw(st.permutations(list(needed))):
        ids = st.sampled_from(world.ids_of(needed[name]))
        columns[name] = times * draw(st.lists(ids, min_size=rows, max_size=rows))
    return dict(sorted(columns.items(), key=lambda item: item[0] != needed[item[0]]))  # see World.request_columns
