"""An open-loop producer: `python -m loadtest.producer PORT RATE ROWS`, so many pushes a second until its input ends.

A push is sent when it is due, whether or not those before it were answered, and its latency counts from when it was due: so a
server that stalls can't slow the stream down and look good by it. When it has begun it prints a line, and at the end what
it found, as JSON. It takes about 5 % of a core at 200 pushes/s of 10 rows, on the load's core.
"""

import asyncio
import contextlib
import http
import sys
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import cycle
from typing import NamedTuple, cast

import msgspec
import orjson
import uvloop

from loadtest.pushes import push_scenario
from loadtest.scenario import Scenario
from loadtest.servers import HOST
from loadtest.stamps import Ticks

CONNECTIONS = 4  # to begin with; a push that finds none free opens one more
END = b"\r\n\r\n"


@dataclass(slots=True)
class Stream:
    """What became of a stream of pushes: how many had which status (0: no answer), and latencies in microseconds.

    `written` is how many rows the answers said were written.
    """

    due: int = 0
    statuses: dict[int, int] = field(default_factory=dict)
    written: int = 0
    latencies_us: list[int] = field(default_factory=list)

    def add(self, answer: "Answer", latency_us: int) -> None:
        """Count an answer."""
        self.statuses[answer.status] = self.statuses.get(answer.status, 0) + 1
        if answer.status == http.HTTPStatus.OK:
            self.written += orjson.loads(answer.body)["written"]
        self.latencies_us.append(latency_us)


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    body: bytes


NO_ANSWER = Answer(0, b"")


class Connection(asyncio.Protocol):
    """A connection with at most one request under way."""

    def __init__(self) -> None:
        """Make one that isn't connected yet."""
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._answer: asyncio.Future[Answer] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what is written to."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's isn't a subclass

    def send(self, request: bytes) -> asyncio.Future[Answer]:
        """Send a request; ConnectionError when the connection has ended. The future gives NO_ANSWER when it ends now."""
        if self._transport is None:
            raise ConnectionError("the server has ended the connection")
        self._answer = asyncio.get_running_loop().create_future()
        self._received = b""
        self._transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        """End the request when its answer is complete."""
        self._received += data
        if (answer := complete_answer(self._received)) and self._answer and not self._answer.done():
            self._answer.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        """Say that there is no answer to what is under way."""
        self._transport = None
        if self._answer and not self._answer.done():
            self._answer.set_result(NO_ANSWER)


def complete_answer(received: bytes) -> Answer | None:
    """Return an HTTP/1.1 answer with a Content-Length, None as long as a part of it is missing."""
    head, found, body = received.partition(END)
    if not found:
        return None
    lines = head.lower().split(b"\r\n")
    length = next((int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:")), 0)
    return Answer(int(lines[0].split()[1]), body) if len(body) >= length else None


def requests(scenario: Scenario) -> Iterable[bytes]:
    """Yield the scenario's bodies as whole requests, stamped at the moment, again and again."""
    if scenario.stamp is None:
        raise ValueError(f"{scenario.name}: a push that is sent again needs a newer event time")
    ticks = Ticks(scenario.stamp)
    headers = "".join(f"{name}: {value}\r\n" for name, value in scenario.headers)
    for body in cycle(scenario.bodies):
        head = f"{scenario.method} {scenario.path} HTTP/1.1\r\nHost: {HOST}\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
        yield head.encode() + scenario.stamp.fill(body, ticks.next())


async def produce(port: int, per_second: float, scenario: Scenario, ended: asyncio.Event) -> Stream:
    """Send pushes at a fixed rate until `ended`, and wait for the last answers."""
    loop = asyncio.get_running_loop()
    stream, free = Stream(), deque[Connection]()

    async def connect() -> Connection:
        _, connection = await loop.create_connection(Connection, HOST, port)
        return connection

    async def push(request: bytes, since: float) -> None:
        answer = NO_ANSWER
        with contextlib.suppress(OSError):
            connection = free.pop() if free else await connect()
            answer = await connection.send(request)
        if answer is not NO_ANSWER:
            free.append(connection)
        stream.add(answer, round((time.monotonic() - since) * 1e6))

    free.extend([await connect() for _ in range(CONNECTIONS)])
    due = time.monotonic()
    async with asyncio.TaskGroup() as pushes:
        for request in requests(scenario):
            due += 1 / per_second
            if (early := due - time.monotonic()) > 0:
                await asyncio.sleep(early)
            if ended.is_set():
                break
            stream.due += 1
            pushes.create_task(push(request, min(due, time.monotonic())))  # uvloop's timers may be a millisecond early
    return stream


async def main(port: int, per_second: float, rows: int) -> Stream:
    """Produce until the input ends."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), ended.set)  # nothing is ever written to it
    producing = loop.create_task(produce(port, per_second, push_scenario(rows), ended))
    print("begun", flush=True)
    return await producing


if __name__ == "__main__":
    port, per_second, rows = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(msgspec.json.encode(runner.run(main(port, per_second, rows))).decode(), flush=True)
