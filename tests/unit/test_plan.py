"""The compiled shape of a request: what is read from Redis under which fields, and where it goes in the answer."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from feast.infra.online_stores.helpers import _mmh3

from service.catalog import Catalog
from service.catalog.definitions import decode_catalog, encode
from service.errors import FeatureNameCollision, InvalidRequest, UnknownName
from service.groups import hash_field
from service.plan import ReadPlan, Shape, compile_plan
from tests.http.handmade.definitions import (
    CUSTOMER,
    EVERYONE,
    PROFILE,
    STORE,
    TILL,
    VISITS,
    catalog,
    entity,
    projection,
    service,
    shop,
    view,
)

SHOP = Catalog(decode_catalog(encode(shop())))


def planned(
    features: Iterable[str] | str, *columns: str, full: bool = False, metadata: bool = False, of: Catalog = SHOP
) -> ReadPlan:
    """The plan of a request; a string names a service."""
    asked: dict[str, Any] = {"service": features} if isinstance(features, str) else {"features": tuple(features)}
    return compile_plan(of, Shape(columns=columns, full_names=full, view_metadata=metadata, **asked))


def metadata_of(plan: ReadPlan) -> dict[str, Any]:
    """What the end of the answer says."""
    parsed: dict[str, Any] = json.loads(plan.metadata)
    return parsed


def problems(features: Iterable[str] | str, *columns: str, of: Catalog = SHOP) -> dict[str, str]:
    """The messages of a request that can't be planned, by field."""
    with pytest.raises(InvalidRequest) as caught:
        planned(features, *columns, of=of)
    return {str(problem.field): problem.message for problem in caught.value.problems}


def test_fields_are_feasts() -> None:
    """murmur3 of view:feature for values, `_ts:` and the view for event times."""
    (group,) = planned(["profile:age", "visits:score", "profile:name"], "customer_id").groups
    values = [_mmh3("profile:age"), _mmh3("profile:name"), _mmh3("visits:score")]
    assert sorted(group.read.fields) == sorted([*values, b"_ts:profile", b"_ts:visits"])
    assert hash_field("visits", "score") == _mmh3("visits:score")


def test_views_of_one_entity_are_read_together() -> None:
    """One hash holds them all, so each key is asked for once."""
    plan = planned(["profile:age", "visits:score", "till:total", "profile:name"], "customer_id", "store_id", full=True)
    assert [[each.name for each in group.views] for group in plan.groups] == [["profile", "visits"], ["till"]]


def test_a_feature_asked_for_twice_is_read_once() -> None:
    """And answered twice."""
    plan = planned(["profile:age", "profile:name", "profile:age"], "customer_id")
    (group,) = plan.groups
    assert sorted(group.read.fields) == sorted([b"_ts:profile", _mmh3("profile:age"), _mmh3("profile:name")])
    assert metadata_of(plan)["feature_names"] == ["customer_id", "age", "name", "age"]


@pytest.mark.parametrize("columns", [("customer_id", "store_id"), ("store_id", "customer_id")])
def test_columns_are_echoed_in_the_order_of_the_request(columns: tuple[str, str]) -> None:
    """Whatever order the key wants them in."""
    plan = planned(["visits_at:minutes"], *columns)
    assert plan.echoed == columns
    assert metadata_of(plan)["feature_names"] == [*columns, "minutes"]


def test_a_renamed_join_key_has_its_own_column() -> None:
    """Two roles of one view: two columns, two reads, one name each."""
    plan = planned("roles", "buyer_id", "customer_id", full=True)
    assert metadata_of(plan)["feature_names"] == ["buyer_id", "customer_id", "buyer__age", "profile__age"]
    assert [(column, join_key.name) for column, join_key in plan.join_keys] == [
        ("buyer_id", "customer_id"),
        ("customer_id", "customer_id"),
    ]
    assert len(plan.groups) == 2


def test_two_roles_in_one_column_are_read_once() -> None:
    """The same ids, the same hash."""
    to_seller = {"customer_id": "person_id"}
    both = service(
        "both",
        projection("profile", "age", alias="buyer", join_key_map=to_seller),
        projection("profile", "age", alias="seller", join_key_map=to_seller),
    )
    plan = planned("both", "person_id", full=True, of=catalog(PROFILE, services=[both]))
    (group,) = plan.groups
    assert sorted(group.read.fields) == sorted([b"_ts:profile", _mmh3("profile:age")])
    assert metadata_of(plan)["feature_names"] == ["person_id", "buyer__age", "seller__age"]


def test_the_entitys_name_stands_for_its_join_key() -> None:
    """Deprecated in Feast, and answered under the join key's name."""
    plan = planned(["till:total"], "store")
    assert plan.echoed == ("store",)
    assert metadata_of(plan)["feature_names"] == ["store_id", "total"]


def test_the_join_key_goes_before_the_entitys_name() -> None:
    """Given both, the entity's name is one column too many."""
    assert list(problems(["till:total"], "store", "store_id")) == ["entities.store"]


@pytest.mark.parametrize("columns", [(), ("__dummy_id",), ("__dummy",)])
def test_views_without_an_entity_need_no_column(columns: tuple[str, ...]) -> None:
    """Feast's placeholder may be given, for the number of rows; it isn't echoed."""
    plan = planned(["everyone:rate"], *columns)
    (group,) = plan.groups
    assert (plan.echoed, group.inputs, plan.join_keys) == ((), (), ())
    assert metadata_of(plan)["feature_names"] == ["rate"]


def test_views_without_an_entity_go_with_others() -> None:
    """As many rows as the other views have."""
    plan = planned(["everyone:rate", "profile:age"], "customer_id")
    assert metadata_of(plan)["feature_names"] == ["customer_id", "rate", "age"]


def test_the_placeholder_is_for_views_without_an_entity_only() -> None:
    """Elsewhere it is a column that nothing needs."""
    assert list(problems(["profile:age"], "customer_id", "__dummy_id")) == ["entities.__dummy_id"]


def test_a_missing_column_is_told_with_the_views_that_need_it() -> None:
    """Each view once."""
    said = problems(["till:total", "visits_at:minutes", "till:score"], "customer_id")
    assert said == {"entities.store_id": "Join key store_id is missing: till, visits_at can't be read without it."}


def test_a_column_that_nothing_needs_is_told_with_what_is_needed() -> None:
    """Stock ignores it, and with it a typing mistake."""
    (message,) = problems(["profile:age"], "customer_id", "store_id").values()
    assert message == "No requested feature view needs store_id; needed are customer_id."


def test_a_mistyped_column_is_told_as_both() -> None:
    """What is missing, and what was probably meant."""
    said = problems(["profile:age"], "customer_ids")
    assert "Join key customer_id is missing" in said["entities.customer_id"]
    assert "Did you mean customer_id?" in said["entities.customer_ids"]


def test_no_columns_for_views_that_need_some() -> None:
    """All of them are named."""
    assert set(problems(["visits_at:minutes"])) == {"entities.customer_id", "entities.store_id"}


def test_columns_for_views_that_need_none() -> None:
    """It says so."""
    assert "none is needed" in problems(["everyone:rate"], "customer_id")["entities.customer_id"]


@pytest.mark.parametrize("value_type", ["DOUBLE", "UUID", "BOOL"])
def test_a_join_key_that_feast_cannot_store_is_told(value_type: str) -> None:
    """Rather than never found."""
    odd = catalog(view("odd", {"a": "INT64"}, [entity("odd_id", value_type)]))
    said = problems(["odd:a"], "odd_id", of=odd)["entities.odd_id"]
    assert value_type in said


def test_one_join_key_of_two_types_is_encoded_as_each_view_has_it() -> None:
    """Two views may disagree on the type of a join key; a request's ids must then be right for both."""
    numbers, texts = view("numbers", {"a": "INT64"}), view("texts", {"b": "INT64"}, [entity("customer_id", "STRING")])
    plan = planned(["numbers:a", "texts:b"], "customer_id", of=catalog(numbers, texts))
    assert [(column, join_key.value_type) for column, join_key in plan.join_keys] == [
        ("customer_id", "INT64"),
        ("customer_id", "STRING"),
    ]
    assert len(plan.groups) == 2


def test_metadata_names_each_view_once_with_its_version() -> None:
    """The version is left out where it is 0; the first of several versions is told, as Feast does."""
    plan = planned(["tariff@v1:price", "till:total", "tariff@v0:price"], "store_id", full=True, metadata=True)
    assert metadata_of(plan)["feature_view_metadata"] == [{"name": "tariff", "version": 1}, {"name": "till"}]


def test_metadata_is_left_out_unless_asked_for() -> None:
    """As stock does."""
    assert "feature_view_metadata" not in metadata_of(planned(["profile:age"], "customer_id"))


def test_the_ttl_goes_with_the_view() -> None:
    """In nanoseconds; 0 is for ever."""
    (group,) = planned(["profile:age", "visits:score"], "customer_id").groups
    assert {each.name: each.ttl for each in group.views} == {"profile": 0, "visits": 86_400 * 10**9}


def test_versions_are_read_under_their_own_names() -> None:
    """Fields and event times of v1 aren't those of v2."""
    (group,) = planned(["tariff@v1:price", "tariff@v2:price"], "store_id", full=True).groups
    assert set(group.read.fields) == {
        b"_ts:tariff_v1",
        _mmh3("tariff_v1:price"),
        b"_ts:tariff_v2",
        _mmh3("tariff_v2:price"),
    }


@pytest.mark.parametrize(
    ("features", "error"),
    [
        (["nope:x"], UnknownName),
        (["visits:score", "till:score"], FeatureNameCollision),
        (["derived:ratio"], InvalidRequest),
        ("nope", UnknownName),
    ],
)
def test_names_are_looked_at_before_columns(features: Any, error: type[Exception]) -> None:
    """What is read decides which columns are needed."""
    with pytest.raises(error):
        planned(features, "no_such_column")


def test_a_snapshot_keeps_plans_within_bounds() -> None:
    """Requests of ever new shapes don't fill the memory, and a giant shape doesn't push the others out."""
    snapshot = catalog(PROFILE, VISITS, TILL, EVERYONE)
    plan = planned(["profile:age"], "customer_id", of=snapshot)
    for number in range(200_000):
        snapshot.keep_plan(("shape", number), plan, 1, 1000)
    assert 0 < len(snapshot.plans) < 50_000
    kept = len(snapshot.plans)
    snapshot.keep_plan("giant", plan, 5000, 4 * 1024 * 1024)
    assert "giant" not in snapshot.plans
    assert len(snapshot.plans) == kept


def test_entities_named_alike_in_views_are_one_column() -> None:
    """The same join key in several views is asked for, checked and encoded once."""
    plan = planned(["profile:age", "visits:count", "visits_at:minutes"], "customer_id", "store_id")
    assert [column for column, _ in plan.join_keys] == ["customer_id", "store_id"]
    assert {CUSTOMER.join_key, STORE.join_key} == set(plan.echoed)
