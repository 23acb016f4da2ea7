"""A Redis that says what a test tells it to say, for what a real one does too rarely: it has no data."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import hiredis

# Words of a command to what is answered; None is silence from then on, and nothing at all (b"") the connection's end.
Answer = Callable[[list[bytes]], bytes | None]


class ScriptedRedis:
    """What was asked of it, and where it listens."""

    def __init__(self, answer: Answer) -> None:
        self.commands: list[list[bytes]] = []
        self.port = 0
        self._answer = answer
        self._connections: set[asyncio.Task[None]] = set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, until either side ends it."""
        task = asyncio.create_task(self._serve(reader, writer))
        self._connections.add(task)
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await task
        writer.transport.abort()

    async def end(self) -> None:
        """End all connections."""
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        parser = hiredis.Reader()
        while data := await reader.read(65_536):
            parser.feed(data)
            while (command := parser.gets()) is not False:
                answer = b"+OK\r\n" if command[0] == b"CLIENT" else self._take(command)
                if answer is None:
                    await asyncio.Event().wait()
                elif not answer:
                    writer.close()
                    return
                else:
                    writer.write(answer)

    def _take(self, command: list[bytes]) -> bytes | None:
        self.commands.append(command)
        return self._answer(command)


@asynccontextmanager
async def scripted_redis(answer: Answer) -> AsyncIterator[ScriptedRedis]:
    """One that listens on a free port of 127.0.0.1; how a client introduces itself is always fine."""
    redis = ScriptedRedis(answer)
    server = await asyncio.start_server(redis.accept, "127.0.0.1", 0)
    redis.port = server.sockets[0].getsockname()[1]
    try:
        yield redis
    finally:
        server.close()
        await redis.end()
        await server.wait_closed()
