"""A worker's end: keeps the newest snapshot that the definitions process has sent."""

import asyncio
import itertools
import logging
import time
from collections.abc import Callable
from pathlib import Path

from service.catalog.definitions import decode_catalog
from service.catalog.messages import Failed, Refresh, Refreshed, Snapshot, Unchanged, frame, receive
from service.catalog.snapshot import Catalog
from service.errors import CatalogUnavailable
from service.metrics import Metrics

logger = logging.getLogger(__name__)

NOT_READ_YET = "The definitions haven't been read from the registry yet."

RECONNECT_SECONDS = 0.1
# A forced refresh reads the whole registry; past this the caller is told to look again later.
REFRESH_TIMEOUT_SECONDS = 60.0


class CatalogClient:
    """`current` is replaced by one assignment; a request takes it once and keeps to it."""

    def __init__(
        self,
        socket: Path,
        metrics: Metrics,
        on_first: Callable[[Catalog], object],
        on_next: Callable[[Catalog], object] = lambda _: None,
        prepare: Callable[[Catalog], object] = lambda _: None,
    ) -> None:
        """Before requests can see a catalog, `prepare` is called with it, in a thread, then `on_first` or `on_next`."""
        self.current: Catalog | None = None
        self.failure: str | None = None
        self.checked_at = 0.0
        # Set by the first reading that is known of, however it ended.
        self.tried = asyncio.Event()
        self._digest: int | None = None
        self._socket = socket
        self._metrics = metrics
        self._on_first = on_first
        self._on_next = on_next
        self._prepare = prepare
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None
        self._numbers = itertools.count()
        self._refreshes: dict[int, asyncio.Future[str | None]] = {}

    def start(self) -> None:
        """Begin to listen in the background."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop listening."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def require(self) -> Catalog:
        """The current catalog; raises CatalogUnavailable before there is one. Hot."""
        catalog = self.current
        if catalog is None:
            raise CatalogUnavailable(self.failure or NOT_READ_YET)
        return catalog

    async def refresh(self) -> Catalog:
        """Have the registry read now; raises CatalogUnavailable when that fails, the old catalog staying in force."""
        if self._writer is None:
            raise CatalogUnavailable("The process that reads the registry is being restarted.")
        number = next(self._numbers)
        future: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._refreshes[number] = future
        try:
            self._writer.write(frame(Refresh(number)))
            async with asyncio.timeout(REFRESH_TIMEOUT_SECONDS):
                failure = await future
        except TimeoutError:
            raise CatalogUnavailable(f"The registry wasn't read within {REFRESH_TIMEOUT_SECONDS:g} s.") from None
        finally:
            del self._refreshes[number]
        if failure is not None:
            raise CatalogUnavailable(failure)
        return self.require()

    async def _run(self) -> None:
        while True:
            try:
                reader, self._writer = await asyncio.open_unix_connection(self._socket)
                await self._listen(reader)
            except (OSError, asyncio.IncompleteReadError) as error:
                logger.debug("No definitions process: %s", error)
            except Exception:
                logger.exception("What the definitions process sent can't be used; what came before stays in force.")
            finally:
                if self._writer is not None:
                    self._writer.close()
                    self._writer = None
                for future in self._refreshes.values():
                    if not future.done():
                        future.set_result("The process that reads the registry went away.")
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        while True:
            message = await receive(reader)
            if isinstance(message, Snapshot):
                await self._take(message)
                self._checked(message.checked_at)
                self.tried.set()
            elif isinstance(message, Unchanged):
                self._checked(message.checked_at)
            elif isinstance(message, Failed):
                self.failure = message.reason
                self.tried.set()
            elif isinstance(message, Refreshed):
                future = self._refreshes.get(message.number)
                if future is not None and not future.done():
                    future.set_result(message.reason)

    async def _take(self, snapshot: Snapshot) -> None:
        digest = hash(snapshot.body)
        if digest == self._digest:  # from a definitions process that was restarted
            return
        catalog = Catalog(decode_catalog(snapshot.body), snapshot.listing)
        await asyncio.to_thread(self._prepare, catalog)
        (self._on_first if self.current is None else self._on_next)(catalog)
        self.current = catalog
        self._digest = digest
        self._metrics.count("catalog_swaps")
        logger.info("Definitions of project %s in place: %d views.", catalog.project, len(catalog.definition.views))

    def _checked(self, at: float) -> None:
        self.failure = None
        self.checked_at = at
        self._metrics.set("catalog_checked", at)

    @property
    def age_seconds(self) -> float:
        """How long ago the definitions were last known to be current."""
        return max(0.0, time.time() - self.checked_at)
