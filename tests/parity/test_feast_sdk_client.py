"""Feast's own SDK, told that its online store is our service, reads what it reads from Redis itself."""

from datetime import UTC, datetime
from typing import Any

import pytest
from feast import FeatureStore, RepoConfig
from feast.errors import FeatureNameCollisionError, FeatureViewNotFoundException
from feast.infra.online_stores.remote import RemoteOnlineStore
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value as ValueProto

from .servers import OurServer, Sides
from .shop import ABSENT, EARLY, EXPIRED, FRESH, NO_VALUES, NO_VISITS
from .world import World

CUSTOMERS = [FRESH, NO_VALUES, ABSENT, EARLY, FRESH]
STORES = ["north", "süd", "nowhere", "north", "süd"]


@pytest.fixture(scope="module")
def remote(shop: Sides) -> FeatureStore:
    """A client's feature store: the shop's registry, and our service as its online store."""
    return _client(shop.world, shop.ours)


def _client(world: World, server: OurServer) -> FeatureStore:
    configuration = world.store.config
    settings: dict[str, Any] = {"registry": configuration.registry, "offline_store": {"type": "file"}}
    settings["online_store"] = {"type": "remote", "path": server.url}
    project, key_version = configuration.project, configuration.entity_key_serialization_version
    return FeatureStore(
        config=RepoConfig(project=project, provider="local", entity_key_serialization_version=key_version, **settings)
    )


def _read(store: FeatureStore, **arguments: Any) -> dict[str, list[Any]]:
    return store.get_online_features(**arguments).to_dict()


def test_features(shop: Sides, remote: FeatureStore) -> None:
    """Rows as dictionaries, nulls and absent entities among them."""
    features = ["profile:name", "till:total", "profile:age", "profile:spend", "profile:tags", "profile:active"]
    rows = [{"customer_id": customer, "store_id": store} for customer, store in zip(CUSTOMERS, STORES, strict=True)]
    answer = _read(remote, features=features, entity_rows=rows)
    assert answer == _read(shop.world.store, features=features, entity_rows=rows)
    assert list(answer) == ["customer_id", "store_id", "name", "total", "age", "spend", "tags", "active"]
    assert answer["name"] == ["Ada", None, None, None, "Ada"]


def test_a_feature_service(shop: Sides, remote: FeatureStore) -> None:
    """Columns rather than rows, and full names."""
    columns = {"customer_id": CUSTOMERS, "store_id": STORES}
    arguments = {"entity_rows": columns, "full_feature_names": True}
    answer = _read(remote, features=remote.get_feature_service("sdk"), **arguments)
    service = shop.world.store.get_feature_service("sdk")
    assert answer == _read(shop.world.store, features=service, **arguments)
    assert answer["till__total"] == [1000, 1000, None, 1000, 1000]


def test_roles(shop: Sides, remote: FeatureStore) -> None:
    """A service with renamed join keys."""
    arguments = {"entity_rows": {"buyer_id": [FRESH, ABSENT], "seller_id": [EARLY, FRESH]}, "full_feature_names": True}
    answer = _read(remote, features=remote.get_feature_service("two_roles"), **arguments)
    expected = _read(shop.world.store, features=shop.world.store.get_feature_service("two_roles"), **arguments)
    expected["buyer__extras"] = [{"1": "one"}, None]  # JSON has no integer keys, so the SDK can't get them back
    expected["seller__extras"] = [None, {"1": "one"}]
    assert answer == expected


def test_versions(shop: Sides, remote: FeatureStore) -> None:
    """References to a version, and the metadata of views."""
    arguments = {
        "features": ["tariff@v1:price", "tariff:currency"],
        "entity_rows": {"store_id": ["north"]},
        "include_feature_view_version_metadata": True,
    }
    answer, expected = (store.get_online_features(**arguments) for store in (remote, shop.world.store))
    assert answer.to_dict() == expected.to_dict() == {"store_id": ["north"], "price": [101.0], "currency": ["v2"]}
    assert answer.proto.metadata.feature_view_metadata == expected.proto.metadata.feature_view_metadata


def test_views_without_an_entity(shop: Sides, remote: FeatureStore) -> None:
    """Alone under Feast's placeholder, and beside a view that has an entity."""
    alone = {"features": ["everyone:rate"], "entity_rows": {"__dummy_id": ["", ""]}}
    assert _read(remote, **alone) == _read(shop.world.store, **alone) == {"rate": [4.5, 4.5]}
    beside = {"features": ["everyone:rate", "profile:age"], "entity_rows": {"customer_id": [FRESH, ABSENT]}}
    assert _read(remote, **beside) == _read(shop.world.store, **beside)


def test_a_value_older_than_the_ttl_is_none(remote: FeatureStore) -> None:
    """The SDK sees a null; directly from Redis it would see the old value."""
    arguments = {"features": ["visits:count"], "entity_rows": {"customer_id": [EXPIRED, FRESH]}}
    assert _read(remote, **arguments)["count"] == [None, 7]


def test_online_read(shop: Sides, remote: FeatureStore) -> None:
    """The store's lower interface: it sends the first join key only, and the first row's time counts for all rows."""
    view = shop.world.store.get_feature_view("profile")
    keys = [EntityKey(join_keys=["customer_id"], entity_values=[ValueProto(int64_val=one)]) for one in (NO_VISITS, ABSENT)]
    rows = RemoteOnlineStore().online_read(remote.config, view, keys, ["name", "age"])
    times, values = zip(*rows, strict=True)
    assert values == (
        {"name": ValueProto(string_val="Ada"), "age": ValueProto(int64_val=44)},
        {"name": ValueProto(), "age": ValueProto()},
    )
    assert all(isinstance(time, datetime) and time < datetime.now(UTC) for time in times)


def test_a_refusal_says_why(remote: FeatureStore) -> None:
    """The text of our problem document is in the SDK's error."""
    with pytest.raises(RuntimeError, match=r"404 .*Feature view profil does not exist in project shop"):
        _read(remote, features=["profil:age"], entity_rows={"customer_id": [FRESH]})


def test_a_refusal_in_feasts_form_is_feasts_exception(sides_with_feast_errors: Sides) -> None:
    """With the setting for it, the SDK raises what it would raise by itself."""
    world = sides_with_feast_errors.world
    client = _client(world, sides_with_feast_errors.ours)
    colliding = [reference for reference in world.references if reference.endswith(":score") and "@" not in reference]
    ids = world.all_ids(world.columns({"features": colliding}))
    with pytest.raises(FeatureNameCollisionError, match="Duplicate features named score found"):
        _read(client, features=colliding, entity_rows=ids)
    with pytest.raises(FeatureViewNotFoundException, match="Feature view nobody does not exist in project"):
        _read(client, features=["nobody:score"], entity_rows=ids)
