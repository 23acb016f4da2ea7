"""The service of one worker, put together: resources, routes, and what happens from start to stop."""

import contextlib
import functools
import gc
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.middleware.base import RequestResponseEndpoint

from service.catalog import NOT_READ_YET, Catalog, CatalogClient
from service.errors import CatalogUnavailable
from service.metrics import Metrics
from service.reader import Reader
from service.routes import online_features
from service.routes.documentation import documented, error_responses
from service.routes.information import information_routes
from service.routes.models import OnlineFeaturesRequest, OnlineFeaturesResponse
from service.routes.online_features import OnlineFeatures, Receive, Scope, Send
from service.routes.problems import Answer, ProblemAnswers
from service.settings import Settings
from service.store import RedisStore, parse_address

logger = logging.getLogger(__name__)

DESCRIPTION = "Serves features that Feast defines and keeps in Redis."


class FeatureService:
    """The ASGI application: the hot endpoint is dispatched before anything else sees the request."""

    def __init__(self, settings: Settings, definitions: Path, metrics_directory: Path) -> None:
        """`definitions` is the socket of the definitions process."""
        self.settings = settings
        self.metrics = Metrics(metrics_directory)
        self.catalog = CatalogClient(definitions, self.metrics, self._open_store)
        self.store: RedisStore | None = None
        self._problems = ProblemAnswers(settings.error_format, settings.retry_after_seconds)
        self._read: Callable[[Scope, Receive, Send], Awaitable[None]] = self._refuse
        # service.http.HotEndpoint
        self.path = online_features.PATH.encode()
        self.max_body = settings.max_body_bytes
        self.answer: Callable[[bytes], Awaitable[Answer]] | None = None
        self._app = self._build()

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """ASGI. Not a coroutine itself, so that the hot endpoint's is the only one between uvicorn and the read."""
        if scope["type"] == "http" and scope["path"] == online_features.PATH and scope["method"] == "POST":
            return self._read(scope, receive, send)
        return self._app(scope, receive, send)

    def _open_store(self, catalog: Catalog) -> None:
        """Called with the first catalog: it says where Redis is."""
        settings = self.settings
        self.store = RedisStore(
            parse_address(catalog.definition.online_store.connection_string),
            _StoreMetrics(self.metrics),
            connections=settings.redis_connections,
            read_timeout=settings.read_deadline_ms / 1000,
            connect_timeout=settings.redis_connect_timeout_ms / 1000,
        )
        self.store.start()
        reader = Reader(self.store, self.metrics, settings.max_entities, settings.expired_values == "keep")
        endpoint = OnlineFeatures(self.catalog, reader, self._problems, self.metrics, settings)
        self._read, self.answer = endpoint, endpoint.answer
        # What has been loaded by now stays: the collector needn't look at it again.
        gc.collect()
        gc.freeze()

    async def _refuse(self, _: Scope, __: Receive, send: Send) -> None:
        """What the hot endpoint is before the first catalog."""
        answer = self._problems.answer(CatalogUnavailable(self.catalog.failure or NOT_READ_YET))
        self.metrics.count("requests", online_features.PATH, str(answer.status))
        await online_features.send_answer(send, answer)

    def _build(self) -> FastAPI:
        app = FastAPI(title="Feature service", description=DESCRIPTION, version="0.1.0", lifespan=self._lifespan)
        errors = error_responses((500, 503), self.settings.error_format)
        app.include_router(information_routes(self.catalog, lambda: self.store, self.metrics, errors))
        app.add_api_route(
            online_features.PATH,
            _documented,
            methods=["POST"],
            response_model=OnlineFeaturesResponse,
            responses=error_responses((400, 404, 413, 422, 500, 501, 503), self.settings.error_format),
            summary="Get online features",
            tags=["features"],
        )
        app.add_exception_handler(Exception, self._on_error)
        app.add_exception_handler(HTTPException, self._on_http_error)
        app.middleware("http")(self._count)
        app.openapi = functools.partial(documented, app)  # type: ignore[method-assign]
        return app

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        self.metrics.set("workers", 1)
        self.catalog.start()
        try:
            yield
        finally:
            await self.catalog.stop()
            if self.store is not None:
                await self.store.stop()
            self.metrics.close()

    async def _count(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        started = time.perf_counter()
        try:
            response = await call_next(request)
        except Exception as error:
            response = _respond(self._problems.answer(error))
        route = request.scope.get("route")
        path = getattr(route, "path", "(unknown)")
        self.metrics.count("requests", path, str(response.status_code))
        self.metrics.histogram("request_seconds", path).observe(time.perf_counter() - started)
        return response

    async def _on_error(self, _: Request, error: Exception) -> Response:
        return _respond(self._problems.answer(error))

    async def _on_http_error(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - the handler is registered for nothing else
        detail = f"{request.method} {request.url.path}: {error.detail}."
        answer = _respond(self._problems.plain(error.status_code, error.detail, detail))
        answer.headers.update(error.headers or {})
        return answer


class _StoreMetrics:
    """Counts what happens to the store."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._open = 0

    def store_connected(self) -> None:
        """A connection was opened."""
        self._open += 1
        self._metrics.set("redis_connections", self._open)
        self._metrics.count("redis_connects")

    def store_disconnected(self) -> None:
        """A connection was lost."""
        self._open -= 1
        self._metrics.set("redis_connections", self._open)

    def store_timed_out(self, batches: int) -> None:
        """Reads didn't get their answer within the deadline."""
        self._metrics.count("redis_timeouts", amount=batches)


def _respond(answer: Answer) -> Response:
    headers = {name.decode(): value.decode() for name, value in answer.headers}
    return Response(answer.body, answer.status, headers, answer.content_type.decode())


async def _documented(body: OnlineFeaturesRequest) -> Response:
    """Features of entities, with a status and an event time for each value.

    Vectors come in the order of the request: entity columns, then features.
    """
    raise RuntimeError(f"{online_features.PATH} is answered before the router: {body}")
