"""Definitions as the registry's reader would send them, without a registry and without Feast."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from service.catalog import Catalog
from service.catalog.definitions import (
    CatalogDefinition,
    EntityDefinition,
    FeatureDefinition,
    OnlineStoreDefinition,
    ProjectionDefinition,
    PushSourceDefinition,
    ServiceDefinition,
    ViewDefinition,
    decode_catalog,
    encode,
)

PROJECT = "shop"
DAY_NANOSECONDS = 86_400 * 10**9


def entity(join_key: str, value_type: str = "INT64", name: str | None = None) -> EntityDefinition:
    """An entity, called like its join key unless it has a name of its own."""
    return EntityDefinition(name or join_key, join_key, value_type)


CUSTOMER = entity("customer_id")
STORE = entity("store_id", "STRING", name="store")


def view(
    name: str, features: Mapping[str, str], entities: Iterable[EntityDefinition] = (CUSTOMER,), **more: Any
) -> ViewDefinition:
    """A feature view; `features` maps names to value types, `more` is what else ViewDefinition has."""
    return ViewDefinition(
        **{
            "name": name,
            "kind": "feature_view",
            "features": [FeatureDefinition(feature, value_type) for feature, value_type in features.items()],
            "entities": list(entities),
            "store_name": name,
            **more,
        }
    )


def service(name: str, *projections: ProjectionDefinition) -> ServiceDefinition:
    """A feature service."""
    return ServiceDefinition(name, list(projections))


def projection(view_name: str, *features: str, **more: Any) -> ProjectionDefinition:
    """What a service takes of a view; `more` is alias, version or join_key_map."""
    return ProjectionDefinition(view_name, list(features), **more)


def definition(
    *views: ViewDefinition,
    services: Iterable[ServiceDefinition] = (),
    versions: Mapping[str, ViewDefinition] | None = None,
    connection_string: str = "localhost:6379",
    **more: Any,
) -> CatalogDefinition:
    """A catalog of these views; `versions` holds more of them under the name that a request gives: `tariff@v1`."""
    named = {each.name: each for each in views} | dict(versions or {})
    return CatalogDefinition(
        **{
            "project": PROJECT,
            "entity_key_version": 3,
            "online_store": OnlineStoreDefinition(connection_string),
            "views": {name: msgspec.Raw(encode(each)) for name, each in named.items()},
            "services": {each.name: msgspec.Raw(encode(each)) for each in services},
            "push_sources": {},
            "entities": {part.name: part.join_key for each in named.values() for part in each.entities},
            **more,
        }
    )


def catalog(*views: ViewDefinition, **more: Any) -> Catalog:
    """The same as a worker has it: gone through its encoding."""
    return Catalog(decode_catalog(encode(definition(*views, **more))))


PROFILE = view(
    "profile",
    {"age": "INT64", "name": "STRING", "spend": "FLOAT", "active": "BOOL", "tags": "STRING_LIST", "extras": "MAP"},
)
VISITS = view("visits", {"count": "INT64", "score": "DOUBLE"}, ttl_nanoseconds=DAY_NANOSECONDS, tags={"team": "web"})
TILL = view("till", {"total": "INT64", "score": "DOUBLE"}, [STORE])
VISITS_AT = view("visits_at", {"minutes": "INT64"}, [CUSTOMER, STORE])
EVERYONE = view("everyone", {"rate": "DOUBLE"}, [])
DOOR = view("door", {"opened": "INT64"}, [entity("badge_id", "BYTES")])
ROOM = view("room", {"seats": "INT32"}, [entity("room_id", "INT32")])
SLOT = view("slot", {"free": "BOOL"}, [entity("starts_at", "UNIX_TIMESTAMP")])
TARIFF = view("tariff", {"price": "DOUBLE", "tax": "DOUBLE"}, [STORE], store_name="tariff_v2", version=2)
OLD_TARIFFS = {
    "tariff@v0": view("tariff", {"price": "DOUBLE"}, [STORE]),
    "tariff@v1": view("tariff", {"price": "DOUBLE"}, [STORE], store_name="tariff_v1", version=1),
    "tariff@v2": TARIFF,
}
DISABLED = view(
    "disabled",
    {"x": "INT64"},
    unservable="Feature view disabled is disabled. Enable it with `feast feature-views enable disabled`.",
)
DERIVED = view("derived", {"ratio": "DOUBLE"}, [], kind="on_demand_feature_view")
BUYER = {"customer_id": "buyer_id"}
SERVICES = [
    service("shopper", projection("profile", "name", "age"), projection("visits", "score", "count")),
    service("roles", projection("profile", "age", alias="buyer", join_key_map=BUYER), projection("profile", "age")),
    service("old_prices", projection("tariff", "price", version=1)),
    service("with_derived", projection("profile", "age"), projection("derived", "ratio")),
    service("broken", projection("gone", "x")),
]
PUSH_SOURCES = {"visits_push": PushSourceDefinition("visits_push", ["visits"], "Live visits.", "web", {"team": "web"})}


def shop(connection_string: str = "localhost:6379") -> CatalogDefinition:
    """One of everything that a request can name."""
    views = (PROFILE, VISITS, TILL, VISITS_AT, EVERYONE, DOOR, ROOM, SLOT, TARIFF, DISABLED, DERIVED)
    return definition(
        *views,
        services=SERVICES,
        versions=OLD_TARIFFS,
        versioning=True,
        push_sources=PUSH_SOURCES,
        connection_string=connection_string,
    )
