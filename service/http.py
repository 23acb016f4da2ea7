"""uvicorn's HTTP protocol, with a short way for the requests that are most of the traffic.

An ordinary POST to a hot path (HTTP/1.1, a Content-Length that fits one buffer, nothing else under way on the connection)
goes from the parser to the endpoint and back as bytes, without a scope, messages and the checks of headers that the server
itself makes; and not even through the parser where its head was parsed before. Everything out of the ordinary, and every other
route, goes uvicorn's way, through ASGI.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar, NamedTuple, Protocol, TypeAlias, cast

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

# What an endpoint gives: status, body, content type, other headers.
Answered: TypeAlias = tuple[int, bytes, bytes, tuple[tuple[bytes, bytes], ...]]
# What a body and its headers are answered with; it awaits nothing but futures, and never raises.
Answer = Callable[[bytes, Sequence[tuple[bytes, bytes]]], Awaitable[Answered]]


class Head(NamedTuple):
    """What the parser made of a request's head: the endpoint that it is for, its headers, the bytes of its body."""

    answer: Answer
    headers: Sequence[tuple[bytes, bytes]]
    length: int


class HotPaths(Protocol):
    """What is served the short way: the endpoint of each path. A path that isn't there (yet) goes uvicorn's way.

    `heads` remembers heads that were parsed: a client sends the same one again and again, but for the Content-Length.
    """

    answers: Mapping[bytes, Answer]
    heads: dict[bytes, Head]
    max_body: int


# Heads that are remembered, of some 300 bytes each, and the longest of them.
MAX_HEADS = 4096
LONGEST_HEAD = 2048


_STATUS_LINES = {status.value: b"HTTP/1.1 %d %s\r\n" % (status.value, status.phrase.encode()) for status in HTTPStatus}


class CoalescingTransport:
    """Collects what is written in one turn of the event loop: a write to a socket costs more than a whole small read."""

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

    def write_whole(self, data: bytes) -> None:
        """Send at once what nothing more belongs to: the client goes on while the next answer is made."""
        self._unsent.append(data)
        self._flush()

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

    __slots__ = ("answer", "body", "disconnected", "headers", "keep_alive", "message_event", "more_body", "response_complete")

    # Nobody waits for it: the endpoint starts when the body is whole.
    _never_awaited = asyncio.Event()

    def __init__(self, answer: Answer, headers: Sequence[tuple[bytes, bytes]], body: bytes | None = None) -> None:
        """`body` is None if it is still to come."""
        self.answer = answer
        self.headers = headers
        self.body = bytearray() if body is None else body
        self.more_body = body is None
        self.keep_alive = True
        self.disconnected = False
        self.response_complete = False
        self.message_event = self._never_awaited


class HotHttpProtocol(HttpToolsProtocol):
    """For uvicorn.Config's `http`, with the hot paths bound to it."""

    # The default headers as they were last written, for all connections.
    _default: ClassVar[tuple[list[tuple[bytes, bytes]], bytes]] = ([], b"")

    def __init__(self, hot: HotPaths, **options: Any) -> None:
        super().__init__(**options)
        self._hot = hot
        # Whether the parser is in the middle of a message, and what it was given when it wasn't.
        self._is_parsing = False
        self._given = b""
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

    def data_received(self, data: bytes) -> None:
        """Called by the event loop. Hot: a whole request with a head that was parsed before needn't go through the parser."""
        if not self._is_parsing and (self.cycle is None or self.cycle.response_complete):
            head, _, body = data.partition(b"\r\n\r\n")
            known = self._hot.heads.get(head)
            if known is not None and known.length == len(body):
                self._unset_keepalive_if_required()
                cycle = HotCycle(known.answer, known.headers, body)
                self.cycle = cast(RequestResponseCycle, cycle)
                run_eagerly(self._answer(cycle), self.loop)
                return
            self._given = data
        super().data_received(data)
        self._given = b""

    def on_message_begin(self) -> None:
        """Called by the parser. Hot: the scope is made when it is needed."""
        self._is_parsing = True
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        """Called by the parser. Hot."""
        answer = self._hot.answers.get(self.url)
        if answer is not None and self._is_ordinary():
            self.cycle = cast(RequestResponseCycle, HotCycle(answer, self.headers))
            return
        url, expects, headers = self.url, self.expect_100_continue, self.headers
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)
        super().on_headers_complete()

    def _is_ordinary(self) -> bool:
        parser = self.parser
        return (
            parser.get_method() == b"POST"
            and (self.cycle is None or self.cycle.response_complete)
            and not self.expect_100_continue
            and parser.get_http_version() == "1.1"
            and parser.should_keep_alive()
            and not parser.should_upgrade()
            and self._content_length() <= min(HIGH_WATER_LIMIT, self._hot.max_body)
        )

    def _content_length(self) -> int:
        for name, value in self.headers:
            if name == b"content-length":
                return int(value)  # the parser has checked it
        return HIGH_WATER_LIMIT + 1

    def on_message_complete(self) -> None:
        """Called by the parser. Hot."""
        self._is_parsing = False
        cycle: object = self.cycle
        if not isinstance(cycle, HotCycle):
            super().on_message_complete()
            return
        cycle.more_body = False
        self._remember(cycle)
        run_eagerly(self._answer(cycle), self.loop)

    def _remember(self, cycle: HotCycle) -> None:
        """Remember a head if it and the body were all that came, so that the same bytes mean the same the next time."""
        head, end, body = self._given.partition(b"\r\n\r\n")
        if end and body == cycle.body and len(head) <= LONGEST_HEAD:
            heads = self._hot.heads
            if len(heads) >= MAX_HEADS:
                heads.clear()
            heads[head] = Head(cycle.answer, tuple(cycle.headers), len(body))

    async def _answer(self, cycle: HotCycle) -> None:
        """Hot."""
        answer = await cycle.answer(bytes(cycle.body), cycle.headers)
        if cycle.disconnected:
            return
        if self.flow.write_paused:
            await self.flow.drain()
        status, body, content_type, headers = answer
        more = b"".join([b"%s: %s\r\n" % header for header in headers]) if headers else b""
        if not cycle.keep_alive:
            more += b"connection: close\r\n"
        head = _STATUS_LINES[status] + self._default_headers()
        self._coalescing.write_whole(
            b"%s%scontent-type: %s\r\ncontent-length: %d\r\n\r\n%s" % (head, more, content_type, len(body), body)
        )
        cycle.response_complete = True
        if not cycle.keep_alive:
            self.transport.close()
        if self.pipeline:
            self.on_response_complete()
        else:
            self._rest()

    def _default_headers(self) -> bytes:
        """Those that uvicorn gives every answer; it makes a new list each second, for the date. Hot."""
        headers = self.server_state.default_headers
        made_of, text = HotHttpProtocol._default
        if made_of is not headers:
            text = b"".join([b"%s: %s\r\n" % header for header in headers])
            HotHttpProtocol._default = (headers, text)
        return text

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
