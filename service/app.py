"""The service of one worker, put together: resources, routes, and what happens from start to stop."""

import contextlib
import functools
import gc
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.base import RequestResponseEndpoint

from service.catalog import NOT_READ_YET, Catalog, CatalogClient
from service.errors import CatalogUnavailable, ConfigurationError, InvalidRequest, Problem
from service.http import Answer as HotAnswer
from service.http import Head
from service.metrics import Metrics
from service.resources import Resources
from service.routes import online_features, push
from service.routes.documentation import RAW_PATHS, document_raw_routes, documented, error_responses
from service.routes.information import information_routes
from service.routes.materialization import materialization_routes
from service.routes.problems import Answer, ProblemAnswers
from service.routes.quarantined import quarantine_routes
from service.routes.raw import RawEndpoint, Receive, Respond, Scope, Send, send_answer
from service.routes.validation import validation_routes
from service.settings import Settings

logger = logging.getLogger(__name__)

DESCRIPTION = "Serves features that Feast defines and keeps in Redis, and takes new ones that pass validation."


class FeatureService:
    """The ASGI application: the raw endpoints are dispatched before anything else sees the request."""

    def __init__(
        self,
        settings: Settings,
        definitions: Path,
        metrics_directory: Path,
        expectations: Path | None,
        strict: bool,
        repo: Path | None = None,
    ) -> None:
        """`definitions` is the socket of the definitions process, `expectations` a GX project's folder.

        `repo` is what feature-service was given, for materializations; without it there are none.

        `strict`: suites that can't be used (ConfigurationError) and push sources whose validation is misconfigured (`fatal`)
        end the process, as they should when the whole service starts. A worker that takes another's place goes on, and refuses
        what is pushed to them.
        """
        self.settings = settings
        self.metrics = Metrics(metrics_directory)
        self.fatal: ConfigurationError | None = None
        self.on_fatal: Callable[[], None] = lambda: None
        # Awaited when everything has been begun, before connections are accepted.
        self.before_accepting: Callable[[], Awaitable[None]] = _nothing
        self._strict = strict
        self._resources = Resources(settings, self.metrics, expectations, strict, repo)
        self.catalog = CatalogClient(definitions, self.metrics, self._open, self._check_sources, self._resources.functions.load)
        self._problems = ProblemAnswers(settings.error_format, settings.retry_after_seconds)
        # By path; service.http.HotPaths has those of them that are ready.
        self._raw: dict[str, RawEndpoint] = {}
        self.answers: dict[bytes, HotAnswer] = {}
        self.heads: dict[bytes, Head] = {}
        self.max_body = settings.max_body_bytes
        self._app = self._build()

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """ASGI. Not a coroutine itself, so that a raw endpoint's is the only one between uvicorn and the read."""
        if scope["type"] == "http" and scope["path"] in RAW_PATHS and scope["method"] == "POST":
            endpoint = self._raw.get(scope["path"])
            return self._refuse(scope["path"], send) if endpoint is None else endpoint(scope, receive, send)
        return self._app(scope, receive, send)

    def _open(self, catalog: Catalog) -> None:
        """Called with the first catalog: it says where Redis is."""
        reader = self._resources.open(catalog)
        writer = self._resources.writer
        reads = online_features.OnlineFeatures(self.catalog, reader, self.metrics, self.settings)
        self._serve(online_features.PATH, reads, online_features.ADVICE)
        self._serve(push.PUSH_PATH, push.Pushes(self.catalog, writer, self.metrics), push.ADVICE)
        self._serve(push.WRITE_PATH, push.ViewWrites(self.catalog, writer, self.metrics), push.ADVICE)
        reasons = self._check_sources(catalog)
        if reasons and self._strict:
            self._fail(ConfigurationError(" ".join(reasons)))
        # What has been loaded by now stays: the collector needn't look at it again.
        gc.collect()
        gc.freeze()

    def _serve(self, path: str, respond: Respond, advice: str) -> None:
        endpoint = RawEndpoint(path, respond, self._problems, self.metrics, self.settings, advice)
        self._raw[path] = endpoint
        self.answers[path.encode()] = endpoint.answer

    def _check_sources(self, catalog: Catalog) -> list[str]:
        reasons = self._resources.check_sources(catalog)
        for reason in reasons:
            logger.error("%s Pushes to it are refused.", reason)
        return reasons

    async def tried(self) -> None:
        """Return when there are definitions and Redis, or it is known why there aren't."""
        await self.catalog.tried.wait()
        await self._resources.tried()

    def interrupt(self) -> None:
        """The process is to end: have whoever waits for a materialization answered while there is time."""
        self._resources.interrupt()

    def _fail(self, error: ConfigurationError) -> None:
        """End the process: it can't run as it is configured."""
        self.fatal = error
        self.on_fatal()

    async def _refuse(self, path: str, send: Send) -> None:
        """What a raw endpoint answers before the first catalog."""
        answer = self._problems.answer(CatalogUnavailable(self.catalog.failure or NOT_READ_YET))
        self.metrics.count("requests", path, str(answer.status))
        await send_answer(send, answer)

    def _build(self) -> FastAPI:
        app = FastAPI(title="Feature service", description=DESCRIPTION, version="0.1.0", lifespan=self._lifespan)
        errors = functools.partial(error_responses, error_format=self.settings.error_format)
        resources = self._resources
        app.include_router(information_routes(self.catalog, lambda: resources.reads, self.metrics, errors))
        app.include_router(validation_routes(self.catalog, resources.validator, self.settings, errors))
        app.include_router(quarantine_routes(self.catalog, lambda: resources.quarantine, lambda: resources.writer, errors))
        app.include_router(materialization_routes(self.catalog, lambda: resources.jobs, self.settings, errors))
        document_raw_routes(app, errors)
        app.add_exception_handler(Exception, self._on_error)
        app.add_exception_handler(HTTPException, self._on_http_error)
        app.add_exception_handler(RequestValidationError, self._on_invalid_parameters)
        app.middleware("http")(self._count)
        app.openapi = functools.partial(documented, app)  # type: ignore[method-assign]
        return app

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        self.metrics.set("workers", 1)
        try:
            await self._resources.start()
        except ConfigurationError as error:
            self._fail(error)
        self.catalog.start()
        try:
            await self.before_accepting()
            yield
        finally:
            await self.catalog.stop()
            await self._resources.stop()
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

    async def _on_invalid_parameters(self, _: Request, error: Exception) -> Response:
        """A parameter of a path or query that FastAPI refuses."""
        assert isinstance(error, RequestValidationError)  # noqa: S101 - the handler is registered for nothing else
        found = [(str(each["loc"][-1]), f"{each['msg']}, not {each.get('input')!r}.") for each in error.errors()]
        problems = [Problem(f"{name}: {message}", name) for name, message in found]
        return _respond(self._problems.answer(InvalidRequest(problems)))

    async def _on_http_error(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - the handler is registered for nothing else
        detail = f"{request.method} {request.url.path}: {error.detail}."
        answer = _respond(self._problems.plain(error.status_code, error.detail, detail))
        answer.headers.update(error.headers or {})
        return answer


async def _nothing() -> None:
    """What there is to wait for where nobody says."""


def _respond(answer: Answer) -> Response:
    headers = {name.decode(): value.decode() for name, value in answer.headers}
    return Response(answer.body, answer.status, headers, answer.content_type.decode())
