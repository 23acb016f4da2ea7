"""A TCP proxy that a test puts between a client and a server to delay, slow down, cut, swallow or refuse what passes."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import AsyncIterator, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

HOST = "127.0.0.1"
CHUNK_BYTES = 65_536
ANSWER_SECONDS = 10.0
# What is handed over before a cut gets this long to be read, so that the reader has seen half a reply.
BEFORE_CUT_SECONDS = 0.02
# struct linger {1, 0}: close by a reset, as a crash or a firewall does.
LINGER_RESET = struct.pack("ii", 1, 0)

T = TypeVar("T")


class TcpProxy:
    """Runs in a thread of its own, so that it serves tests of any kind; every method may be called from anywhere.

    It keeps its port for as long as it lives, also while it refuses. A context manager.
    """

    def __init__(self, target_port: int, target_host: str = HOST) -> None:
        """Nothing listens before `start()`."""
        self.target = (target_host, target_port)
        self.port = 0
        self.accepted = 0
        self.reply_delay = 0.0
        self.swallowing = False
        self._rate: float | None = None
        self._until_cut: int | None = None
        self._links: set[_Link] = set()
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="tcp-proxy")

    def __enter__(self) -> Self:
        """Start it."""
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop it."""
        self.stop()

    def start(self) -> Self:
        """Listen on a free port, and pass everything."""
        self._thread.start()
        self._run(self._listen())
        return self

    def stop(self) -> None:
        """Reset everything and stop listening."""
        self.refuse()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(ANSWER_SECONDS)
        self._loop.close()

    @property
    def connections(self) -> int:
        """How many pass through it now."""
        return len(self._links)

    def heal(self) -> None:
        """Pass everything again, at once. Connections that were swallowed are reset: bytes of theirs are lost."""
        self._run(self._heal())

    def delay(self, seconds: float) -> None:
        """Hand over what the server says, from now on, so much later; its order stays."""
        self.reply_delay = seconds

    def throttle(self, bytes_per_second: float) -> None:
        """Hand over what the server says at this rate for each connection, and read from it no faster."""
        self._rate = bytes_per_second

    def cut(self) -> None:
        """Reset every connection that there is now; new ones pass."""
        self._run(self._cut())

    def cut_after(self, count: int) -> None:
        """Hand over `count` more bytes of what the server says, over all connections together, then reset them all."""
        self._until_cut = count

    def black_hole(self) -> None:
        """Accept, take what comes, and never say anything, on connections that there are and on new ones."""
        self.swallowing = True

    def refuse(self) -> None:
        """Reset every connection and refuse new ones."""
        self._run(self._refuse())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(ANSWER_SECONDS)

    async def _listen(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, self.port))
        self.port = listener.getsockname()[1]
        self._server = await asyncio.start_server(self._accept, sock=listener)

    async def _heal(self) -> None:
        self.reply_delay, self._rate, self._until_cut = 0.0, None, None
        if self.swallowing:
            self.swallowing = False
            await self._cut()
        if self._server is None:
            await self._listen()

    async def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._cut()

    async def _cut(self) -> None:
        for link in tuple(self._links):
            link.reset()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        link = _Link(self, reader, writer)
        self._links.add(link)
        try:
            await link.run()
        finally:
            self._links.discard(link)
            link.reset()

    def take_command(self, data: bytes) -> bytes:
        """What of the client's bytes goes on to the server."""
        return b"" if self.swallowing else data

    def take_reply(self, data: bytes) -> tuple[bytes, bool]:
        """What of the server's bytes goes on to the client, and whether the cut comes behind them."""
        if self.swallowing:
            return b"", False
        if self._until_cut is None:
            return data, False
        if len(data) < self._until_cut:
            self._until_cut -= len(data)
            return data, False
        passed, self._until_cut = data[: self._until_cut], None
        return passed, True

    async def cut_now(self) -> None:
        """Reset everything, a moment after what was handed over last."""
        await asyncio.sleep(BEFORE_CUT_SECONDS)
        await self._cut()

    async def paced(self, data: bytes) -> AsyncIterator[bytes]:
        """The data at the rate in force: whole, or a hundredth of a second's worth after another, so that it trickles."""
        start = 0
        while start < len(data):
            rate = self._rate
            piece = data[start:] if rate is None else data[start : start + max(1, int(rate / 100))]
            if rate is not None:
                await asyncio.sleep(len(piece) / rate)
            yield piece
            start += len(piece)


class _Link:
    """One connection of a client and the one to the server that belongs to it."""

    def __init__(self, proxy: TcpProxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._proxy = proxy
        self._client = (reader, writer)
        self._writers = [writer]
        self._replies: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Pass bytes until either side closes, or swallow them: then nothing need listen at the target."""
        reader, writer = self._client
        if self._proxy.swallowing:
            while await reader.read(CHUNK_BYTES):
                pass
            return
        try:
            server_reader, server_writer = await asyncio.open_connection(*self._proxy.target)
        except OSError:
            return
        self._writers.append(server_writer)
        work = (self._commands(reader, server_writer), self._take_replies(server_reader), self._give_replies(writer))
        self._tasks = [asyncio.create_task(one) for one in work]
        await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)

    def reset(self) -> None:
        """Close both connections by a reset."""
        for task in self._tasks:
            task.cancel()
        for writer in self._writers:
            with contextlib.suppress(OSError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
            writer.transport.abort()

    async def _commands(self, reader: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(CHUNK_BYTES):
                server.write(self._proxy.take_command(data))
                await server.drain()

    async def _take_replies(self, server: asyncio.StreamReader) -> None:
        clock = asyncio.get_running_loop().time
        with contextlib.suppress(ConnectionError):
            while data := await server.read(CHUNK_BYTES):
                async for piece in self._proxy.paced(data):
                    self._replies.put_nowait((clock() + self._proxy.reply_delay, piece))
            self._replies.put_nowait((0.0, b""))
            await asyncio.Event().wait()  # what is still held back goes first

    async def _give_replies(self, client: asyncio.StreamWriter) -> None:
        clock = asyncio.get_running_loop().time
        with contextlib.suppress(ConnectionError):
            while True:
                due, data = await self._replies.get()
                if not data:
                    return
                await asyncio.sleep(due - clock())
                passed, cut = self._proxy.take_reply(data)
                client.write(passed)
                await client.drain()
                if cut:
                    await self._proxy.cut_now()
