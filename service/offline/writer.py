"""The background writer: batches by size and age from the stream to the offline store, by one process at a time."""

import asyncio
import contextlib
import itertools
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from service.catalog import Catalog, CatalogClient
from service.errors import StoreUnavailable
from service.metrics import Metrics
from service.offline.entry import Entry
from service.offline.failures import AppendFailed, OfflineStoreUnavailable, RowsRefused
from service.offline.stream import OfflineStream
from service.settings import Settings
from service.store.lease import Lease, LeaseLost

if TYPE_CHECKING:
    from service.offline.appending import OfflineStore

logger = logging.getLogger(__name__)

# How often the stream, or the lease while another has it, is looked at.
POLL_SECONDS = 0.5
# Between attempts for what failed: doubled from the first to the longest.
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
# How long one append may take. Past it the process ends itself, since a thread that hangs in a driver can't be ended: the
# lease passes on, and the supervisor starts another.
APPEND_SECONDS = 600.0
EX_TEMPFAIL = 75


class OfflineWriter:
    """Writes while it holds the lease, and waits for it otherwise.

    Entries stay pending in the stream until they are written or buried, so a writer that dies at any moment loses none. What
    can't be written stays in memory and is tried again; with `offline_batch_rows` of it nothing more is read.
    """

    def __init__(
        self, stream: OfflineStream, lease: Lease, client: CatalogClient, repo: Path, settings: Settings, metrics: Metrics
    ) -> None:
        self._stream = stream
        self._lease = lease
        self._client = client
        self._repo = repo
        self._settings = settings
        self._metrics = metrics
        self._batch: list[Entry] = []
        self._said = ""
        self._opened: tuple[Catalog, OfflineStore] | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`: then what is being written is finished, and the lease given up."""
        while not stop.is_set():
            try:
                if await self._lease.take():
                    await self._hold(stop)
            except (StoreUnavailable, LeaseLost) as error:
                self._pauses(error)
            await _rest(stop, POLL_SECONDS)

    def _pauses(self, error: Exception) -> None:
        if str(error) != self._said:  # while Redis is gone it is the same twice a second
            logger.warning("The offline writer pauses: %s", error)
        self._said = str(error)

    async def _hold(self, stop: asyncio.Event) -> None:
        renewing = asyncio.create_task(self._lease.keep())
        self._metrics.set("offline_writers", 1)
        try:
            await self._stream.prepare()
            self._batch = await self._stream.pending()
            self._said = ""
            await self._work(stop)
        finally:
            self._metrics.set("offline_writers", 0)
            renewing.cancel()
            with contextlib.suppress(StoreUnavailable):
                await self._lease.give_up()

    async def _work(self, stop: asyncio.Event) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not stop.is_set():
            if not self._lease.held:
                raise LeaseLost("The lease of the offline writer ran out.")
            due = await self._read()
            if not due:
                await _rest(stop, POLL_SECONDS)
                continue
            self._batch = await self._write(self._batch)
            if self._batch:
                await _rest(stop, pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            else:
                pause = FIRST_PAUSE_SECONDS

    async def _read(self) -> bool:
        """Fill the batch; whether it is to be written: full, or with an entry that has waited long enough."""
        while sum(entry.rows for entry in self._batch) < self._settings.offline_batch_rows:
            now, fresh = await self._stream.fresh()
            self._batch += fresh
            if not fresh:
                age = now - self._batch[0].milliseconds if self._batch else -1
                return age >= self._settings.offline_batch_age_seconds * 1000
        return True

    async def _write(self, batch: Sequence[Entry]) -> list[Entry]:
        """What is to be tried again. What was refused for its own rows is tried alone, so that it takes nothing else with it.

        No lot reaches from before such an entry to behind it: `service.offline.marks` counts on it.
        """
        again: list[Entry] = []
        for source, entries in itertools.groupby(sorted(batch, key=_by_source), _by_source):
            for alone, found in itertools.groupby(entries, lambda entry: entry.alone):
                run = list(found)
                for lot in [[entry] for entry in run] if alone else [run]:
                    again += await self._write_lot(source, lot)
        return sorted(again, key=lambda entry: entry.order)

    async def _write_lot(self, source: str, lot: Sequence[Entry]) -> list[Entry]:
        """What is to be tried again. A lot that is refused is halved, and halved again, down to the entry that is to blame."""
        try:
            await self._append(source, lot)
        except OfflineStoreUnavailable as error:
            self._failed(source, "unavailable", error)
            return list(lot)
        except AppendFailed as error:
            if isinstance(error, RowsRefused) and len(lot) > 1:
                half = len(lot) // 2
                return [*await self._write_lot(source, lot[:half]), *await self._write_lot(source, lot[half:])]
            self._failed(source, "refused", error)
            return [entry for entry in lot if not await self._bury(entry, error)]
        await self._stream.acknowledge(lot, self._lease)
        self._metrics.count("offline_rows_written", source, amount=sum(entry.rows for entry in lot))
        return []

    async def _append(self, source: str, lot: Sequence[Entry]) -> None:
        loop = asyncio.get_running_loop()

        def confirm() -> None:
            asyncio.run_coroutine_threadsafe(self._lease.confirm(), loop).result()

        try:
            async with asyncio.timeout(APPEND_SECONDS):
                await asyncio.to_thread(self._append_in_thread, source, lot, confirm)
        except TimeoutError:
            logger.critical("Appending to the offline store took over %g s: ended.", APPEND_SECONDS)
            os._exit(EX_TEMPFAIL)

    def _append_in_thread(self, source: str, lot: Sequence[Entry], confirm: Callable[[], None]) -> None:
        from service.offline.appending import OfflineStore  # not before it is needed: it takes seconds, and 190 MB

        catalog = self._client.require()
        if self._opened is None or self._opened[0] is not catalog:
            self._opened = None
            self._opened = (catalog, OfflineStore(self._repo, self._stream.identity))
        definition = catalog.definition.push_sources.get(source)
        self._opened[1].append(source, definition.views if definition else (), lot, confirm)

    async def _bury(self, entry: Entry, error: AppendFailed) -> bool:
        """Whether a refused entry has had all of its attempts, and is among the dead letters now."""
        entry.attempts += 1
        entry.alone = entry.alone or isinstance(error, RowsRefused)
        entry.reason = str(error)
        if entry.attempts < self._settings.offline_max_attempts:
            return False
        await self._lease.confirm()
        await self._stream.bury(entry)
        await self._stream.acknowledge([entry], self._lease)
        self._metrics.count("offline_rows_dead", entry.source, amount=entry.rows)
        logger.error("An offline push to %s is in the dead-letter stream now: %s", entry.source, error)
        return True

    def _failed(self, source: str, kind: str, error: AppendFailed) -> None:
        self._metrics.count("offline_failures", source, kind)
        logger.warning("Rows pushed to %s weren't appended to the offline store: %s", source, error)


def _by_source(entry: Entry) -> str:
    return entry.source


async def _rest(stop: asyncio.Event, seconds: float) -> None:
    """Wait, but not beyond `stop`."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
