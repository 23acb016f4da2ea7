"""A small registry made by hand, for tests that know every row: what is fresh, expired, null or absent for whom."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from feast import Entity, FeatureService
from feast import types as feast_types
from feast.feature_view import DUMMY_ENTITY_ID
from feast.protos.feast.types.Value_pb2 import Value as ValueProto
from feast.type_map import python_values_to_proto_values
from feast.types import Array
from feast.value_type import ValueType

from .registries import view
from .rows import Row, key_of
from .world import World

DAY = timedelta(days=1)
FRESH, EXPIRED, NO_VALUES, NO_VISITS, EARLY, IN_9999, ABSENT = 1, 2, 3, 4, 5, 6, 99
LAST_MOMENT = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)

CUSTOMER = Entity(name="customer_id", join_keys=["customer_id"], value_type=ValueType.INT64)
STORE = Entity(name="store", join_keys=["store_id"], value_type=ValueType.STRING)
BADGE = Entity(name="badge", join_keys=["badge_id"], value_type=ValueType.BYTES)

PROFILE_FIELDS = {
    "age": feast_types.Int64,
    "name": feast_types.String,
    "spend": feast_types.Float32,
    "tags": Array(feast_types.String),
    "extras": feast_types.ScalarMap,
    "active": feast_types.Bool,
}
TARIFF_FIELDS = [
    {"price": feast_types.Float64},
    {"price": feast_types.Float64, "currency": feast_types.String},
    {"price": feast_types.Float64, "currency": feast_types.String, "tax": feast_types.Float64},
]


def open_shop(repo: Path, connection_string: str) -> World:
    """The shop's registry, applied, with its rows; views are kept apart by version in Redis."""
    world = World.create(repo, "shop", connection_string, versioning=True)
    profile = view("profile", [CUSTOMER], PROFILE_FIELDS)
    visits = view("visits", [CUSTOMER], {"count": feast_types.Int64, "score": feast_types.Float64}, ttl=DAY)
    visits_at = view("visits_at", [CUSTOMER, STORE], {"minutes": feast_types.Int64})
    till = view("till", [STORE], {"total": feast_types.Int64, "score": feast_types.Float64})
    everyone = view("everyone", [], {"rate": feast_types.Float64})
    door = view("door", [BADGE], {"opened": feast_types.Int64})
    world.store.apply([CUSTOMER, STORE, BADGE, profile, visits, visits_at, till, everyone, door])
    _fill_customers(world)
    _fill_others(world)
    _change_tariff(world)
    buyer = {"customer_id": "buyer_id"}
    world.store.apply(
        [
            FeatureService(name="shopper", features=[profile[["name", "age"]], visits]),
            FeatureService(name="two_roles", features=[_role(profile, "buyer"), _role(profile, "seller")]),
            FeatureService(name="plain_and_role", features=[profile[["age"]], _role(profile, "buyer")[["age"]]]),
            FeatureService(name="own_key_and_role", features=[visits, profile.with_join_key_map(buyer)[["age"]]]),
            FeatureService(name="tariff_now", features=[world.store.get_feature_view("tariff")]),
            FeatureService(name="tariff_v1", features=["tariff@v1"]),
            FeatureService(name="sdk", features=[profile[["age", "name", "active"]], till[["total"]]]),
        ]
    )
    return world


def _fill_customers(world: World) -> None:
    now = datetime.now(UTC)
    full = {"age": 41, "name": "Ada", "spend": 0.1, "tags": ["a", "b"], "extras": {1: "one"}, "active": True}
    stored = [FRESH, EXPIRED, NO_VISITS, IN_9999]
    rows = {customer: Row(now - DAY, _profile({**full, "age": 40 + customer})) for customer in stored}
    rows[NO_VALUES] = Row(now - DAY, {name: ValueProto() for name in PROFILE_FIELDS})
    rows[EARLY] = Row(now - DAY, _profile({"age": 45}))
    rows[IN_9999] = Row(LAST_MOMENT, rows[IN_9999].values)
    world.write("profile", {key_of({"customer_id": customer}): row for customer, row in rows.items()})
    values = {"count": ValueProto(int64_val=7), "score": ValueProto(double_val=0.5)}
    nothing = {"count": ValueProto(), "score": ValueProto()}
    visits = {
        FRESH: Row(now - DAY / 2, values),
        EXPIRED: Row(now - 2 * DAY, {**values, "score": ValueProto()}),
        NO_VALUES: Row(now - DAY / 2, nothing),
    }
    world.write("visits", {key_of({"customer_id": customer}): row for customer, row in visits.items()})
    minutes = {"minutes": ValueProto(int64_val=90)}
    world.write("visits_at", {key_of({"customer_id": FRESH, "store_id": "north"}): Row(now, minutes)})


def _fill_others(world: World) -> None:
    now = datetime.now(UTC)
    total = {"total": ValueProto(int64_val=1000), "score": ValueProto(double_val=2.5)}
    world.write("till", {key_of({"store_id": store}): Row(now, total) for store in ("north", "süd")})
    world.write("everyone", {key_of({DUMMY_ENTITY_ID: ""}): Row(now, {"rate": ValueProto(double_val=4.5)})})
    world.write("door", {key_of({"badge_id": b"\x00\xffB"}): Row(now, {"opened": ValueProto(int64_val=3)})})


def _change_tariff(world: World) -> None:
    """Three versions of one view, with the version's number in every value."""
    for version, fields in enumerate(TARIFF_FIELDS):
        world.store.apply([view("tariff", [STORE], fields)])
        values = {"price": ValueProto(double_val=100.0 + version), "currency": ValueProto(string_val=f"v{version}")}
        values["tax"] = ValueProto(double_val=0.5)
        row = Row(datetime.now(UTC), {name: values[name] for name in fields})
        world.write("tariff", {key_of({"store_id": "north"}): row})


def _profile(values: dict[str, Any]) -> dict[str, ValueProto]:
    return {
        name: python_values_to_proto_values([value], PROFILE_FIELDS[name].to_value_type())[0] for name, value in values.items()
    }


def _role(base: Any, role: str) -> Any:
    return base.with_name(role).with_join_key_map({"customer_id": f"{role}_id"})
