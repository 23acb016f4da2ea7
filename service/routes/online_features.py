"""POST /get-online-features as a raw ASGI endpoint: body bytes to a plan to bytes, with nothing of a framework between."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

from service.catalog import CatalogClient
from service.errors import InvalidRequest, Overloaded, RequestTooLarge
from service.metrics import Metrics
from service.plan import ReadPlan, Shape, compile_plan
from service.reader import Reader
from service.routes.bodies import OnlineFeaturesBody, parse_body, parse_features
from service.routes.problems import Answer, ProblemAnswers
from service.settings import Settings

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PATH = "/get-online-features"

# What of a body that is too long is read all the same, so that its sender sees the answer.
DROPPED_BYTES = 64 * 1024 * 1024
DROPPING_SECONDS = 2.0


class ClientGone(Exception):
    """The client closed the connection before its request was whole."""


class OnlineFeatures:
    """The endpoint. One for each worker."""

    def __init__(
        self, catalog: CatalogClient, reader: Reader, problems: ProblemAnswers, metrics: Metrics, settings: Settings
    ) -> None:
        self._catalog = catalog
        self._reader = reader
        self._problems = problems
        self._metrics = metrics
        self._cells = metrics.cells
        self._max_body = settings.max_body_bytes
        self._max_features = settings.max_features
        self._max_in_flight = settings.max_requests_in_flight
        self._in_flight = 0
        self._in_flight_cell = metrics.cell("requests_in_flight")
        self._status_cells: dict[int, int] = {}
        self._seconds = metrics.histogram("request_seconds", PATH)
        self._parse_seconds = metrics.histogram("read_phase_seconds", "parse")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: bodies of any size, however they come."""
        try:
            answer = await self.answer(await read_body(receive, self._max_body))
        except ClientGone:
            return
        except RequestTooLarge as error:  # more of the body may still be on its way
            refusal = self._problems.answer(error)
            self._metrics.count("requests", PATH, str(refusal.status))
            answer = Answer(refusal.status, refusal.body, refusal.content_type, ((b"connection", b"close"),))
        await send_answer(send, answer)

    async def answer(self, body: bytes) -> Answer:
        """The answer to a body, whatever it is; never raises. Hot."""
        started = time.perf_counter()
        if self._in_flight >= self._max_in_flight:
            self._metrics.count("requests_shed")
            answer = self._problems.answer(Overloaded(f"{self._in_flight} requests are being answered already."))
        else:
            self._in_flight += 1
            self._cells[self._in_flight_cell] += 1
            try:
                request = parse_body(body)
                plan = self._plan(request, body)
                self._parse_seconds.observe(time.perf_counter() - started)
                answer = Answer(200, await self._reader.read(plan, request.entities))
            except Exception as error:
                answer = self._problems.answer(error)
            finally:
                self._in_flight -= 1
                self._cells[self._in_flight_cell] -= 1
        cell = self._status_cells.get(answer.status)
        if cell is None:
            cell = self._status_cells[answer.status] = self._metrics.cell("requests", PATH, str(answer.status))
        self._cells[cell] += 1
        self._seconds.observe(time.perf_counter() - started)
        return answer

    def _plan(self, request: OnlineFeaturesBody, body: bytes) -> ReadPlan:
        """The plan of a request's shape, compiled on its first appearance. Hot on a hit."""
        catalog = self._catalog.require()
        key = (
            bytes(request.features),
            request.feature_service,
            request.full_feature_names,
            request.include_feature_view_version_metadata,
            tuple(request.entities),
        )
        plan: ReadPlan | None = catalog.plans.get(key)
        if plan is None:
            plan = compile_plan(catalog, self._shape(request, body))
            catalog.keep_plan(key, plan, plan.features, len(body))
        return plan

    def _shape(self, request: OnlineFeaturesBody, body: bytes) -> Shape:
        features = parse_features(request, body)
        if features and request.feature_service:
            message = "Give either features or feature_service, not both."
            raise InvalidRequest.because(message, "feature_service")
        if not features and not request.feature_service:
            message = 'No features are asked for: give features, a list of "view:feature", or feature_service, a name.'
            raise InvalidRequest.because(message, "features")
        if len(features) > self._max_features:
            message = f"{len(features)} features are more than the {self._max_features} that one request may ask for; split it."
            raise RequestTooLarge.because(message, "features")
        return Shape(
            columns=tuple(request.entities),
            features=features or None,
            service=request.feature_service or None,
            full_names=request.full_feature_names,
            view_metadata=request.include_feature_view_version_metadata,
        )


async def read_body(receive: Receive, limit: int) -> bytes:
    """The whole body; raises RequestTooLarge for one over `limit` bytes, ClientGone when the client goes."""
    coming = _chunks(receive)
    chunks = []
    size = 0
    async for chunk in coming:
        size += len(chunk)
        if size > limit:
            await _drop(coming)
            message = f"The body is longer than the {limit} bytes that are allowed: ask for fewer entities at a time."
            raise RequestTooLarge.because(message)
        chunks.append(chunk)
    return b"".join(chunks)


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        yield message.get("body", b"")
        more = message.get("more_body", False)


async def _drop(coming: AsyncIterator[bytes]) -> None:
    """Read on for a moment: an answer that is sent while the client still writes may never reach it."""
    dropped = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DROPPING_SECONDS):
            async for chunk in coming:
                dropped += len(chunk)
                if dropped > DROPPED_BYTES:
                    return


async def send_answer(send: Send, answer: Answer) -> None:
    """Write an answer to an ASGI connection. Hot."""
    headers = [(b"content-type", answer.content_type), (b"content-length", b"%d" % len(answer.body)), *answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
