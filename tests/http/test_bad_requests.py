"""Requests that can't be answered: each gets a 4xx that says what, where, and what would be right, in both forms."""

import json
from collections.abc import Iterator
from typing import Any

import feast.errors
import httpx
import pytest
from feast.errors import FeastError

from .conftest import ABSENT, FRESH
from .handmade.running import Running, running

GOOD: dict[str, Any] = {"features": ["profile:age"], "entities": {"customer_id": [FRESH]}}
LEAVE_OUT = object()

# What is changed in a good body; the status; the field and row that are named; what is said besides.
Case = tuple[dict[str, Any], int, str | None, int | None, str]
CASES: dict[str, Case] = {
    # the body's fields
    "unknown field": ({"feature": []}, 422, "feature", None, "Did you mean features?"),
    "no entities": ({"entities": LEAVE_OUT}, 422, "entities", None, "missing"),
    "entities of the wrong kind": ({"entities": [1]}, 422, "entities", None, "an object of columns"),
    "column of the wrong kind": ({"entities": {"customer_id": 1}}, 422, "entities.customer_id", None, "a list of ids"),
    "column in an object": ({"entities": {"customer_id": {"val": [1]}}}, 422, "entities.customer_id", None, "a list of ids"),
    "features of the wrong kind": ({"features": "profile:age"}, 422, "features", None, 'a list of "view:feature"'),
    "feature of the wrong kind": ({"features": ["profile:age", 7]}, 422, "features[1]", None, "not the number 7"),
    "flag of the wrong kind": ({"full_feature_names": "yes"}, 422, "full_feature_names", None, "true or false"),
    "service of the wrong kind": ({"feature_service": 7}, 422, "feature_service", None, "a string"),
    "no features": ({"features": LEAVE_OUT}, 422, "features", None, 'a list of "view:feature"'),
    "empty features": ({"features": []}, 422, "features", None, "or feature_service"),
    "both": ({"feature_service": "shopper"}, 422, "feature_service", None, "either features or feature_service"),
    # names
    "unknown view": ({"features": ["profle:age"]}, 404, "features[0]", None, "Did you mean profile?"),
    "unknown feature": ({"features": ["profile:age", "profile:agee"]}, 404, "features[1]", None, "Did you mean age?"),
    "unknown version": ({"features": ["tariff@v7:price"]}, 404, "features[0]", None, "There are v0, v1, v2"),
    "unknown service": ({"features": [], "feature_service": "shoper"}, 404, "feature_service", None, "Did you mean shopper?"),
    "no reference": ({"features": ["profile.age"]}, 422, "features[0]", None, '"view:feature"'),
    "disabled view": ({"features": ["disabled:x"]}, 422, "features[0]", None, "feast feature-views enable disabled"),
    "colliding names": (
        {"features": ["visits:score", "till:score"], "entities": {"customer_id": [1], "store_id": ["north"]}},
        422,
        "features",
        None,
        "full_feature_names=True",
    ),
    # columns
    "missing column": ({"entities": {}}, 422, "entities.customer_id", None, "profile can't be read without it"),
    "part of a composite key": ({"features": ["visits_at:minutes"]}, 422, "entities.store_id", None, "store_id is missing"),
    "column that nothing needs": (
        {"entities": {"customer_id": [1], "store_id": ["north"]}},
        422,
        "entities.store_id",
        None,
        "needed are customer_id",
    ),
    "mistyped column": ({"entities": {"customer_ids": [1]}}, 422, "entities.customer_ids", None, "Did you mean customer_id?"),
    "empty column": ({"entities": {"customer_id": []}}, 422, "entities.customer_id", None, "empty"),
    "ragged columns": (
        {"features": ["visits_at:minutes"], "entities": {"customer_id": [1, 2], "store_id": ["north"]}},
        422,
        "entities.store_id",
        None,
        "store_id has 1, customer_id has 2",
    ),
    # ids
    "null id": ({"entities": {"customer_id": [1, None]}}, 422, "entities.customer_id", 1, "INT64), not null"),
    "id as a string": ({"entities": {"customer_id": ["1001"]}}, 422, "entities.customer_id", 0, 'not the string "1001"'),
    "id with a fraction": ({"entities": {"customer_id": [1.5]}}, 422, "entities.customer_id", 0, "not the number 1.5"),
    "id as a whole float": ({"entities": {"customer_id": [1.0]}}, 422, "entities.customer_id", 0, "not the number 1.0"),
    "boolean id": ({"entities": {"customer_id": [1, 2, True]}}, 422, "entities.customer_id", 2, "not true"),
    "id as a list": ({"entities": {"customer_id": [[1]]}}, 422, "entities.customer_id", 0, "not a list"),
    "id as an object": ({"entities": {"customer_id": [{"int64_val": 1}]}}, 422, "entities.customer_id", 0, "not an object"),
    "id beyond 64 bits": ({"entities": {"customer_id": [2**63]}}, 422, "entities.customer_id", 0, "fits 64 bits"),
    "id below 64 bits": ({"entities": {"customer_id": [-(2**63) - 1]}}, 422, "entities.customer_id", 0, "fits 64 bits"),
    "id beyond all bits": ({"entities": {"customer_id": [10**300]}}, 422, "entities.customer_id", 0, "fits 64 bits"),
    "id beyond 32 bits": (
        {"features": ["room:seats"], "entities": {"room_id": [2**31]}},
        422,
        "entities.room_id",
        0,
        "fits 32 bits",
    ),
    "number for a string": (
        {"features": ["till:total"], "entities": {"store_id": [7]}},
        422,
        "entities.store_id",
        0,
        "STRING), not the number 7",
    ),
    "no base64": ({"features": ["door:opened"], "entities": {"badge_id": ["?"]}}, 422, "entities.badge_id", 0, "base64"),
    "no ASCII": ({"features": ["door:opened"], "entities": {"badge_id": ["é"]}}, 422, "entities.badge_id", 0, "base64"),
    "time as text": (
        {"features": ["slot:free"], "entities": {"starts_at": ["2024-01-01T00:00:00Z"]}},
        422,
        "entities.starts_at",
        0,
        "seconds since 1970",
    ),
    # limits
    "too many entities": ({"entities": {"customer_id": [1] * 10_001}}, 413, "entities", None, "10001 entities are more than"),
    "too many features": ({"features": ["profile:age"] * 5001}, 413, "features", None, "5001 features are more than the 5000"),
    # what the registry doesn't say enough of
    "on-demand view": ({"features": ["derived:ratio"]}, 422, "features[0]", None, "derived isn't known: run feast apply"),
    "service with an on-demand view": (
        {"features": LEAVE_OUT, "feature_service": "with_derived"},
        422,
        "feature_service",
        None,
        "derived isn't known: run feast apply",
    ),
}  # fmt: skip

NOT_JSON = {
    "nothing": b"",
    "half a body": b'{"features":["profile:age"],',
    "another format": b"features=profile:age",
    "not UTF-8": b'{"features":["\xff:age"],"entities":{"customer_id":[1]}}',
    "NaN": b'{"features":["profile:age"],"entities":{"customer_id":[NaN]}}',
    "trailing text": b'{"features":["profile:age"],"entities":{"customer_id":[1]}}}',
    "half a surrogate pair": b'{"features":["profile:age"],"entities":{"customer_id":["\\ud800"]}}',
    "deeply nested": b"[" * 100_000,
    "deeply nested features": b'{"entities":{},"features":' + b"[" * 100_000,
    "deeply nested ids": b'{"features":["profile:age"],"entities":{"customer_id":' + b'[{"a":' * 50_000,
}


def changed(change: dict[str, Any]) -> dict[str, Any]:
    """A good body with a change."""
    return {name: value for name, value in {**GOOD, **change}.items() if value is not LEAVE_OUT}


@pytest.fixture(scope="module")
def for_feast(service: Running) -> Iterator[Running]:
    """The same service, set up for Feast's SDK."""
    with running(service.registry, error_format="feast") as served:
        yield served


def problems(response: httpx.Response, status: int) -> list[dict[str, Any]]:
    """The errors of an answer, whose form is checked on the way."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert set(body) == {"type", "title", "status", "detail", "errors"}
    assert body["status"] == status
    assert all(set(error) == {"field", "row", "message"} for error in body["errors"])
    assert all(error["message"] in body["detail"] for error in body["errors"])
    errors: list[dict[str, Any]] = body["errors"]
    return errors


@pytest.mark.parametrize("name", CASES)
def test_a_bad_request_is_told_what_where_and_what_would_be_right(service: Running, name: str) -> None:
    """In application/problem+json."""
    change, status, field, row, said = CASES[name]
    response = service.post(changed(change))
    errors = problems(response, status)
    assert said in response.json()["detail"]
    if field is None:
        assert errors == []
    else:
        (error,) = [error for error in errors if said in error["message"]]
        assert (error["field"], error["row"]) == (field, row)


@pytest.mark.parametrize("name", CASES)
def test_feasts_sdk_hears_the_same(service: Running, for_feast: Running, name: str) -> None:
    """As a JSON string that it turns back into one of its exceptions."""
    change, status, field, _, _ = CASES[name]
    response = for_feast.post(changed(change))
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    error = FeastError.from_error_detail(response.json())
    expected: type[FeastError] = FeastError
    if status == httpx.codes.NOT_FOUND:
        is_service = field == "feature_service"
        expected = feast.errors.FeatureServiceNotFoundException if is_service else feast.errors.FeatureViewNotFoundException
    elif name == "colliding names":
        expected = feast.errors.FeatureNameCollisionError
    assert type(error) is expected
    assert str(error) == service.post(changed(change)).json()["detail"]


@pytest.mark.parametrize("name", NOT_JSON)
def test_what_is_not_json_is_told(service: Running, for_feast: Running, name: str) -> None:
    """400, in both forms."""
    response = service.post(NOT_JSON[name])
    (error,) = problems(response, 400)
    assert (error["field"], error["row"]) == (None, None)
    answer = for_feast.post(NOT_JSON[name])
    assert answer.status_code == httpx.codes.BAD_REQUEST
    assert str(FeastError.from_error_detail(answer.json())) == response.json()["detail"]


@pytest.mark.parametrize("number", [b"1e400", b"-1e400", b"9" * 5000])
@pytest.mark.parametrize(
    "body",
    [
        b'{"features":["profile:age"],"entities":{"customer_id":[%s]}}',
        b'{"features":[%s],"entities":{"customer_id":[1]}}',
        b'{"features":["profile:age"],"entities":{"customer_id":[1]},"feature_service":%s}',
        b"%s",
    ],
)
def test_a_number_that_no_machine_holds_is_told(service: Running, body: bytes, number: bytes) -> None:
    """422: it is JSON."""
    (error,) = problems(service.post(body % number), 422)
    assert "out of range" in error["message"]


def test_every_bad_row_is_told(service: Running) -> None:
    """With its number, in one answer."""
    ids = [1, "2", 3, None, 5.5, 6, True]
    errors = problems(service.post({**GOOD, "entities": {"customer_id": ids}}), 422)
    assert [error["row"] for error in errors] == [1, 3, 4, 6]


def test_every_bad_name_is_told(service: Running) -> None:
    """In one answer; a bad reference among unknown names makes it a 422."""
    features = ["nope:x", "profile:age", "profile:nope", "what"]
    errors = problems(service.post({**GOOD, "features": features[:3]}), 404)
    assert [error["field"] for error in errors] == ["features[0]", "features[2]"]
    errors = problems(service.post({**GOOD, "features": features}), 422)
    assert {error["field"] for error in errors} == {"features[0]", "features[2]", "features[3]"}


@pytest.mark.parametrize("bad", ["1001", 1.5, 1.0, True, None, [1], {"a": 1}, 2**63, 10**40], ids=str)
def test_no_id_is_ever_coerced(service: Running, bad: Any) -> None:
    """Customer 1 is there, and nothing but the integer 1 finds it."""
    assert service.read(["profile:age"], {"customer_id": [1]})["results"][1]["values"] == [41]
    problems(service.post({**GOOD, "entities": {"customer_id": [1, bad]}}), 422)


def test_a_body_over_the_limit_is_told(service: Running) -> None:
    """413 with the limit, and the connection ends behind it."""
    response = service.post(json.dumps(GOOD).encode() + b" " * 4 * 1024 * 1024)
    (error,) = problems(response, 413)
    assert "4194304 bytes" in error["message"]
    assert response.headers["connection"] == "close"
    assert service.post(GOOD).status_code == httpx.codes.OK


@pytest.mark.parametrize(
    ("setting", "value", "body", "status"),
    [
        ("max_entities", 3, {**GOOD, "entities": {"customer_id": [FRESH] * 3}}, 200),
        ("max_entities", 3, {**GOOD, "entities": {"customer_id": [FRESH] * 4}}, 413),
        ("max_entities", 3, {"features": ["everyone:rate"], "entities": {"__dummy_id": [""] * 4}}, 413),
        ("max_features", 3, {**GOOD, "features": ["profile:age"] * 3}, 200),
        ("max_features", 3, {**GOOD, "features": ["profile:age"] * 4}, 413),
        ("max_body_bytes", 1024, {**GOOD, "entities": {"customer_id": [ABSENT] * 100}}, 200),
        ("max_body_bytes", 1024, {**GOOD, "entities": {"customer_id": [ABSENT] * 1000}}, 413),
        ("max_body_bytes", 1024, {**GOOD, "entities": {"customer_id": [ABSENT] * 50_000}}, 413),
    ],
)
def test_limits_are_what_the_settings_say(
    service: Running, setting: str, value: int, body: dict[str, Any], status: int
) -> None:
    """At the limit a request is served, beyond it 413 names the number."""
    with running(service.registry, **{setting: value}) as strict:
        response = strict.post(body)
        assert response.status_code == status
        if status != httpx.codes.OK:
            assert f" {value} " in response.json()["detail"]


def test_a_refused_request_asks_nothing_of_redis(service: Running) -> None:
    """Whatever is wrong with it is found before."""
    before = service.metric("feature_service_read_entities_count")
    for change, status, *_ in CASES.values():
        assert service.post(changed(change)).status_code == status
    assert service.metric("feature_service_read_entities_count") == before
