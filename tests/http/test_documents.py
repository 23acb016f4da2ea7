"""What the service says of itself: its OpenAPI document and the pages made from it."""

import httpx
import pytest

from .handmade.running import Running

ROUTES = {
    "/get-online-features": {"post"},
    "/push": {"post"},
    "/write-to-online-store": {"post"},
    "/validate": {"post"},
    "/suites": {"get"},
    "/suites/{name}": {"get"},
    "/quarantine": {"get", "delete"},
    "/quarantine/{entry_id}": {"get", "delete"},
    "/quarantine/{entry_id}/replay": {"post"},
    "/materialize": {"post", "get"},
    "/materialize-incremental": {"post"},
    "/materialize/{materialization_id}": {"get"},
    "/catalog": {"get"},
    "/catalog/refresh": {"post"},
    "/health": {"get"},
    "/health/ready": {"get"},
    "/metrics": {"get"},
}


def test_the_document_has_every_route(service: Running) -> None:
    """With a summary and a description each."""
    document = service.client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.")
    assert {path: set(methods) for path, methods in document["paths"].items()} == ROUTES
    for methods in document["paths"].values():
        for operation in methods.values():
            assert operation["summary"]
            assert operation["description"]


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_there_are_pages_to_read(service: Running, path: str) -> None:
    """They name the document."""
    response = service.client.get(path)
    assert response.status_code == httpx.codes.OK
    assert response.headers["content-type"].startswith("text/html")
    assert "/openapi.json" in response.text


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/nothing", 404, None),
        ("POST", "/", 404, None),
        ("GET", "/get-online-features", 405, "POST"),
        ("PUT", "/get-online-features", 405, "POST"),
        ("POST", "/catalog", 405, "GET"),
        ("DELETE", "/health", 405, "GET"),
        ("GET", "/catalog/refresh", 405, "POST"),
        ("GET", "/push", 405, "POST"),
        ("PUT", "/quarantine/x/replay", 405, "POST"),
    ],
)
def test_what_there_is_not_is_told_in_the_form_of_all_errors(
    service: Running, method: str, path: str, status: int, allow: str | None
) -> None:
    """With the methods that there are."""
    response = service.client.request(method, path)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers.get("allow") == allow
    body = response.json()
    assert (body["status"], body["errors"]) == (status, [])
    assert f"{method} {path}" in body["detail"]
