"""Where stock is wrong, what we answer instead. Each test is a row of the table in docs or of its like."""

from typing import Any

import httpx
import pytest

from .compare import EPOCH_TEXT, Vector, collision
from .servers import Sides
from .shop import ABSENT, EARLY, EXPIRED, FRESH, IN_9999, NO_VALUES, NO_VISITS


def _ask(shop: Sides, features: list[str], entities: dict[str, list[Any]], **options: Any) -> list[Vector]:
    """Our vectors of the features, without those of the entity columns."""
    return shop.answer({"features": features, "entities": entities, **options}).vectors[-len(features) :]


def test_an_absent_entity_is_not_found(shop: Sides) -> None:
    """Stock: PRESENT."""
    vectors = _ask(shop, ["profile:age", "visits:count"], {"customer_id": [ABSENT]})
    assert vectors == [Vector([None], ["NOT_FOUND"], [EPOCH_TEXT])] * 2


def test_an_entity_that_only_another_view_knows_is_not_found(shop: Sides) -> None:
    """Its hash is there, the view's part of it isn't. Stock: PRESENT."""
    age, count = _ask(shop, ["profile:age", "visits:count"], {"customer_id": [NO_VISITS]})
    assert (age.values, age.statuses) == ([44], ["PRESENT"])
    assert count == Vector([None], ["NOT_FOUND"], [EPOCH_TEXT])


def test_a_value_older_than_the_ttl_is_null(shop: Sides) -> None:
    """With the status and the time that say why. Stock: the value, PRESENT."""
    stock, _ = shop.answers({"features": ["visits:count"], "entities": {"customer_id": [EXPIRED]}})
    (count,) = _ask(shop, ["visits:count"], {"customer_id": [EXPIRED]})
    assert stock["count"].values == [7]
    assert count == Vector([None], ["OUTSIDE_MAX_AGE"], stock["count"].event_timestamps)


def test_a_ttl_is_for_its_view_alone(shop: Sides) -> None:
    """The same entity's row in a view without a ttl stays."""
    age, count = _ask(shop, ["profile:age", "visits:count"], {"customer_id": [EXPIRED]})
    assert (age.statuses, count.statuses) == (["PRESENT"], ["OUTSIDE_MAX_AGE"])


def test_a_null_that_is_too_old_is_outside_max_age(shop: Sides) -> None:
    """Age is a property of the row."""
    (score,) = _ask(shop, ["visits:score"], {"customer_id": [EXPIRED]})
    assert (score.values, score.statuses) == ([None], ["OUTSIDE_MAX_AGE"])


def test_a_null_is_a_null_value(shop: Sides) -> None:
    """Of every type, and with the time of its row. Stock: PRESENT."""
    features = ["age", "name", "spend", "tags", "extras", "active"]
    entities = {"customer_id": [NO_VALUES]}
    stock, _ = shop.answers({"features": [f"profile:{name}" for name in features], "entities": entities})
    for name, vector in zip(features, _ask(shop, [f"profile:{name}" for name in features], entities), strict=True):
        assert vector == Vector([None], ["NULL_VALUE"], stock[name].event_timestamps)


def test_a_feature_that_was_never_written_is_not_found(shop: Sides) -> None:
    """The row is there, from before the view had this feature. Stock: PRESENT."""
    age, name = _ask(shop, ["profile:age", "profile:name"], {"customer_id": [EARLY]})
    assert (age.values, age.statuses) == ([45], ["PRESENT"])
    assert (name.values, name.statuses, name.event_timestamps) == ([None], ["NOT_FOUND"], age.event_timestamps)


def test_each_row_has_its_own_status(shop: Sides) -> None:
    """In the order of the request, for repeated ids too."""
    customers = [ABSENT, FRESH, NO_VALUES, EXPIRED, FRESH, NO_VISITS]
    (count,) = _ask(shop, ["visits:count"], {"customer_id": customers})
    assert count.values == [None, 7, None, None, 7, None]
    assert count.statuses == ["NOT_FOUND", "PRESENT", "NULL_VALUE", "OUTSIDE_MAX_AGE", "PRESENT", "NOT_FOUND"]


def test_features_are_in_the_order_of_the_request(shop: Sides) -> None:
    """Views interleaved, entity columns first and in the request's order. Stock: by view, then any order."""
    features = ["visits:count", "profile:name", "visits_at:minutes", "profile:age", "visits:score"]
    for columns in (["customer_id", "store_id"], ["store_id", "customer_id"]):
        ids = {"customer_id": [FRESH], "store_id": ["north"]}
        body = {"features": features, "entities": {name: ids[name] for name in columns}}
        answer = shop.answer(body)
        assert answer.names == [*columns, "count", "name", "minutes", "age", "score"]
        values = [vector.values[0] for vector in answer.vectors]
        assert values == [*(ids[name][0] for name in columns), 7, "Ada", 90, 41, 0.5]


def test_a_service_has_the_order_of_its_projections(shop: Sides) -> None:
    """Stock: any order."""
    answer = shop.answer({"feature_service": "shopper", "entities": {"customer_id": [FRESH]}})
    assert answer.names == ["customer_id", "name", "age", "count", "score"]


@pytest.mark.parametrize("full", [False, True])
def test_a_feature_that_is_asked_for_twice_comes_twice(shop: Sides, full: bool) -> None:
    """Stock: FeatureNameCollisionError."""
    body = {
        "features": ["profile:age", "profile:name", "profile:age"],
        "entities": {"customer_id": [FRESH]},
        "full_feature_names": full,
    }
    answer = shop.answer(body)
    prefix = "profile__" if full else ""
    assert answer.names == ["customer_id", f"{prefix}age", f"{prefix}name", f"{prefix}age"]
    assert [vector.values[0] for vector in answer.vectors] == [FRESH, 41, "Ada", 41]


def test_equal_names_of_two_views_collide(shop: Sides) -> None:
    """422 in Feast's words. Stock: the words, with 500."""
    body: dict[str, Any] = {
        "features": ["visits:score", "till:score"],
        "entities": {"customer_id": [FRESH], "store_id": ["north"]},
    }
    response = shop.ours.read(body)
    assert response.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert collision(response) == collision(shop.stock.read(body)) == {"score"}
    body["full_feature_names"] = True
    assert shop.answer(body).names == ["customer_id", "store_id", "visits__score", "till__score"]


def test_one_view_plain_and_in_a_role(shop: Sides) -> None:
    """Stock can't compare the two projections: 500."""
    body = {
        "feature_service": "plain_and_role",
        "entities": {"customer_id": [FRESH, NO_VISITS], "buyer_id": [NO_VISITS, ABSENT]},
        "full_feature_names": True,
    }
    answer = shop.answer(body)
    assert answer.names == ["customer_id", "buyer_id", "profile__age", "buyer__age"]
    assert answer["profile__age"].values == [41, 44]
    assert answer["buyer__age"].values == [44, None]


@pytest.mark.parametrize("columns", [["customer_id", "buyer_id"], ["buyer_id", "customer_id"]])
def test_a_renamed_join_key_is_read_from_its_own_column(shop: Sides, columns: list[str]) -> None:
    """Whichever comes first. Stock: from the last column that could be meant."""
    ids = {"customer_id": [FRESH], "buyer_id": [EARLY]}
    body = {"feature_service": "own_key_and_role", "entities": {name: ids[name] for name in columns}}
    answer = shop.answer(body)
    assert answer.names == [*columns, "count", "score", "age"]
    assert (answer["count"].values, answer["age"].values) == ([7], [45])


def test_a_renamed_join_key_is_not_guessed(shop: Sides) -> None:
    """Its column is missing, and the one with the join key's own name means another role. Stock: reads that one."""
    response = shop.ours.read({"feature_service": "own_key_and_role", "entities": {"customer_id": [FRESH]}})
    assert response.status_code == httpx.codes.UNPROCESSABLE_ENTITY, response.text
    assert "buyer_id" in response.text


def test_a_part_of_a_composite_key_is_not_enough(shop: Sides) -> None:
    """422 naming what is missing. Stock: nulls."""
    response = shop.ours.read({"features": ["visits_at:minutes"], "entities": {"customer_id": [FRESH]}})
    assert response.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert "store_id" in response.text


def test_a_service_reads_the_current_version(shop: Sides) -> None:
    """A projection without a version means the view as it is. Stock: reads the first version's fields."""
    body = {
        "feature_service": "tariff_now",
        "entities": {"store_id": ["north"]},
        "include_feature_view_version_metadata": True,
    }
    answer = shop.answer(body)
    assert {name: answer[name].values for name in answer.names} == {
        "store_id": ["north"],
        "price": [102.0],
        "currency": ["v2"],
        "tax": [0.5],
    }
    assert answer.view_metadata == [{"name": "tariff", "version": 2}]


def test_a_service_tells_the_version_that_it_pins(shop: Sides) -> None:
    """In the metadata and in full names. Stock: only in full names."""
    body = {
        "feature_service": "tariff_v1",
        "entities": {"store_id": ["north"]},
        "full_feature_names": True,
        "include_feature_view_version_metadata": True,
    }
    answer = shop.answer(body)
    assert answer.names == ["store_id", "tariff@v1__price", "tariff@v1__currency"]
    assert [vector.values for vector in answer.vectors] == [["north"], [101.0], ["v1"]]
    assert answer.view_metadata == [{"name": "tariff", "version": 1}]


def test_a_map_with_other_keys_than_strings_is_an_object(shop: Sides) -> None:
    """Stock: null, "not yet supported"."""
    (extras,) = _ask(shop, ["profile:extras"], {"customer_id": [FRESH]})
    assert (extras.values, extras.statuses) == ([{"1": "one"}], ["PRESENT"])


def test_ids_of_bytes_are_base64(shop: Sides) -> None:
    """As bytes are in answers. Stock: 500, since JSON has no bytes."""
    answer = shop.answer({"features": ["door:opened"], "entities": {"badge_id": ["AP9C", "AP9D"]}})
    assert answer["badge_id"].values == ["AP9C", "AP9D"]
    assert (answer["opened"].values, answer["opened"].statuses) == ([3, None], ["PRESENT", "NOT_FOUND"])


def test_views_without_an_entity_need_no_columns(shop: Sides) -> None:
    """One row. Stock: 500, "pop from an empty set"."""
    (rate,) = _ask(shop, ["everyone:rate"], {})
    assert (rate.values, rate.statuses) == ([4.5], ["PRESENT"])


def test_the_last_moment_there_is(shop: Sides) -> None:
    """Exact to the microsecond. Stock: a float rounds it into the year 10000, 500."""
    (age,) = _ask(shop, ["profile:age"], {"customer_id": [IN_9999]})
    assert (age.values, age.event_timestamps) == ([46], ["9999-12-31T23:59:59.999999Z"])


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"features": ["profile:agee"]}, 404),
        ({"features": ["profil:age"]}, 404),
        ({"features": ["profile"]}, 422),
        ({"features": []}, 422),
        ({"entities": {"customer_id": []}}, 422),
        ({"entities": {}}, 422),
        ({"entities": {"customer_id": [1, 2], "store_id": ["north"]}}, 422),
        ({"entities": {"customer_id": [None]}}, 422),
        ({"entities": {"customer_id": ["1"]}}, 422),
        ({"entities": {"customer_id": [1.5]}}, 422),
        ({"entities": {"customer_id": [True]}}, 422),
        ({"entities": {"customer_id": [2**63]}}, 422),
    ],
    ids=str,
)
def test_a_bad_request_is_told_so(shop: Sides, change: dict[str, Any], status: int) -> None:
    """Stock: 500, or an answer for another id than the one that was asked for."""
    body = {"features": ["profile:age"], "entities": {"customer_id": [FRESH]}, **change}
    assert shop.ours.read(body).status_code == status
