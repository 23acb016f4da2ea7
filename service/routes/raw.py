"""What the raw endpoints share: bodies of any size in, counting, shedding, and an error for whatever goes wrong.

A raw endpoint is called by `service.http` with the bytes of an ordinary request, and by ASGI with all others.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Protocol

from service.errors import Overloaded, RequestTooLarge
from service.metrics import Metrics
from service.routes.problems import Answer, ProblemAnswers
from service.settings import Settings

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]

# What of a body that is too long is read all the same, so that its sender sees the answer.
DROPPED_BYTES = 64 * 1024 * 1024
DROPPING_SECONDS = 2.0


class ClientGone(Exception):
    """The client closed the connection before its request was whole."""


class Respond(Protocol):
    """What an endpoint does: the body of a 200, or a whole answer. It awaits nothing but futures (service.http)."""

    def __call__(self, body: bytes, headers: Headers, query: bytes) -> Awaitable[bytes | Answer]:
        """May raise whatever has an answer in service.routes.problems, at once or when it is awaited."""


class RawEndpoint:
    """One for each path and worker."""

    def __init__(
        self, path: str, respond: Respond, problems: ProblemAnswers, metrics: Metrics, settings: Settings, advice: str
    ) -> None:
        """`advice` is what the sender of a body that is too long is told to do."""
        self.path = path
        self._respond = respond
        self._problems = problems
        self._metrics = metrics
        self._cells = metrics.cells
        self._max_body = settings.max_body_bytes
        self._advice = advice
        self._max_in_flight = settings.max_requests_in_flight
        self._in_flight = 0
        self._in_flight_cell = metrics.cell("requests_in_flight")
        self._status_cells: dict[int, int] = {}
        self._seconds = metrics.histogram("request_seconds", path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: bodies of any size, however they come."""
        try:
            body = await read_body(receive, self._max_body, self._advice)
            answer = await self.answer(body, scope["headers"], scope["query_string"])
        except ClientGone:
            return
        except RequestTooLarge as error:  # more of the body may still be on its way
            refusal = self._problems.answer(error)
            self._metrics.count("requests", self.path, str(refusal.status))
            answer = Answer(refusal.status, refusal.body, refusal.content_type, ((b"connection", b"close"),))
        await send_answer(send, answer)

    async def answer(self, body: bytes, headers: Headers, query: bytes = b"") -> Answer:
        """The answer to a body, whatever it is; never raises. Hot."""
        started = time.perf_counter()
        if self._in_flight >= self._max_in_flight:
            self._metrics.count("requests_shed")
            answer = self._problems.answer(Overloaded(f"{self._in_flight} requests are being answered already."))
        else:
            self._in_flight += 1
            self._cells[self._in_flight_cell] += 1
            try:
                found = await self._respond(body, headers, query)
                answer = Answer(200, found) if isinstance(found, bytes) else found
            except Exception as error:
                answer = self._problems.answer(error)
            finally:
                self._in_flight -= 1
                self._cells[self._in_flight_cell] -= 1
        cell = self._status_cells.get(answer.status)
        if cell is None:
            cell = self._status_cells[answer.status] = self._metrics.cell("requests", self.path, str(answer.status))
        self._cells[cell] += 1
        self._seconds.observe(time.perf_counter() - started)
        return answer


async def read_body(receive: Receive, limit: int, advice: str) -> bytes:
    """The whole body; raises RequestTooLarge for one over `limit` bytes, ClientGone when the client goes."""
    coming = _chunks(receive)
    chunks = []
    size = 0
    async for chunk in coming:
        size += len(chunk)
        if size > limit:
            await _drop(coming)
            raise RequestTooLarge.because(f"The body is longer than the {limit} bytes that are allowed: {advice}.")
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
