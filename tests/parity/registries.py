"""Random Feast registries: entities of every key type, views of every feature type, services of every kind of projection."""

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from random import Random

from feast import Entity, FeatureService, FeatureView, Field, FileSource, PushSource, StreamFeatureView
from feast.base_feature_view import BaseFeatureView
from feast.feature_view import DUMMY_ENTITY_NAME
from feast.labeling.label_view import LabelView
from feast.types import FeastType, Float64, from_value_type
from feast.value_type import ValueType

from .values import FEAST_TYPES

# Key types that Feast can serialize and JSON can carry to stock; BYTES keys have a test of their own.
KEY_TYPES = [ValueType.INT64, ValueType.INT32, ValueType.STRING, ValueType.UNIX_TIMESTAMP]
JOIN_KEYS = ["customer_id", "Store-Код", "device", "a day", "_z"]
VIEW_NAMES = ["stats", "Überblick", "a", "with__underscores", "spend.v2", "x y", "everyone"]
ENTITIES_OF_A_VIEW = [1, 1, 1, 2, 2, 3, 0]
ODD_FEATURE_NAMES = ["größe", "odd:name", "a b", "_ts", "customer_id_"]
TTLS = [timedelta(0), timedelta(days=1), timedelta(days=365)]


@dataclass(frozen=True)
class Registry:
    """What is applied to one project, in order: entities, then `steps` of views (later ones are next versions), services."""

    project: str
    versioning: bool
    entities: list[Entity]
    steps: list[list[BaseFeatureView]]
    services: list[FeatureService]


def random_registry(seed: int, versioning: bool) -> Registry:
    """A registry of five entities and seven views that between them have every Feast type, and eight services."""
    rng = Random(seed)
    entities = _random_entities(rng)
    views, earlier = _random_views(entities, rng)
    servable = _pinned(views, earlier, rng) if versioning else views
    services = [_random_service(f"service_{number}", servable, rng) for number in range(8)]
    return Registry(f"parity_{seed}", versioning, entities, [earlier, views], services)


def view(name: str, entities: list[Entity], fields: dict[str, FeastType], ttl: timedelta = timedelta(0)) -> FeatureView:
    """A feature view over a file that isn't there: nothing reads it."""
    return FeatureView(name=name, entities=entities, ttl=ttl, schema=_schema(entities, fields), source=_file(name))


def _random_entities(rng: Random) -> list[Entity]:
    key_types = [*KEY_TYPES, rng.choice(KEY_TYPES)]
    rng.shuffle(key_types)
    return [
        Entity(name=rng.choice([join_key, f"{join_key} entity"]), join_keys=[join_key], value_type=key_type)
        for join_key, key_type in zip(JOIN_KEYS, key_types, strict=True)
    ]


def _random_views(entities: list[Entity], rng: Random) -> tuple[list[BaseFeatureView], list[BaseFeatureView]]:
    """The views as they are now, and for some of them what they were before, with fewer features."""
    names = _feature_names(rng)
    hands: list[dict[str, FeastType]] = [{} for _ in VIEW_NAMES]
    for number, feast_type in enumerate(rng.sample(FEAST_TYPES, len(FEAST_TYPES))):
        hands[number % len(hands)][next(names)] = feast_type
    for hand in rng.sample(hands, 3):  # names that collide unless full names are asked for
        hand["score"] = Float64
    views, earlier = [], []
    for name, entity_count, fields in zip(VIEW_NAMES, ENTITIES_OF_A_VIEW, hands, strict=True):
        arguments = (name, rng.sample(entities, entity_count), fields, rng.choice(TTLS))
        views.append(_of_some_kind(*arguments, rng))
        if type(views[-1]) is FeatureView and rng.random() < 0.6:
            fewer = dict(rng.sample(list(fields.items()), rng.randint(1, len(fields) - 1)))
            earlier.append(view(name, arguments[1], fewer, arguments[3]))
    return views, earlier


def _of_some_kind(
    name: str, entities: list[Entity], fields: dict[str, FeastType], ttl: timedelta, rng: Random
) -> BaseFeatureView:
    """A plain view, one that can be pushed to, a stream or a label view: all are read alike."""
    push_source = PushSource(name=f"push to {name}", batch_source=_file(name))
    schema = _schema(entities, fields)
    draw = rng.random()
    if draw < 0.2:
        return FeatureView(name=name, entities=entities, ttl=ttl, schema=schema, source=push_source)
    if draw < 0.3:
        return FeatureView(name=name, entities=entities, ttl=ttl, schema=schema)
    if draw < 0.4 and entities:
        return StreamFeatureView(name=name, entities=entities, ttl=ttl, schema=schema, source=push_source)
    if draw < 0.5 and entities:
        return LabelView(name=name, entities=entities, ttl=ttl, schema=schema, source=push_source)
    return view(name, entities, fields, ttl)


def _pinned(views: list[BaseFeatureView], earlier: list[BaseFeatureView], rng: Random) -> list[BaseFeatureView]:
    """The views with those that have two versions pinned to one of them (stock reads the wrong one without a pin)."""
    before = {view.name: view for view in earlier}
    pinned = []
    for view in views:
        number = rng.randint(0, 1)
        chosen = copy(view if number or view.name not in before else before[view.name])
        if view.name in before:
            chosen.version = f"v{number}"
        pinned.append(chosen)
    return pinned


def _random_service(name: str, views: list[BaseFeatureView], rng: Random) -> FeatureService:
    """One to three projections: whole or in part, aliased, with renamed join keys, or of one view for two roles."""
    if rng.random() < 0.25:
        chosen = rng.choice([view for view in views if _renamable(view)])
        roles = [_with_role(chosen, role, rng) for role in rng.sample(["buyer", "seller", "Dritter"], 2)]
        return FeatureService(name=name, features=roles)
    projections = []
    for chosen in rng.sample(views, rng.randint(1, 3)):
        projection = chosen
        if rng.random() < 0.3:
            projection = _with_role(chosen, f"{chosen.name} too", rng)
        elif rng.random() < 0.3:
            projection = chosen.with_name(f"{chosen.name}, renamed")
        if rng.random() < 0.5:
            features = [feature.name for feature in chosen.features]
            projection = projection[rng.sample(features, rng.randint(1, len(features)))]
        projections.append(projection)
    return FeatureService(name=name, features=projections)


def _with_role(view: BaseFeatureView, role: str, rng: Random) -> BaseFeatureView:
    """The view under another name, and some of its join keys under other names too."""
    renamed = rng.sample(_renamable(view), rng.randint(1, len(_renamable(view)))) if _renamable(view) else []
    aliased = view.with_name(role)
    return aliased.with_join_key_map({join_key: f"{role} {join_key}" for join_key in renamed}) if renamed else aliased


def _renamable(view: BaseFeatureView) -> list[str]:
    """The join keys that a projection may rename: those of a feature view, not of a label view."""
    has_keys = isinstance(view, FeatureView) and view.entities != [DUMMY_ENTITY_NAME]
    return view.join_keys if has_keys else []


def _schema(entities: list[Entity], fields: dict[str, FeastType]) -> list[Field]:
    """The fields, and the join keys, which half of the views leave to Feast's inference."""
    inferred = len(fields) % 2 == 0
    keys = [] if inferred else [Field(name=one.join_key, dtype=from_value_type(one.value_type)) for one in entities]
    return keys + [Field(name=name, dtype=feast_type) for name, feast_type in fields.items()]


def _file(name: str) -> FileSource:
    return FileSource(name=f"file of {name}", path="nowhere.parquet", timestamp_field="at", created_timestamp_column="made")


def _feature_names(rng: Random) -> Iterator[str]:
    yield from rng.sample(ODD_FEATURE_NAMES, len(ODD_FEATURE_NAMES))
    for number in count():
        yield f"f{number}"
