"""Which routes there are."""

from typing import Any

import httpx
import pytest
from feast.feature_server import get_app
from feast.feature_view import FeatureViewState
from starlette.websockets import WebSocketDisconnect

from .kiosk import OK, Kiosk

NOT_FOUND = httpx.codes.NOT_FOUND
REFUSED = httpx.codes.UNPROCESSABLE_ENTITY
NO_BODY: dict[str, Any] = {}
# Stock's routes that ours doesn't have, with a body that stock takes, and what stock answers on this registry.
NOT_HERE: dict[str, tuple[dict[str, Any], int]] = {
    "POST /search": ({"features": ["visits:count"], "query": [0.5], "top_k": 1, "api_version": 2}, 500),
    "POST /retrieve-online-documents": ({"features": ["visits:count"], "query": [0.5], "top_k": 1}, 500),
    "GET /v1/vector_stores": (NO_BODY, 200),
    "GET /v1/vector_stores/{vector_store_id}": (NO_BODY, 404),
    "POST /v1/vector_stores/{vector_store_id}/search": ({"query": "shoes"}, 404),
    "POST /chat": ({"messages": [{"role": "user", "content": "How are you?"}]}, 200),
    "GET /chat": (NO_BODY, 200),
    "GET /static": (NO_BODY, 200),
    "GET /mcp": (NO_BODY, 404),
    "POST /read-document": (NO_BODY, 404),
    "POST /save-document": (NO_BODY, 404),
}
# Those of which this service has a better form; it is run without a repository here.
MATERIALIZING: dict[str, dict[str, Any]] = {
    "POST /materialize": {"feature_views": ["visits"], "start_ts": "2020-01-01", "end_ts": "2020-01-02"},
    "POST /materialize-incremental": {"feature_views": ["visits"], "end_ts": "2020-01-02"},
}
# What stands for a path of which the page tells only the beginning.
EXAMPLES = {"/static": "/static/chat/index.html"}


@pytest.mark.parametrize("route", NOT_HERE)
def test_not_here(kiosk: Kiosk, route: str) -> None:
    """404 in the form of all errors."""
    method, path = route.split(" ")
    body, stocks = NOT_HERE[route]
    path = EXAMPLES.get(path, path)
    answers = kiosk.ask(method, path, **({"json": body} if body else {}))
    assert answers.statuses == (stocks, NOT_FOUND)
    assert answers.ours.headers["content-type"] == "application/problem+json"
    assert answers.ours.json()["detail"] == f"{method} {answers.ours.request.url.path}: Not Found."


def test_vector_search_needs_another_store(kiosk: Kiosk) -> None:
    """Feast's Redis store has none, so stock's route says so, too."""
    for path in ("/search", "/retrieve-online-documents"):
        answer = kiosk.stock.post(path, json={"features": ["visits:count"], "query": [0.5], "top_k": 1})
        assert answer.json() == "Online store RedisOnlineStore does not support online retrieval"


def test_the_chat_socket(kiosk: Kiosk) -> None:
    """Stock's repeats what it hears; ours takes the handshake for a GET of what isn't there."""
    with kiosk.stock.websocket_connect("/ws/chat") as socket:
        socket.send_text("hello")
        assert socket.receive_text() == "You "
    upgrade = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
    upgrade["sec-websocket-key"] = "dGhlIHNhbXBsZSBub25jZQ=="
    assert kiosk.ours.client.get("/ws/chat", headers=upgrade).status_code == NOT_FOUND
    with pytest.raises(WebSocketDisconnect), kiosk.stock.websocket_connect("/ws/other"):
        pass


def test_health(kiosk: Kiosk) -> None:
    """200 of both; ours says so in JSON, and takes HEAD."""
    answers = kiosk.ask("GET", "/health")
    assert answers.statuses == (OK, OK)
    assert answers.stock.content == b""
    assert answers.ours.json() == {"status": "ok"}
    assert kiosk.ask("HEAD", "/health").statuses == (httpx.codes.METHOD_NOT_ALLOWED, OK)


def test_readiness_is_a_route_of_its_own(kiosk: Kiosk) -> None:
    """Stock has nothing that looks at Redis."""
    assert kiosk.ask("GET", "/health/ready").statuses == (NOT_FOUND, OK)


def test_metrics_are_on_the_same_port(kiosk: Kiosk) -> None:
    """Stock's are on port 8000, when --metrics or feature_server.metrics.enabled asks for them."""
    assert kiosk.ask("GET", "/metrics").statuses == (NOT_FOUND, OK)


@pytest.mark.parametrize("path", ["/openapi.json", "/docs", "/redoc"])
def test_the_pages_of_fastapi(kiosk: Kiosk, path: str) -> None:
    """Of both."""
    assert kiosk.ask("GET", path).statuses == (OK, OK)


def test_every_error_is_described(kiosk: Kiosk) -> None:
    """Stock's document knows 200 and FastAPI's own 422."""
    answers = kiosk.ask("GET", "/openapi.json")
    theirs, ours = (answer.json()["paths"]["/get-online-features"]["post"]["responses"] for answer in answers)
    assert set(theirs) == {"200", "422"}
    assert {"200", "400", "404", "413", "422", "500", "503"} <= set(ours)


def test_what_there_is_not(kiosk: Kiosk) -> None:
    """The same statuses; ours in the form of all errors."""
    assert kiosk.ask("GET", "/nothing").statuses == (NOT_FOUND, NOT_FOUND)
    answers = kiosk.ask("GET", "/get-online-features")
    assert answers.statuses == (httpx.codes.METHOD_NOT_ALLOWED,) * 2
    assert answers.ours.headers["content-type"] == "application/problem+json"


def test_a_slash_at_the_end(kiosk: Kiosk) -> None:
    """Both redirect to the path without it."""
    answers = kiosk.ask("POST", "/get-online-features/", json={}, follow_redirects=False)
    assert answers.statuses == (httpx.codes.TEMPORARY_REDIRECT,) * 2


@pytest.mark.parametrize("route", MATERIALIZING)
def test_stock_materializes(kiosk: Kiosk, route: str) -> None:
    """200 and nothing else, 500 for a time that can't be read; ours refuses the same fields."""
    method, path = route.split(" ")
    answers = kiosk.ask(method, path, json=MATERIALIZING[route])
    assert answers.statuses == (OK, httpx.codes.NOT_IMPLEMENTED)
    assert answers.stock.json() is None
    answers = kiosk.ask(method, path, json={**MATERIALIZING[route], "end_ts": "soon"})
    assert answers.statuses == (httpx.codes.INTERNAL_SERVER_ERROR, REFUSED)


def test_stock_materializes_two_at_a_time(kiosk: Kiosk) -> None:
    """202 with ?async=true, and 202 for a second one, too: a SQL registry doesn't keep what its 409 looks for."""
    for _ in range(2):
        accepted = kiosk.stock.post("/materialize?async=true", json=MATERIALIZING["POST /materialize"])
        assert accepted.status_code == httpx.codes.ACCEPTED
    registry, project = kiosk.store.registry, kiosk.store.project
    view = registry.get_feature_view("visits", project)
    view.state = FeatureViewState.MATERIALIZING
    registry.apply_feature_view(view, project)
    assert registry.get_feature_view("visits", project).state != FeatureViewState.MATERIALIZING


def test_every_route_of_stock_is_looked_at(kiosk: Kiosk) -> None:
    """What a later Feast brings has to be told, too."""
    known = {route.split(" ")[1] for route in (*NOT_HERE, *MATERIALIZING)}
    known |= {"/get-online-features", "/push", "/write-to-online-store", "/health", "/ws/chat"}
    known |= {"/openapi.json", "/docs", "/redoc", "/docs/oauth2-redirect"}
    assert {getattr(route, "path", "") for route in get_app(kiosk.store).routes} <= known
