"""The OpenAPI document describes what really comes: bodies, statuses, content types, headers."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema_rs
import pytest
import schemathesis
from hypothesis import given
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from service.routes.problems import STATUSES
from tests.http.conftest import ABSENT, EXPIRED, FRESH, NULL
from tests.http.handmade.examples import examples
from tests.http.handmade.registry import Registry
from tests.http.handmade.running import Running, running
from tests.http.test_bad_requests import CASES, NOT_JSON, changed

READ_PATH = "/get-online-features"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
]
OPERATIONS = [
    (READ_PATH, "post"),
    ("/catalog", "get"),
    ("/catalog/refresh", "post"),
    ("/health", "get"),
    ("/health/ready", "get"),
    ("/metrics", "get"),
]
EXAMPLES = 100
FEATURES = {
    "customer_id": ["profile:age", "profile:name", "profile:spend", "profile:tags", "visits:count", "visits:score"],
    "store_id": ["till:total", "tariff:price", "tariff@v1:price"],
    "room_id": ["room:seats"],
    "starts_at": ["slot:free"],
    "badge_id": ["door:opened"],
}
IDS = {
    "customer_id": st.sampled_from([FRESH, EXPIRED, NULL, ABSENT, -(2**63), 2**63 - 1]),
    "store_id": st.sampled_from(["north", "süd", "nowhere", ""]),
    "room_id": st.integers(-(2**31), 2**31 - 1),
    "starts_at": st.integers(-(2**63), 2**63 - 1),
    "badge_id": st.sampled_from(["AP8=", "", "AAAA"]),
}


@pytest.fixture(scope="session")
def document(service: Running) -> dict[str, Any]:
    """The document that is served."""
    parsed: dict[str, Any] = service.client.get("/openapi.json").json()
    return parsed


@pytest.fixture
def api(service: Running) -> schemathesis.BaseSchema:
    """The same for schemathesis."""
    return schemathesis.openapi.from_url(f"{service.url}/openapi.json")


def send_any(operation: schemathesis.APIOperation, mode: schemathesis.GenerationMode, amount: int) -> None:
    """Send so many requests of an operation, and check that each answer is described."""

    @examples(amount)
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: schemathesis.Case) -> None:
        case.call_and_validate(checks=CHECKS)

    send()


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_requests_after_the_document_get_what_it_says(api: schemathesis.BaseSchema, path: str, method: str) -> None:
    """No 5xx, no other status, content type, body or header."""
    send_any(api[path][method], schemathesis.GenerationMode.POSITIVE, EXAMPLES if path == READ_PATH else 1)


def test_requests_that_break_the_document_get_what_it_says(api: schemathesis.BaseSchema) -> None:
    """And are refused. Only a read has a body that can be broken."""
    send_any(api[READ_PATH]["post"], schemathesis.GenerationMode.NEGATIVE, EXAMPLES)


def test_every_operation_is_looked_at(document: dict[str, Any]) -> None:
    """One that is added wants to be in this list."""
    assert {(path, method) for path, methods in document["paths"].items() for method in methods} == set(OPERATIONS)


def closed(document: dict[str, Any]) -> dict[str, Any]:
    """The document, with nothing allowed beside the properties that it names."""
    strict = copy.deepcopy(document)
    for model in strict["components"]["schemas"].values():
        if "properties" in model:
            model["additionalProperties"] = False
    return strict


def check(document: dict[str, Any], path: str, response: httpx.Response) -> None:
    """An answer is described: its status, its content type, every property of its body, the headers that matter."""
    method = response.request.method.lower()
    described = document["paths"][path][method]["responses"]
    assert str(response.status_code) in described, f"{response.status_code} isn't described: {response.text}"
    answer = described[str(response.status_code)]
    content_type = response.headers["content-type"].partition(";")[0]
    assert content_type in {each.partition(";")[0] for each in answer["content"]}
    if "json" in content_type:
        model = closed(document)
        wanted = {**answer["content"][content_type]["schema"], "components": model["components"]}
        jsonschema_rs.validator_for(wanted).validate(response.json())
    if "retry-after" in response.headers:
        assert "retry-after" in {name.lower() for name in answer.get("headers", {})}


@examples(100)
@given(data=st.data(), flags=st.tuples(st.booleans(), st.booleans()))
def test_right_requests_get_the_answer_of_the_document(
    service: Running, document: dict[str, Any], data: st.DataObject, flags: tuple[bool, bool]
) -> None:
    """Any features of any entities, with every status among them."""
    columns = data.draw(st.lists(st.sampled_from(sorted(FEATURES)), min_size=1, max_size=3, unique=True))
    features = [feature for column in columns for feature in data.draw(st.lists(st.sampled_from(FEATURES[column]), min_size=1))]
    rows = data.draw(st.integers(1, 4))
    body = {
        "features": features,
        "entities": {column: data.draw(st.lists(IDS[column], min_size=rows, max_size=rows)) for column in columns},
        "full_feature_names": flags[0] or len({feature.partition(":")[2] for feature in features}) < len(set(features)),
        "include_feature_view_version_metadata": flags[1],
    }
    response = service.post(body)
    assert response.status_code == httpx.codes.OK, response.text
    check(document, READ_PATH, response)


@pytest.mark.parametrize("name", [*CASES, *NOT_JSON])
def test_bad_requests_get_the_answer_of_the_document(service: Running, document: dict[str, Any], name: str) -> None:
    """Each kind of refusal."""
    response = service.post(NOT_JSON[name] if name in NOT_JSON else changed(CASES[name][0]))
    check(document, READ_PATH, response)


@pytest.mark.parametrize(
    "name", ["unknown view", "no features", "null id", "on-demand view", "too many features", "colliding names"]
)
def test_the_document_follows_the_form_of_errors(service: Running, name: str) -> None:
    """A service set up for Feast's SDK answers with strings, and says so."""
    with running(service.registry, error_format="feast") as served:
        response = served.post(changed(CASES[name][0]))
        check(served.client.get("/openapi.json").json(), READ_PATH, response)


@pytest.mark.parametrize("path", ["/catalog", "/health", "/health/ready", "/metrics"])
def test_information_has_the_form_of_the_document(service: Running, document: dict[str, Any], path: str) -> None:
    """All that may be read."""
    check(document, path, service.client.get(path))


def test_a_refresh_has_the_form_of_the_document(service: Running, document: dict[str, Any]) -> None:
    """It is a catalog."""
    check(document, "/catalog/refresh", service.client.post("/catalog/refresh"))


@pytest.fixture(scope="module")
def ignorant() -> Iterator[Running]:
    """A service whose registry can't be read."""
    with Registry() as registry, running(registry, wait=False) as served:
        registry.fail("The registry can't be read.")
        yield served


@pytest.mark.parametrize("path", [path for path, _ in OPERATIONS])
def test_what_comes_before_there_are_definitions_is_described_too(
    ignorant: Running, document: dict[str, Any], path: str
) -> None:
    """503, of two kinds."""
    (method,) = document["paths"][path]
    response = ignorant.client.request(method, path, content=json.dumps({"entities": {}}))
    assert response.status_code == (httpx.codes.OK if path in {"/health", "/metrics"} else httpx.codes.SERVICE_UNAVAILABLE)
    check(document, path, response)


def test_every_status_of_a_read_is_described(document: dict[str, Any]) -> None:
    """Neither more nor fewer than the table of errors has."""
    assert sorted(map(int, document["paths"][READ_PATH]["post"]["responses"])) == sorted([200, *STATUSES])
