"""What of stock's answer isn't in its values: the order of keys, the type of the content, the form of each number."""

from .servers import Sides
from .shop import FRESH, NO_VISITS


def test_the_body_is_the_same_to_the_byte(shop: Sides) -> None:
    """For one feature at a time, where stock has no order to choose."""
    for feature in ("profile:age", "profile:name", "profile:spend", "profile:tags", "profile:active", "everyone:rate"):
        ids = {"__dummy_id": [""]} if feature.startswith("everyone") else {"customer_id": [FRESH, NO_VISITS, FRESH]}
        body = {"features": [feature], "entities": ids, "include_feature_view_version_metadata": True}
        stock, ours = shop.stock.read(body), shop.ours.read(body)
        assert ours.content == stock.content
        assert ours.headers["content-type"] == stock.headers["content-type"]


def test_ids_that_entity_names_stand_for(shop: Sides) -> None:
    """Feast still takes an entity's name for its join key, and answers with the join key."""
    stock, ours = shop.answers({"features": ["till:total"], "entities": {"store": ["north", "süd"]}})
    assert ours.names == stock.names == ["store_id", "total"]
    assert ours.vectors == stock.vectors


def test_versions_and_their_names(shop: Sides) -> None:
    """`view@vN:feature`, and what the answer calls it."""
    references = ["tariff:price", "tariff@latest:price", "tariff@:price", "tariff@v0:price", "tariff@v1:price"]
    for reference in [*references, "tariff@V2:price", "tariff@v1:currency", "tariff@v2:tax"]:
        for full in (False, True):
            body = {"features": [reference], "entities": {"store_id": ["north"]}, "full_feature_names": full}
            stock, ours = shop.answers({**body, "include_feature_view_version_metadata": True})
            assert (ours.names, ours.vectors, ours.view_metadata) == (stock.names, stock.vectors, stock.view_metadata)


def test_several_versions_at_once(shop: Sides) -> None:
    """Each reads its own fields; full names tell them apart."""
    features = ["tariff@v2:price", "tariff@v0:price", "tariff:price", "tariff@v1:currency"]
    body = {"features": features, "entities": {"store_id": ["north", "nowhere"]}, "full_feature_names": True}
    stock, ours = shop.answers({**body, "include_feature_view_version_metadata": True})
    assert ours.names == ["store_id", *(feature.replace(":", "__") for feature in features)]
    assert {name: ours[name].values for name in ours.names} == {name: stock[name].values for name in stock.names}
    assert ours.view_metadata == stock.view_metadata


def test_a_null_service_beside_features(shop: Sides) -> None:
    """Clients that send every field they know."""
    body = {"features": ["profile:age"], "feature_service": None, "entities": {"customer_id": [FRESH]}}
    stock, ours = shop.answers(body)
    assert (ours.names, ours.vectors) == (stock.names, stock.vectors)


def test_no_features_beside_a_service(shop: Sides) -> None:
    """An empty list is as good as none."""
    body = {"features": [], "feature_service": "sdk", "entities": {"customer_id": [FRESH], "store_id": ["north"]}}
    stock, ours = shop.answers(body)
    assert sorted(ours.names) == sorted(stock.names)
