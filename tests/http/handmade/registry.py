"""The definitions process's place, taken by a thread of the test: sends what it is told to."""

import asyncio
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from service.catalog.definitions import CatalogDefinition, decode_catalog, encode
from service.catalog.listing import render_listing
from service.catalog.messages import Failed, Message, Refresh, Refreshed, Snapshot, Unchanged, frame, receive


class Registry:
    """Listens where a worker asks for definitions, and gives it `current`; `failure` is what a refresh meets."""

    def __init__(self, current: CatalogDefinition | None = None) -> None:
        self.current = current
        self.failure: str | None = None
        # What the next refresh finds, where that isn't what was there before.
        self.upcoming: CatalogDefinition | None = None
        self.refreshes = 0
        self.connections = 0
        # Not under the test's own folder: the path of a Unix socket has at most 107 bytes.
        self._folder = tempfile.TemporaryDirectory(prefix="registry-")
        self.socket = Path(self._folder.name) / "definitions.sock"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._workers: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}
        self._server: asyncio.Server | None = None

    def __enter__(self) -> Self:
        """Start to listen."""
        self._thread.start()
        self.listen()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop."""
        self.vanish()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._folder.cleanup()

    def listen(self) -> None:
        """Take the socket."""

        async def start() -> None:
            self._server = await asyncio.start_unix_server(self._serve, self.socket)

        asyncio.run_coroutine_threadsafe(start(), self._loop).result()

    def vanish(self) -> None:
        """Be gone as a process that was killed: connections cut, nobody listening."""

        async def stop() -> None:
            if self._server is not None:
                self._server.close()
            self.socket.unlink(missing_ok=True)
            tasks = [task for task in self._workers.values() if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(stop(), self._loop).result()

    def publish(self, definition: CatalogDefinition) -> None:
        """Send new definitions to every worker, as after a reading of the registry."""
        self.current, self.failure = definition, None
        self._tell(snapshot(definition))

    def fail(self, reason: str) -> None:
        """Tell every worker that the registry couldn't be read."""
        self.failure = reason
        self._tell(Failed(reason))

    def _tell(self, message: Message) -> None:
        self.send_raw(frame(message))

    def send_raw(self, data: bytes) -> None:
        """Send bytes to every worker, meaningful or not."""

        async def tell() -> None:
            for writer in self._workers:
                writer.write(data)

        asyncio.run_coroutine_threadsafe(tell(), self._loop).result()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._workers[writer] = asyncio.current_task()
        self.connections += 1
        try:
            if self.current is not None:
                writer.write(frame(snapshot(self.current)))
            if self.failure is not None:
                writer.write(frame(Failed(self.failure)))
            while True:
                message = await receive(reader)
                assert isinstance(message, Refresh)
                self.refreshes += 1
                outcome: Message = Unchanged(time.time()) if self.failure is None else Failed(self.failure)
                if self.upcoming is not None:
                    self.current, self.upcoming = self.upcoming, None
                    outcome = snapshot(self.current)
                writer.write(frame(outcome) + frame(Refreshed(message.number, self.failure)))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            del self._workers[writer]
            writer.close()


def snapshot(definition: CatalogDefinition) -> Snapshot:
    """Definitions as they are sent, read just now."""
    body = encode(definition)
    return Snapshot(time.time(), body, render_listing(decode_catalog(body)))
