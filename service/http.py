"""uvicorn's HTTP protocol, with a short way for the one request that is most of the traffic.

An ordinary POST to the hot path (HTTP/1.1, a Content-Length that fits one buffer, nothing else under way on the connection)
goes from the parser to the endpoint and back as bytes, without a scope, messages and the checks of headers that the server
itself makes. Everything out of the ordinary, and every other route, goes uvicorn's way, through ASGI.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from http import HTTPStatus
from typing import Any, Protocol, cast

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle


class Answered(Protocol):
    """What the endpoint gives."""

    status: int
    body: bytes
    content_type: bytes
    headers: tuple[tuple[bytes, bytes], ...]


class HotEndpoint(Protocol):
    """What is served the short way. `answer` is None as long as requests have to go uvicorn's way."""

    path: bytes
    max_body: int
    answer: Callable[[bytes], Awaitable[Answered]] | None


_STATUS_LINES = {status.value: b"HTTP/1.1 %d %s\r\n" % (status.value, status.phrase.encode()) for status in HTTPStatus}


class CoalescingTransport:
    """Collects what is written in one turn of the event loop: a write to a socket costs more than a whole small read.

    So do the answers to several connections that end in one turn: written one behind the other, the first of them wakes
    the client's process, the others find it awake.
    """

    __slots__ = ("_call_soon", "_transport", "_unsent")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._call_soon = loop.call_soon
        self._unsent: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Send at the end of this turn of the loop."""
        if not self._unsent:
            self._call_soon(self._flush)
        self._unsent.append(data)

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, []
        if unsent and not self._transport.is_closing():
            self._transport.write(b"".join(unsent))

    def close(self) -> None:
        """Send what is left, then close."""
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class HotCycle:
    """One request on the short way; it has what HttpToolsProtocol looks at in a RequestResponseCycle."""

    __slots__ = ("body", "disconnected", "keep_alive", "message_event", "more_body", "response_complete")

    # Nobody waits for it: the endpoint starts when the body is whole.
    _never_awaited = asyncio.Event()

    def __init__(self) -> None:
        self.body = bytearray()
        self.more_body = True
        self.keep_alive = True
        self.disconnected = False
        self.response_complete = False
        self.message_event = self._never_awaited


class HotHttpProtocol(HttpToolsProtocol):
    """For uvicorn.Config's `http`, with the endpoint bound to it."""

    def __init__(self, endpoint: HotEndpoint, **options: Any) -> None:
        super().__init__(**options)
        self._endpoint = endpoint
        # When the last answer of the short way was given, and the timer that looks at it.
        self._idle_since = 0.0
        self._idle_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called by the event loop."""
        self._coalescing = CoalescingTransport(transport, self.loop)
        super().connection_made(cast(asyncio.Transport, self._coalescing))

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Called by the parser. Hot: the scope is made when it is needed."""
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        """Called by the parser. Hot."""
        if self.url == self._endpoint.path and self._is_ordinary():
            self.cycle = cast(RequestResponseCycle, HotCycle())
            return
        url, expects, headers = self.url, self.expect_100_continue, self.headers
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)
        super().on_headers_complete()

    def _is_ordinary(self) -> bool:
        parser = self.parser
        return (
            self._endpoint.answer is not None
            and parser.get_method() == b"POST"
            and (self.cycle is None or self.cycle.response_complete)
            and not self.expect_100_continue
            and parser.get_http_version() == "1.1"
            and parser.should_keep_alive()
            and not parser.should_upgrade()
            and self._content_length() <= min(HIGH_WATER_LIMIT, self._endpoint.max_body)
        )

    def _content_length(self) -> int:
        for name, value in self.headers:
            if name == b"content-length":
                return int(value)  # the parser has checked it
        return HIGH_WATER_LIMIT + 1

    def on_message_complete(self) -> None:
        """Called by the parser. Hot."""
        cycle: object = self.cycle
        if not isinstance(cycle, HotCycle):
            super().on_message_complete()
            return
        cycle.more_body = False
        run_eagerly(self._answer(cycle), self.loop)

    async def _answer(self, cycle: HotCycle) -> None:
        """Hot."""
        assert self._endpoint.answer is not None  # noqa: S101 - _is_ordinary has looked; it is never unset
        answer = await self._endpoint.answer(bytes(cycle.body))
        if cycle.disconnected:
            return
        if self.flow.write_paused:
            await self.flow.drain()
        head = [_STATUS_LINES[answer.status]]
        for name, value in (*self.server_state.default_headers, *answer.headers):
            head.append(b"%s: %s\r\n" % (name, value))
        if not cycle.keep_alive:
            head.append(b"connection: close\r\n")
        head.append(b"content-type: %s\r\ncontent-length: %d\r\n\r\n" % (answer.content_type, len(answer.body)))
        head.append(answer.body)
        self._coalescing.write(b"".join(head))
        cycle.response_complete = True
        if not cycle.keep_alive:
            self.transport.close()
        if self.pipeline:
            self.on_response_complete()
        else:
            self._rest()

    def _rest(self) -> None:
        """What on_response_complete does, with a timer that is looked at when it fires instead of set anew each time."""
        self.server_state.total_requests += 1
        self._idle_since = self.loop.time()
        if self._idle_timer is None:
            self._idle_timer = self.loop.call_later(self.timeout_keep_alive, self._look_at_idle)

    def _look_at_idle(self) -> None:
        self._idle_timer = None
        if self.transport.is_closing() or self.timeout_keep_alive_task is not None or not self.cycle.response_complete:
            return
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._idle_timer = self.loop.call_later(left, self._look_at_idle)
        else:
            self.transport.close()


def run_eagerly(coroutine: Coroutine[Any, None, None], loop: asyncio.AbstractEventLoop) -> None:
    """Run a coroutine that must not raise, its first part at once, the rest as what it waits for is done.

    What a Task does, without one: for a coroutine that nobody awaits or cancels, and that waits for a single future, a Task
    costs as much as reading four features does.
    """

    def step(_: object = None) -> None:
        try:
            future: Any = coroutine.send(None)
        except StopIteration:
            return
        except Exception as error:
            loop.call_exception_handler({"message": "A request's coroutine raised.", "exception": error})
            return
        if future is None:  # asyncio.sleep(0)
            loop.call_soon(step)
            return
        future._asyncio_future_blocking = False  # as asyncio.Task does, to say that the future was taken
        future.add_done_callback(step)

    step()
