"""The OpenAPI document describes what really comes: bodies, statuses, content types, headers."""

import copy
import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema_rs
import pytest
import redis as redis_py
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

from pipelines.local.redis import EmbeddedRedis
from service.routes.problems import STATUSES
from tests.http.conftest import ABSENT, EXPIRED, FRESH, NULL
from tests.http.handmade.examples import examples
from tests.http.handmade.forms import ARROW, send
from tests.http.handmade.pushes import SUITE, Pusher, at, scores
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
# What is asked of the service that can be pushed to.
PUSH_OPERATIONS = [
    ("/push", "post"),
    ("/write-to-online-store", "post"),
    ("/validate", "post"),
    ("/suites", "get"),
    ("/suites/{name}", "get"),
    ("/quarantine", "get"),
    ("/quarantine", "delete"),
    ("/quarantine/{entry_id}", "get"),
    ("/quarantine/{entry_id}", "delete"),
    ("/quarantine/{entry_id}/replay", "post"),
]
# What is asked of a service that has a repository: in tests/materialization/test_routes.py.
MATERIALIZATION_OPERATIONS = [
    ("/materialize", "post"),
    ("/materialize-incremental", "post"),
    ("/materialize", "get"),
    ("/materialize/{materialization_id}", "get"),
]
OPERATIONS = [
    *PUSH_OPERATIONS,
    *MATERIALIZATION_OPERATIONS,
    (READ_PATH, "post"),
    ("/catalog", "get"),
    ("/catalog/refresh", "post"),
    ("/health", "get"),
    ("/health/ready", "get"),
    ("/metrics", "get"),
]
# Those of them that have a body or a query to be broken.
BREAKABLE = [
    ("/push", "post"),
    ("/write-to-online-store", "post"),
    ("/validate", "post"),
    ("/quarantine", "get"),
    ("/quarantine", "delete"),
    ("/quarantine/{entry_id}/replay", "post"),
]
EXAMPLES, FEWER = 100, 30
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


@pytest.fixture
def push_api(pushing: Running) -> schemathesis.BaseSchema:
    """The document of the service that can be pushed to."""
    return schemathesis.openapi.from_url(f"{pushing.url}/openapi.json")


def send_any(operation: schemathesis.APIOperation, mode: schemathesis.GenerationMode, amount: int) -> None:
    """Send so many requests of an operation, and check that each answer is described."""

    @examples(amount)
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: schemathesis.Case) -> None:
        case.call_and_validate(checks=CHECKS)

    send()


@pytest.mark.parametrize(
    ("path", "method"),
    [operation for operation in OPERATIONS if operation not in (*PUSH_OPERATIONS, *MATERIALIZATION_OPERATIONS)],
)
def test_requests_after_the_document_get_what_it_says(api: schemathesis.BaseSchema, path: str, method: str) -> None:
    """No 5xx, no other status, content type, body or header."""
    send_any(api[path][method], schemathesis.GenerationMode.POSITIVE, EXAMPLES if path == READ_PATH else 1)


@pytest.mark.parametrize(("path", "method"), PUSH_OPERATIONS)
def test_pushes_after_the_document_get_what_it_says(push_api: schemathesis.BaseSchema, path: str, method: str) -> None:
    """And what belongs to them."""
    send_any(push_api[path][method], schemathesis.GenerationMode.POSITIVE, FEWER)


def test_requests_that_break_the_document_get_what_it_says(api: schemathesis.BaseSchema) -> None:
    """And are refused."""
    send_any(api[READ_PATH]["post"], schemathesis.GenerationMode.NEGATIVE, EXAMPLES)


@pytest.mark.parametrize(("path", "method"), BREAKABLE)
def test_pushes_that_break_the_document_get_what_it_says(push_api: schemathesis.BaseSchema, path: str, method: str) -> None:
    """And are refused."""
    send_any(push_api[path][method], schemathesis.GenerationMode.NEGATIVE, FEWER)


def test_every_operation_is_looked_at(document: dict[str, Any]) -> None:
    """One that is added wants to be in this list."""
    assert {(path, method) for path, methods in document["paths"].items() for method in methods} == set(OPERATIONS)


def closed(document: dict[str, Any]) -> dict[str, Any]:
    """The document, with nothing allowed beside the properties that it names."""
    strict = copy.deepcopy(document)
    for model in strict["components"]["schemas"].values():
        if "properties" in model and model.get("additionalProperties") is not True:
            model["additionalProperties"] = False
    return strict


def check(document: dict[str, Any], path: str, response: httpx.Response) -> None:
    """An answer is described: its status, its content type, every property of its body, the headers that matter."""
    method = response.request.method.lower()
    described = document["paths"][path][method]["responses"]
    assert str(response.status_code) in described, f"{response.status_code} isn't described: {response.text}"
    answer = described[str(response.status_code)]
    if response.status_code == httpx.codes.NO_CONTENT:
        assert (response.content, answer.get("content")) == (b"", None)
        return
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


@pytest.mark.parametrize("accept", ["*/*", ARROW, "text/html"])
@pytest.mark.parametrize("layout", ["", "columns", "rows", "x"])
@pytest.mark.parametrize("include", ["", "statuses", "statuses,event_timestamps", "x"])
def test_each_form_of_an_answer_is_described(
    service: Running, document: dict[str, Any], accept: str, layout: str, include: str
) -> None:
    """And so is what is said of those that there aren't."""
    query = {name: value for name, value in (("layout", layout), ("include", include)) if value}
    body = {"features": FEATURES["customer_id"], "entities": {"customer_id": [FRESH, EXPIRED, NULL, ABSENT]}}
    response = send(service, body, accept, query)
    wanted = 406 if accept == "text/html" else 422 if "x" in (layout, include) or (accept, layout) == (ARROW, "rows") else 200
    assert response.status_code == wanted
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


# What doesn't need definitions, or finds something else wrong first.
WITHOUT_DEFINITIONS = {
    ("/health", "get"): 200,
    ("/metrics", "get"): 200,
    ("/suites", "get"): 200,
    ("/suites/{name}", "get"): 404,
    ("/validate", "post"): 422,
    ("/quarantine", "delete"): 422,
    ("/materialize", "post"): 422,
    ("/materialize-incremental", "post"): 422,
    # This service is run without a repository.
    ("/materialize", "get"): 501,
    ("/materialize/{materialization_id}", "get"): 501,
}


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_what_comes_before_there_are_definitions_is_described_too(
    ignorant: Running, document: dict[str, Any], path: str, method: str
) -> None:
    """503, of two kinds, where nothing else is wrong."""
    asked = path.replace("{name}", "any").replace("{entry_id}", "any.1-0")
    response = ignorant.client.request(method, asked, content=json.dumps({"entities": {}}))
    wanted = WITHOUT_DEFINITIONS.get((path, method), httpx.codes.SERVICE_UNAVAILABLE)
    assert response.status_code == wanted, response.text
    check(document, path, response)


PUSHES: dict[str, tuple[str, dict[str, Any], str, int]] = {
    "written": ("free", scores(1), "", 200),
    "every outcome": ("quarantine", scores(1, 2, 2, score=[0.5, 1.5, "x"]), "?detail=all", 200),
    "no outcome": ("free", scores(1), "?detail=none", 200),
    "a stale row": ("free", scores(1, 1, event_timestamp=[at(1), at(0)]), "", 200),
    "warnings": ("warn", scores(1, 2, score=[0.5, 1.5]), "", 200),
    "warnings about the batch": ("aggregates_warn", scores(1, visits=[100]), "", 200),
    "rejected": ("reject", scores(1, 2, score=[1.5, "x"]), "", 422),
    "rejected by its suite": ("reject", scores(1, 2, score=[1.5, 0.5]), "", 422),
    "rejected as a whole": ("aggregates_reject", scores(1, visits=[100]), "", 422),
    "unknown source": ("nobody", scores(1), "", 404),
    "too many rows": ("free", scores(*range(10_001)), "", 413),
    "unknown parameter": ("free", scores(1), "?x=1", 422),
}


@pytest.mark.parametrize("name", PUSHES)
def test_a_push_gets_the_answer_of_the_document(pusher: Pusher, document: dict[str, Any], name: str) -> None:
    """Whatever becomes of its rows; and a write to a view, too."""
    push_source, df, query, status = PUSHES[name]
    response = pusher.send(push_source, df, query)
    assert response.status_code == status, response.text
    check(document, "/push", response)
    check(document, "/write-to-online-store", pusher.write("scores", df, query))


def test_an_offline_push_gets_the_answer_of_the_document(pusher: Pusher, document: dict[str, Any]) -> None:
    """202."""
    response = pusher.send("free", scores(1, created_timestamp=[None]), to="online_and_offline")
    assert response.status_code == httpx.codes.ACCEPTED
    check(document, "/push", response)


def test_a_push_that_redis_does_not_confirm_gets_the_answer_of_the_document(
    pushing: Running, redis: EmbeddedRedis, client: "redis_py.Redis[bytes]", document: dict[str, Any]
) -> None:
    """503, with the rows that it did confirm."""
    with running(pushing.registry, write_deadline_ms=100) as served:
        os.kill(redis.pid, signal.SIGSTOP)
        try:
            response = Pusher(served, client).send("free", scores(1, 2))
        finally:
            os.kill(redis.pid, signal.SIGCONT)
    assert response.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert response.json()["unconfirmed_rows"] == [0, 1]
    check(document, "/push", response)


@pytest.mark.parametrize(
    "body",
    [
        {"suite": SUITE, "df": scores(1, 2, score=[0.5, 1.5]), "result_format": "COMPLETE"},
        {"suite": SUITE, "df": {}, "result_format": "BOOLEAN_ONLY"},
        {"suite": "advice", "rows": []},
        {"push_source": "reject", "df": scores(1)},
        {"suite": "nothing", "df": {}},
        {"suite": SUITE, "df": {"score": 1}},
        {"suite": SUITE, "df": {}, "result_format": {"result_format": "BASIC", "include_unexpected_rows": True}},
    ],
    ids=str,
)
def test_a_validation_gets_the_answer_of_the_document(pushing: Running, document: dict[str, Any], body: dict[str, Any]) -> None:
    """Whatever it finds."""
    check(document, "/validate", pushing.client.post("/validate", json=body))


def test_suites_have_the_form_of_the_document(pushing: Running, document: dict[str, Any]) -> None:
    """All of them, one of them, and one that there isn't."""
    check(document, "/suites", pushing.client.get("/suites"))
    for name in (SUITE, "parametrized", "nothing"):
        check(document, "/suites/{name}", pushing.client.get(f"/suites/{name}"))


def test_the_quarantine_has_the_form_of_the_document(pusher: Pusher, document: dict[str, Any]) -> None:
    """Pages, rows, another try that fails, one of a row that is old by now, and the end."""
    client, path = pusher.service.client, "/quarantine/{entry_id}"
    pusher.push("quarantine", scores(7, 8, score=[1.5, 0.5], level=["low", "x"], visits=[2**63, 1]))
    check(document, "/quarantine", client.get("/quarantine"))
    page = client.get("/quarantine", params={"source": "quarantine", "count": 2})
    check(document, "/quarantine", page)
    for entry in page.json()["entries"]:
        check(document, path, client.get(f"/quarantine/{entry['id']}"))
        check(document, f"{path}/replay", client.post(f"/quarantine/{entry['id']}/replay"))
        check(document, path, client.delete(f"/quarantine/{entry['id']}"))
        check(document, path, client.delete(f"/quarantine/{entry['id']}"))
    check(document, "/quarantine", client.get("/quarantine", params={"source": "quarantine", "after": "x"}))
    check(document, "/quarantine", client.delete("/quarantine", params={"source": "quarantine"}))


def test_every_status_of_a_read_is_described(document: dict[str, Any]) -> None:
    """Neither more nor fewer than the table of errors has."""
    assert sorted(map(int, document["paths"][READ_PATH]["post"]["responses"])) == sorted({200, *STATUSES} - {409})


@pytest.mark.parametrize("path", ["/push", "/write-to-online-store"])
def test_every_status_of_a_push_is_described(document: dict[str, Any], path: str) -> None:
    """Of both, that rows are on their way. Their answers have one form, whatever is accepted."""
    assert sorted(map(int, document["paths"][path]["post"]["responses"])) == sorted({200, 202, *STATUSES} - {406, 409})


def test_every_parameter_of_a_push_is_described(document: dict[str, Any]) -> None:
    """Those that it takes, and no others."""
    names = {parameter["name"] for parameter in document["paths"]["/push"]["post"]["parameters"]}
    assert names == {"detail", "push_source", "to", "timestamp_unit"}
    assert {parameter["name"] for parameter in document["paths"]["/write-to-online-store"]["post"]["parameters"]} == {"detail"}
