"""Feature references and services: what each name selects, and what is said of names that select nothing."""

from typing import Any

import pytest
from feast.errors import FeatureNameCollisionError
from feast.utils import _parse_feature_ref
from hypothesis import given
from hypothesis import strategies as st

from service.catalog import Catalog, nearest
from service.catalog.definitions import decode_catalog, encode
from service.errors import (
    MAX_PROBLEMS,
    FeatureNameCollision,
    FeatureServiceError,
    InvalidRequest,
    UnknownName,
)
from service.references import check_collisions, select_features, select_service
from tests.http.handmade.definitions import PROFILE, TARIFF, catalog, projection, service, shop, view
from tests.http.handmade.examples import examples

SHOP = Catalog(decode_catalog(encode(shop())))


def names(references: list[str], full: bool = False, of: Catalog = SHOP) -> list[str]:
    """What the selected features are called in the answer."""
    return [selection.output_name(full) for selection in select_features(of, references)]


def refused(error: type[FeatureServiceError], *references: str, of: Catalog = SHOP) -> Any:
    """The error that references lead to, of exactly this class."""
    with pytest.raises(FeatureServiceError) as caught:
        select_features(of, references)
    assert type(caught.value) is error
    return caught.value


def test_features_come_in_the_order_of_the_request() -> None:
    """Whatever views they are of, and as often as they are asked for."""
    references = ["visits:score", "profile:name", "visits:count", "profile:age", "profile:name"]
    assert names(references) == ["score", "name", "count", "age", "name"]
    assert names(references, full=True) == [reference.replace(":", "__") for reference in references]


@pytest.mark.parametrize(
    ("reference", "store_name", "full_name"),
    [
        ("tariff:price", "tariff_v2", "tariff__price"),
        ("tariff@latest:price", "tariff_v2", "tariff__price"),
        ("tariff@LATEST:price", "tariff_v2", "tariff__price"),
        ("tariff@:price", "tariff_v2", "tariff__price"),
        ("tariff@v0:price", "tariff", "tariff@v0__price"),
        ("tariff@v1:price", "tariff_v1", "tariff@v1__price"),
        ("tariff@V1:price", "tariff_v1", "tariff@v1__price"),
        ("tariff@v2:price", "tariff_v2", "tariff@v2__price"),
    ],
)
def test_a_version_selects_its_own_rows(reference: str, store_name: str, full_name: str) -> None:
    """Each version is kept under a name of its own in Redis; without one the current version is meant."""
    (selection,) = select_features(SHOP, [reference])
    assert selection.view.store_name == store_name
    assert selection.output_name(full=True) == full_name
    assert selection.output_name(full=False) == "price"
    assert selection.view_name == "tariff"


@examples(200)
@given(
    view_part=st.sampled_from(["v", "a b", "väw"]),
    version=st.sampled_from(["", "@", "@latest", "@Latest", "@v3", "@V12", "@v007", "@x", "@v", "@v1x", "@v1@v2", "@ v1"]),
    feature=st.sampled_from(["f", "f:g", "f@v1", " f"]),
)
def test_references_are_parsed_as_feast_parses_them(view_part: str, version: str, feature: str) -> None:
    """A catalog that has just the view and feature that Feast reads out of a reference finds it."""
    reference = f"{view_part}{version}:{feature}"
    name, number, feature_name = _parse_feature_ref(reference)
    meant = view(name, {feature_name: "INT64"}, version=number or 0)
    where = name if number is None else f"{name}@v{number}"
    found = select_features(catalog(versions={where: meant}, versioning=True), [reference])
    assert [(selection.view.name, selection.feature.name) for selection in found] == [(name, feature_name)]


@pytest.mark.parametrize("reference", ["profile", "", ":", ":age", "profile:", "profile.age", "profile__age"])
def test_what_is_no_reference_is_told_how_one_looks(reference: str) -> None:
    """With its place in the list."""
    error = refused(InvalidRequest, "profile:age", reference)
    (problem,) = error.problems
    assert problem.field == "features[1]"
    assert '"view:feature"' in problem.message
    assert f'"{reference}"' in problem.message


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("profle:age", "Feature view profle does not exist in project shop. Did you mean profile?"),
        ("profile:agee", "Feature view profile has no feature agee. Did you mean age?"),
        ("qqq:age", "Feature view qqq does not exist in project shop."),
        ("profile:qqq", "Feature view profile has no feature qqq."),
        ("tariff@v9:price", "Version v9 of feature view tariff does not exist in project shop. There are v0, v1, v2."),
        ("tariff@v0:tax", "Feature view tariff@v0 has no feature tax."),
        ("tarif@v1:price", "Feature view tarif does not exist in project shop. Did you mean tariff?"),
        ("profile@v1:age", "Version v1 of feature view profile does not exist in project shop."),
        ("shopper:age", "Feature view shopper does not exist in project shop."),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest(reference: str, said: str) -> None:
    """Or without, when nothing is near."""
    (problem,) = refused(UnknownName, reference).problems
    assert problem.field == "features[0]"
    assert problem.message.startswith(said)


def test_all_that_is_wrong_is_told_at_once() -> None:
    """A caller mends it in one go; one bad reference makes it a 422, whatever else is unknown."""
    error = refused(InvalidRequest, "nope:x", "bad", "profile:age", "profile:nope")
    assert {problem.field for problem in error.problems} == {"features[0]", "features[1]", "features[3]"}


def test_the_telling_ends_somewhere() -> None:
    """Five thousand unknown names aren't looked up one after another."""
    error = refused(UnknownName, *(f"view_{number}:x" for number in range(5000)))
    assert len(error.problems) == MAX_PROBLEMS


@pytest.mark.parametrize("reference", ["{}", "{}:age", "profile:{}", "{}@v1:x", "tariff@v{}:price"])
def test_a_very_long_name_is_not_repeated(reference: str) -> None:
    """A message is for reading."""
    with pytest.raises(InvalidRequest) as caught:
        select_features(SHOP, [reference.format("1" * 100_000)])
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("version", ["v" + "9" * 5000, "v٢", "v²"])
def test_a_version_that_no_registry_has_is_unknown(version: str) -> None:
    """Numbers of thousands of digits, and digits of other scripts."""
    refused(UnknownName, f"tariff@{version}:price")


def test_versions_must_be_switched_on() -> None:
    """Without it Redis holds only one row for all versions. Feast's words."""
    one = catalog(TARIFF, versions={"tariff@v1": TARIFF})
    (problem,) = refused(InvalidRequest, "tariff@v1:price", of=one).problems
    assert "'tariff@v1' not supported" in problem.message
    assert "enable_online_feature_view_versioning: true" in problem.message
    assert names(["tariff:price", "tariff@latest:tax"], of=one) == ["price", "tax"]


def test_a_view_that_cannot_be_served_says_why() -> None:
    """The registry's reason, and what to do."""
    (problem,) = refused(InvalidRequest, "disabled:x").problems
    assert "feast feature-views enable disabled" in problem.message


def test_an_on_demand_view_whose_function_is_not_known_is_refused() -> None:
    """As one that is disabled is."""
    (problem,) = refused(InvalidRequest, "profile:age", "derived:ratio").problems
    assert (problem.field, "derived isn't known" in problem.message) == ("features[1]", True)


def test_a_service_has_the_order_of_its_projections() -> None:
    """And of the features in each."""
    assert [each.output_name(full=False) for each in select_service(SHOP, "shopper")] == ["name", "age", "score", "count"]


def test_a_service_may_give_a_view_other_names() -> None:
    """An alias is the view's name in the answer; the join-key map says which column its ids come from."""
    buyer, plain = select_service(SHOP, "roles")
    assert (buyer.output_name(full=True), plain.output_name(full=True)) == ("buyer__age", "profile__age")
    assert (buyer.view.store_name, buyer.view_name) == ("profile", "buyer")
    assert (buyer.join_key_map, plain.join_key_map) == ({"customer_id": "buyer_id"}, {})


def test_a_service_may_pin_a_version() -> None:
    """As a reference does."""
    (price,) = select_service(SHOP, "old_prices")
    assert (price.view.store_name, price.output_name(full=True)) == ("tariff_v1", "tariff@v1__price")


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("shoper", UnknownName, "Feature service shoper does not exist in project shop. Did you mean shopper?"),
        ("qqq", UnknownName, "Feature service qqq does not exist in project shop."),
        ("profile", UnknownName, "Feature service profile does not exist in project shop."),
        ("broken", UnknownName, "Feature view gone does not exist"),
        ("with_derived", InvalidRequest, "derived"),
    ],
)
def test_a_service_that_cannot_be_read_says_why(name: str, error: type[FeatureServiceError], said: str) -> None:
    """Unknown, or of views that are."""
    with pytest.raises(error) as caught:
        select_service(SHOP, name)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("references", "full", "collide"),
    [
        (["visits:score", "till:score"], False, ["visits:score"]),
        (["visits:score", "till:score"], True, []),
        (["visits:score", "visits:score"], False, []),
        (["visits:score", "visits:score"], True, []),
        (["tariff@v0:price", "tariff@v1:price"], False, ["tariff:price"]),
        (["tariff@v0:price", "tariff@v1:price"], True, []),
        (["tariff:price", "tariff@v2:price"], False, ["tariff:price"]),
        (["tariff@latest:price", "tariff:price"], False, []),
    ],
)
def test_equal_names_of_different_features_collide(references: list[str], full: bool, collide: list[str]) -> None:
    """In Feast's words; the same feature twice is no collision."""
    selections = select_features(SHOP, references)
    if not collide:
        check_collisions(selections, full)
        return
    with pytest.raises(FeatureNameCollision) as caught:
        check_collisions(selections, full)
    assert str(caught.value) == str(FeatureNameCollisionError(collide, full))


def test_full_names_may_collide_too() -> None:
    """Two roles of one view under one name."""
    twice = service("twice", projection("profile", "age"), projection("other", "age", alias="profile"))
    both = catalog(PROFILE, view("other", {"age": "INT64"}), services=[twice])
    with pytest.raises(FeatureNameCollision) as caught:
        check_collisions(select_service(both, "twice"), full=True)
    assert str(caught.value) == str(FeatureNameCollisionError(["profile:age"], full_feature_names=True))


def test_several_collisions_are_all_named() -> None:
    """Feast's text joins them by commas."""
    one = view("one", {"a": "INT64", "b": "INT64"})
    two = view("two", {"a": "INT64", "b": "INT64"})
    with pytest.raises(FeatureNameCollision) as caught:
        check_collisions(select_features(catalog(one, two), ["one:a", "one:b", "two:a", "two:b"]), full=False)
    assert "Duplicate features named a, b found." in str(caught.value)


def test_suggestions_are_few_and_the_best_comes_first() -> None:
    """Three at most."""
    views = [f"customer_stats_{number}d" for number in (1, 7, 30, 90)] + ["orders"]
    assert nearest("customer_stats_7", views)[0] == "customer_stats_7d"
    assert len(nearest("customer_stats", views)) == 3
    assert nearest("zzz", views) == []
