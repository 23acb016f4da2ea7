"""POST /get-online-features: what it takes and gives."""

import json
from typing import Any

import httpx
import pytest
from feast.feature_server import GetOnlineFeaturesRequest, OnlineFeaturesResponse

from .kiosk import ABSENT, EXPIRED, FRESH, NULLS, OK, PATHS, Answers, Kiosk

NOT_FOUND = httpx.codes.NOT_FOUND
REFUSED = httpx.codes.UNPROCESSABLE_ENTITY
BROKEN = httpx.codes.INTERNAL_SERVER_ERROR
MALFORMED = httpx.codes.BAD_REQUEST
BOTH = (OK, OK)


def names(answers: Answers) -> tuple[list[str], list[str]]:
    """The names of the vectors, stock's first."""
    assert answers.statuses == BOTH
    stock, ours = (answer.json()["metadata"]["feature_names"] for answer in answers)
    return stock, ours


def vectors(answer: httpx.Response) -> dict[str, dict[str, list[Any]]]:
    """Each vector under its name."""
    body = answer.json()
    return dict(zip(body["metadata"]["feature_names"], body["results"], strict=True))


def test_features(kiosk: Kiosk) -> None:
    """The same body, byte for byte the same values."""
    answers = kiosk.read(features=["visits:count"])
    assert answers.statuses == BOTH
    stock, ours = (vectors(answer)["count"] for answer in answers)
    assert stock["values"] == ours["values"] == [7]
    assert set(answers.stock.json()) == set(answers.ours.json()) == {"results", "metadata"}


def test_a_feature_service(kiosk: Kiosk) -> None:
    """All of its features; ours in its order."""
    stock, ours = names(kiosk.read(features=None, feature_service="model"))
    assert sorted(stock) == sorted(ours)
    assert ours == ["customer_id", "count", "score", "name"]


def test_a_service_that_is_computed_ahead(kiosk: Kiosk) -> None:
    """Its rows themselves are read. Stock reads vectors that `feast precompute` has made, and nothing without them."""
    answers = kiosk.read(features=None, feature_service="ahead")
    assert answers.statuses == (BROKEN, OK)
    assert "feast precompute ahead" in answers.stock.text
    assert vectors(answers.ours)["count"]["values"] == [7]


def test_full_feature_names(kiosk: Kiosk) -> None:
    """The view before the feature."""
    stock, ours = names(kiosk.read(full_feature_names=True))
    assert stock == ours == ["customer_id", "visits__count"]


def test_version_metadata(kiosk: Kiosk) -> None:
    """Each view and its version, where it isn't 0."""
    answers = kiosk.read(include_feature_view_version_metadata=True)
    stock, ours = (answer.json()["metadata"]["feature_view_metadata"] for answer in answers)
    assert stock == ours == [{"name": "visits"}]


def test_an_empty_service_is_none(kiosk: Kiosk) -> None:
    """As is null, beside features."""
    for nothing in ("", None):
        body = {"features": ["visits:count"], "entities": {"customer_id": [FRESH]}, "feature_service": nothing}
        assert kiosk.ask("POST", PATHS["read"], json=body).statuses == BOTH


def test_features_and_a_service(kiosk: Kiosk) -> None:
    """Stock reads the service and forgets the features; ours asks which is meant."""
    answers = kiosk.read(features=["profile:score"], feature_service="model")
    assert answers.statuses == (OK, REFUSED)
    assert "not both" in answers.ours.json()["detail"]


def test_an_unknown_field(kiosk: Kiosk) -> None:
    """Stock ignores it; ours tells of it, since it may be a misspelt one."""
    answers = kiosk.read(full_feature_name=True)
    assert answers.statuses == (OK, REFUSED)
    assert answers.ours.json()["errors"][0]["field"] == "full_feature_name"


def test_an_unknown_parameter(kiosk: Kiosk) -> None:
    """As an unknown field."""
    body = {"features": ["visits:count"], "entities": {"customer_id": [FRESH]}}
    answers = kiosk.ask("POST", PATHS["read"], json=body, params={"layuot": "rows"})
    assert answers.statuses == (OK, REFUSED)
    assert answers.ours.json()["errors"][0]["field"] == "layuot"


def test_an_accept_header_that_allows_nothing(kiosk: Kiosk) -> None:
    """Stock answers JSON whatever is asked for."""
    body = {"features": ["visits:count"], "entities": {"customer_id": [FRESH]}}
    answers = kiosk.ask("POST", PATHS["read"], json=body, headers={"accept": "text/csv"})
    assert answers.statuses == (OK, httpx.codes.NOT_ACCEPTABLE)


def test_a_column_that_no_view_needs(kiosk: Kiosk) -> None:
    """Stock ignores it; ours tells of it."""
    answers = kiosk.read(entities={"customer_id": [FRESH], "store_id": ["north"]})
    assert answers.statuses == (OK, REFUSED)
    assert answers.ours.json()["errors"][0]["field"] == "entities.store_id"


@pytest.mark.parametrize("headers", [{}, {"content-type": "application/x-www-form-urlencoded"}], ids=["none", "curl's own"])
def test_a_body_without_its_content_type(kiosk: Kiosk, headers: dict[str, str]) -> None:
    """As curl -d sends it, and Feast's documentation shows. Stock: 422."""
    body = json.dumps({"features": ["visits:count"], "entities": {"customer_id": [FRESH]}})
    assert kiosk.ask("POST", PATHS["read"], content=body, headers=headers).statuses == (REFUSED, OK)


def test_what_is_not_json(kiosk: Kiosk) -> None:
    """Stock: 422 for the one, 500 for NaN."""
    headers = {"content-type": "application/json"}
    for text, status in (("{", REFUSED), ('{"features": ["visits:count"], "entities": {"customer_id": [NaN]}}', BROKEN)):
        assert kiosk.ask("POST", PATHS["read"], content=text, headers=headers).statuses == (status, MALFORMED)


def test_a_field_of_another_type(kiosk: Kiosk) -> None:
    """422 of both; ours in the form of all errors."""
    for change in ({"entities": {"customer_id": 1}}, {"features": "visits:count"}, {"full_feature_names": [1]}):
        answers = kiosk.read(**change)
        assert answers.statuses == (REFUSED, REFUSED)
        assert "detail" in answers.stock.json()
        assert answers.ours.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("change", "stock", "ours"),
    [
        pytest.param({"features": ["visits:cuont"]}, BROKEN, NOT_FOUND, id="unknown feature"),
        pytest.param({"features": ["visit:count"]}, NOT_FOUND, NOT_FOUND, id="unknown view"),
        pytest.param({"features": None, "feature_service": "modell"}, NOT_FOUND, NOT_FOUND, id="unknown service"),
        pytest.param({"features": ["visits"]}, BROKEN, REFUSED, id="bad reference"),
        pytest.param({"features": ["closed:count"]}, BROKEN, REFUSED, id="disabled view"),
        pytest.param({"features": []}, BROKEN, REFUSED, id="no features"),
        pytest.param({"entities": {}}, BROKEN, REFUSED, id="no entities"),
        pytest.param({"entities": {"customer_id": []}}, BROKEN, REFUSED, id="empty column"),
        pytest.param({"entities": {"customer_id": [1, 2], "x": [1]}}, BROKEN, REFUSED, id="ragged columns"),
        pytest.param({"entities": {"customer_id": [None]}}, BROKEN, REFUSED, id="null id"),
        pytest.param({"entities": {"customer_id": ["one"]}}, BROKEN, REFUSED, id="mistyped id"),
        pytest.param({"entities": {"customer_id": ["1"]}}, OK, REFUSED, id="string for an INT64"),
        pytest.param({"entities": {"customer_id": [1.5]}}, OK, REFUSED, id="fraction for an INT64"),
    ],
)
def test_a_bad_request(kiosk: Kiosk, change: dict[str, Any], stock: int, ours: int) -> None:
    """Ours: 4xx that names the field, and the row where there is one."""
    answers = kiosk.read(**change)
    assert answers.statuses == (stock, ours)
    assert answers.ours.json()["errors"][0]["field"]


def test_a_coerced_id_is_another_one(kiosk: Kiosk) -> None:
    """Stock answers for customer 1 who was asked for 1.5."""
    assert vectors(kiosk.read(entities={"customer_id": [1.5]}).stock)["count"]["values"] == [7]


@pytest.mark.parametrize(
    ("customer", "feature", "status", "value", "stocks"),
    [
        pytest.param(FRESH, "visits:count", "PRESENT", 7, 7, id="fresh"),
        pytest.param(ABSENT, "visits:count", "NOT_FOUND", None, None, id="absent"),
        pytest.param(EXPIRED, "visits:count", "OUTSIDE_MAX_AGE", None, 7, id="beyond its ttl"),
        pytest.param(EXPIRED, "profile:name", "PRESENT", "Ada", "Ada", id="without a ttl"),
        pytest.param(NULLS, "visits:score", "NULL_VALUE", None, None, id="null"),
        pytest.param(NULLS, "profile:name", "NOT_FOUND", None, None, id="known to another view alone"),
    ],
)
def test_statuses(kiosk: Kiosk, customer: int, feature: str, status: str, value: Any, stocks: Any) -> None:
    """Stock says PRESENT of everything."""
    answers = kiosk.read(features=[feature], entities={"customer_id": [customer]})
    theirs, ours = (vectors(answer)[feature.partition(":")[2]] for answer in answers)
    assert (theirs["values"], theirs["statuses"]) == ([stocks], ["PRESENT"])
    assert (ours["values"], ours["statuses"]) == ([value], [status])
    assert theirs["event_timestamps"] == ours["event_timestamps"]


def test_event_timestamps(kiosk: Kiosk) -> None:
    """The same, 1970 for entity columns and for what isn't there."""
    answers = kiosk.read(entities={"customer_id": [FRESH, ABSENT]})
    stock, ours = map(vectors, answers)
    assert stock["customer_id"]["event_timestamps"] == ours["customer_id"]["event_timestamps"] == ["1970-01-01T00:00:00Z"] * 2
    assert stock["count"]["event_timestamps"] == ours["count"]["event_timestamps"]
    assert ours["count"]["event_timestamps"][1] == "1970-01-01T00:00:00Z"


def test_the_field_status_is_never_there(kiosk: Kiosk) -> None:
    """Stock's model has it, its answers don't."""
    assert "status" in OnlineFeaturesResponse.model_fields
    assert all("status" not in answer.json() for answer in kiosk.read())


def test_errors_in_stocks_form_are_json_strings(kiosk: Kiosk) -> None:
    """Ours are objects with type, title, status, detail and errors."""
    answers = kiosk.read(features=["visit:count"])
    assert json.loads(answers.stock.json())["class"] == "FeatureViewNotFoundException"
    assert set(answers.ours.json()) == {"type", "title", "status", "detail", "errors"}


def test_every_field_of_stock_is_looked_at() -> None:
    """What a later Feast brings has to be told, too."""
    known = {"entities", "feature_service", "features", "full_feature_names", "include_feature_view_version_metadata"}
    assert set(GetOnlineFeaturesRequest.model_fields) == known
