"""The offline writer's process. Run by the supervisor as `python -m service.offline.process`, beside the definitions process.

It also says how much waits in Redis, for pushes and in quarantine: one process has to, since a gauge that each worker set when
it last looked would be wrong in all but one. It holds some 40 MB, and Feast's 200 more from the first push on.
"""

import argparse
import asyncio
import logging
import signal
import sys
from pathlib import Path

from service.catalog import Catalog, CatalogClient
from service.errors import StoreUnavailable
from service.lifeline import hold_lifeline
from service.logs import configure_logging
from service.metrics import Metrics
from service.offline.stream import OfflineStream
from service.offline.writer import OfflineWriter
from service.quarantine import Quarantine
from service.settings import Settings
from service.store import RedisStore, parse_address
from service.store.lease import Lease

logger = logging.getLogger(__name__)

# One reply may hold fifty pushes; nobody waits for this process.
PATIENCE_SECONDS = 10.0
MEASURE_SECONDS = 2.0


class Unobserved:
    """The store's events aren't counted here: `redis_connections` are those that answer requests."""

    def store_connected(self) -> None:
        """A connection was opened."""
        logger.debug("Connected to Redis.")

    def store_disconnected(self) -> None:
        """A connection was lost."""
        logger.warning("The connection to Redis is lost.")

    def store_timed_out(self, batches: int) -> None:
        """Redis didn't answer in time."""
        logger.warning("Redis hasn't answered within %g s.", PATIENCE_SECONDS)


async def serve(repo: Path, definitions: Path, metrics: Metrics) -> None:
    """Write until SIGTERM, or until the supervisor is gone."""
    settings = Settings()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    hold_lifeline(stop.set)
    first: asyncio.Future[Catalog] = asyncio.get_running_loop().create_future()
    client = CatalogClient(definitions, metrics, first.set_result)
    client.start()
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((first, stopping), return_when=asyncio.FIRST_COMPLETED)
    if first.done():
        definition = first.result().definition
        address = parse_address(definition.online_store.connection_string)
        store = RedisStore(address, Unobserved(), connections=1, read_timeout=PATIENCE_SECONDS)
        store.start()
        stream = OfflineStream(store, definition.project)
        quarantine = Quarantine(store, definition.project, settings.quarantine_max_rows_per_source, metrics)
        measuring = asyncio.create_task(measure(stream, quarantine, metrics))
        lease = Lease(store, stream.keys.lease, settings.offline_lease_seconds, "the offline writer")
        await OfflineWriter(stream, lease, client, repo, settings, metrics).run(stop)
        measuring.cancel()
        await store.stop()
    await client.stop()


async def measure(stream: OfflineStream, quarantine: Quarantine, metrics: Metrics) -> None:
    """Set the gauges, for ever; while Redis is gone they stay as they were."""
    while True:
        try:
            waiting = await stream.measure()
            metrics.set("offline_entries", waiting.entries)
            metrics.set("offline_oldest_seconds", waiting.oldest_seconds)
            metrics.set("offline_dead_entries", waiting.dead)
            for source, rows in (await quarantine.sources()).items():
                metrics.set("quarantine_rows", rows, source)
        except StoreUnavailable as error:
            logger.debug("Nothing is measured: %s", error)
        await asyncio.sleep(MEASURE_SECONDS)


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="service.offline.process", description=__doc__)
    parser.add_argument("--repo", type=Path, required=True)
    parser.add_argument("--definitions", type=Path, required=True, help="socket of the definitions process")
    parser.add_argument("--metrics", type=Path, required=True, help="folder of the metric slots")
    arguments = parser.parse_args()
    configure_logging("offline")
    asyncio.run(serve(arguments.repo, arguments.definitions, Metrics(arguments.metrics)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
