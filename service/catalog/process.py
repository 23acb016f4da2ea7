"""The definitions process: reads the registry again and again and hands each new reading to all workers.

Run by the supervisor as `python -m service.catalog.process`. It is the only process that imports Feast; when it dies the
workers go on with what they have, and the supervisor starts another.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from pathlib import Path

from service.catalog.configuration import load_config, without_effect
from service.catalog.definitions import decode_catalog
from service.catalog.functions import LOADING_SECONDS
from service.catalog.listing import render_listing
from service.catalog.messages import Failed, Message, Refresh, Refreshed, Snapshot, Unchanged, frame, receive
from service.catalog.registry import RegistryReader
from service.errors import EX_CONFIG, CatalogUnavailable, ConfigurationError
from service.lifeline import hold_lifeline
from service.logs import configure_logging
from service.metrics import Metrics

logger = logging.getLogger(__name__)

EX_TEMPFAIL = 75
# How soon a failed reading is tried again, at most; Feast's own refresh timer stops at the first failure.
RETRY_SECONDS = 5.0
# How long one reading may take. A registry of 1,000 views is read in a few seconds. Loading the views' functions has a
# limit of its own.
READING_SECONDS = 30.0
# For the workers to be told, before the process ends itself.
FAREWELL_SECONDS = 0.2


class DefinitionsServer:
    """Reads on a timer and on demand, one reading at a time, and tells every connected worker."""

    def __init__(self, reader: RegistryReader, every_seconds: float, kept: Path, metrics: Metrics) -> None:
        """`every_seconds` 0 means never, as Feast's cache_ttl_seconds does. `kept` is where a reading outlives the process."""
        self._reader = reader
        self._kept = kept
        self._every = every_seconds
        self._metrics = metrics
        self._snapshot = Snapshot.parse(kept.read_bytes()) if kept.exists() else None
        self._failure: str | None = None
        self._workers: set[asyncio.StreamWriter] = set()
        self._reading = asyncio.Lock()

    async def run(self) -> None:
        """Read for ever."""
        while True:
            failure = await self.refresh()
            if failure is not None:
                await asyncio.sleep(min(RETRY_SECONDS, self._every or RETRY_SECONDS))
            elif self._every:
                await asyncio.sleep(self._every)
            else:
                return

    async def refresh(self) -> str | None:
        """One reading; gives the reason if it failed."""
        async with self._reading:
            reading = asyncio.ensure_future(asyncio.to_thread(self._read))
            await asyncio.wait((reading,), timeout=READING_SECONDS)
            if self._reader.loading:
                await asyncio.wait((reading,), timeout=LOADING_SECONDS)
            if not reading.done():
                self._failed(f"The registry wasn't read within {READING_SECONDS:g} s.")
                # The driver may hang for ever, and a thread can't be ended: the supervisor starts another process.
                await asyncio.sleep(FAREWELL_SECONDS)
                os._exit(EX_TEMPFAIL)
            try:
                snapshot = reading.result()
            except CatalogUnavailable as error:
                self._failed(str(error))
                return self._failure
            self._succeeded(snapshot)
            return None

    def _read(self) -> Snapshot:
        body = self._reader.read()
        before = self._snapshot
        listing = before.listing if before and before.body == body else render_listing(decode_catalog(body))
        return Snapshot(time.time(), body, listing)

    def _failed(self, reason: str) -> None:
        if reason != self._failure:
            logger.error("%s", reason)
        self._failure = reason
        self._metrics.count("catalog_refreshes", "failure")
        self._tell(Failed(reason))

    def _succeeded(self, snapshot: Snapshot) -> None:
        if self._failure is not None:
            logger.info("The registry can be read again.")
        self._failure = None
        self._metrics.count("catalog_refreshes", "success")
        changed = self._snapshot is None or snapshot.body != self._snapshot.body
        self._snapshot = snapshot
        unfinished = self._kept.with_suffix(".new")
        unfinished.write_bytes(snapshot.to_bytes())
        unfinished.replace(self._kept)
        self._tell(snapshot if changed else Unchanged(snapshot.checked_at))

    def _tell(self, message: Message) -> None:
        framed = frame(message)
        for worker in self._workers:
            worker.write(framed)

    async def serve_worker(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One worker's connection, until it ends."""
        if self._snapshot is not None:
            writer.write(frame(self._snapshot))
        if self._failure is not None:
            writer.write(frame(Failed(self._failure)))
        self._workers.add(writer)
        try:
            while True:
                message = await receive(reader)
                if isinstance(message, Refresh):
                    writer.write(frame(Refreshed(message.number, await self.refresh())))
        except (asyncio.IncompleteReadError, ConnectionError):
            logger.debug("A worker has gone.")
        finally:
            self._workers.discard(writer)
            writer.close()


async def serve(repo: Path, socket: Path, metrics: Metrics) -> None:
    """Serve definitions on a Unix socket until SIGTERM; raises ConfigurationError."""
    config = load_config(repo)
    for line in without_effect(config):
        logger.warning("%s", line)
    server = DefinitionsServer(RegistryReader(config), config.registry.cache_ttl_seconds, socket.with_suffix(".kept"), metrics)
    listener = await asyncio.start_unix_server(server.serve_worker, socket)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    hold_lifeline(stop.set)
    reading = asyncio.create_task(server.run())
    await stop.wait()
    reading.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await reading
    listener.close()


def main() -> int:
    """Entry point; exit code 78 means that the configuration has to be mended first."""
    parser = argparse.ArgumentParser(prog="service.catalog.process", description=__doc__)
    parser.add_argument("--repo", type=Path, required=True)
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--metrics", type=Path, required=True)
    arguments = parser.parse_args()
    configure_logging("definitions")
    arguments.socket.unlink(missing_ok=True)  # of a process that died
    with asyncio.Runner() as runner:
        try:
            runner.run(serve(arguments.repo, arguments.socket, Metrics(arguments.metrics)))
        except ConfigurationError as error:
            logger.critical("%s", error)
            return EX_CONFIG
        # Not by returning: a thread that reads the registry may hang in its driver, and would be waited for.
        os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
