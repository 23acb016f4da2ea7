"""Definitions on their way between processes: whole, small, and always in the same bytes."""

import random
from typing import Any

import msgspec
import pytest

from service.catalog import Catalog
from service.catalog.definitions import (
    ON_DEMAND,
    CatalogDefinition,
    ComputationDefinition,
    decode_catalog,
    decode_service,
    decode_view,
    encode,
)
from tests.http.handmade.definitions import PROFILE, SERVICES, VISITS, catalog, definition, shop, view


def shuffled(original: CatalogDefinition, seed: int) -> CatalogDefinition:
    """The same definitions, read in another order."""
    rng = random.Random(seed)

    def mixed(items: dict[str, Any]) -> dict[str, Any]:
        return dict(rng.sample(list(items.items()), len(items)))

    return msgspec.structs.replace(
        original,
        views=mixed(original.views),
        services=mixed(original.services),
        entities=mixed(original.entities),
        push_sources=mixed(original.push_sources),
    )


@pytest.mark.parametrize("seed", range(5))
def test_the_same_definitions_give_the_same_bytes(seed: int) -> None:
    """Whatever order a registry lists them in: so a worker isn't told of a change that is none."""
    assert encode(shuffled(shop(), seed)) == encode(shop())


def test_tags_in_another_order_are_the_same_view() -> None:
    """They are a mapping too."""
    one = view("v", {"a": "INT64"}, tags={"team": "web", "tier": "1"})
    two = view("v", {"a": "INT64"}, tags={"tier": "1", "team": "web"})
    assert encode(one) == encode(two)


@pytest.mark.parametrize(
    "change",
    [
        {"features": list(reversed(PROFILE.features))},
        {"features": PROFILE.features[:-1]},
        {"ttl_nanoseconds": 1},
        {"store_name": "profile_v1"},
        {"tags": {"team": "web"}},
        {"unservable": "disabled"},
        {"description": "Who they are."},
        {"entities": []},
    ],
)
def test_a_change_changes_the_bytes(change: dict[str, Any]) -> None:
    """Order of features included: it is theirs in services and in the catalog."""
    changed = msgspec.structs.replace(PROFILE, **change)
    assert encode(definition(changed)) != encode(definition(PROFILE))


def test_a_catalog_comes_through_whole() -> None:
    """Encoded, decoded, and encoded again."""
    sent = shop()
    received = decode_catalog(encode(sent))
    assert encode(received) == encode(sent)
    assert decode_view(received.views["profile"]) == PROFILE
    assert decode_view(received.views["visits"]) == VISITS
    assert decode_service(received.services["shopper"]) == SERVICES[0]
    assert received.push_sources == sent.push_sources


def test_a_catalog_knows_its_views_services_and_versions() -> None:
    """And says None of what it doesn't know."""
    known = Catalog(decode_catalog(encode(shop())))
    assert known.view("profile") == PROFILE
    assert known.view("profile") is known.view("profile")
    tariff = known.view("tariff@v1")
    assert tariff is not None
    assert tariff.store_name == "tariff_v1"
    assert known.service("shopper") == SERVICES[0]
    assert known.view("shopper") is None
    assert known.service("profile") is None
    assert known.project == "shop"


def test_a_large_catalog_is_taken_over_without_its_views() -> None:
    """A thousand views stay bytes until somebody asks for one."""
    views = [view(f"view_{number}", {f"feature_{other}": "INT64" for other in range(50)}) for number in range(1000)]
    large = catalog(*views)
    assert large._views == {}
    asked = large.view("view_500")
    assert asked is not None
    assert list(large._views) == ["view_500"]


def test_features_of_on_demand_views_are_computed() -> None:
    """Unless they were when they were written; of another kind of view they never are."""
    reading = ComputationDefinition("python", "f", b"", [])
    writing = msgspec.structs.replace(reading, on_write=True)
    kinds = ["feature_view", "stream_feature_view", "label_view"]
    assert [view("v", {}, kind=kind).computed for kind in kinds] == [False, False, False]
    computed = [view("v", {}, kind=ON_DEMAND, computation=computation).computed for computation in (reading, writing, None)]
    assert computed == [True, False, False]


def test_an_on_demand_view_of_which_nothing_is_known_is_refused() -> None:
    """With what to do; one that can be computed isn't."""
    assert "run feast apply" in view("v", {}, kind=ON_DEMAND).refusal
    assert view("v", {}, kind=ON_DEMAND, computation=ComputationDefinition("python", "f", b"", [])).refusal == ""


def test_definitions_of_a_newer_process_are_read_by_an_older_one() -> None:
    """Fields that it doesn't know are passed over, and those that are missing have their defaults."""
    sent = msgspec.msgpack.decode(encode(PROFILE))
    del sent["tags"]
    received = decode_view(msgspec.Raw(msgspec.msgpack.encode({**sent, "novelty": 1})))
    assert received == PROFILE
