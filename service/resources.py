"""What a worker holds open: connections to Redis, suites, GX processes, and the ways through the house that use them."""

from pathlib import Path

from service.catalog import NOT_READ_YET, Catalog
from service.catalog.definitions import PushSourceDefinition
from service.errors import CatalogUnavailable, NotSupported, ValidationMisconfigured
from service.materialization.jobs import Jobs
from service.metrics import Metrics
from service.offline import OfflineQueue
from service.push_planner import read_validation
from service.quarantine import Quarantine
from service.reader import Reader
from service.settings import Settings
from service.store import RedisStore, RowWriter, parse_address
from service.suites.gx_pool import GxPool
from service.suites.repository import SuiteRepository
from service.transforms import Library, Transforms
from service.validator import Validator
from service.writer import Limits, Writer

_NANOSECONDS = 1_000_000_000


class Resources:
    """Validation is there from the start, the rest from the first catalog on, which says where Redis is."""

    def __init__(
        self, settings: Settings, metrics: Metrics, expectations: Path | None, strict: bool, repo: Path | None = None
    ) -> None:
        """`expectations` is the folder of a GX project; if `strict`, suites that can't be used are a ConfigurationError.

        `repo` is the Feast repository, for materializations; without it there are none.
        """
        self._repo = repo
        self._settings = settings
        self._metrics = metrics
        self._pool = GxPool(settings.gx_processes, settings.gx_deadline_seconds, metrics)
        self._repository = SuiteRepository(expectations, metrics, self._pool.check, strict) if expectations else None
        self.validator = Validator(self._repository, self._pool, metrics)
        self.functions = Library()
        self.transforms = Transforms(metrics, settings.computation_budget_ms / 1000)
        self.reads: RedisStore | None = None
        self._writes: RedisStore | None = None
        self._quarantine: Quarantine | None = None
        self._writer: Writer | None = None
        self._jobs: Jobs | None = None
        # The names of all that there ever were: one that is gone isn't misconfigured any more.
        self._sources: set[str] = set()

    async def start(self) -> None:
        """Look after the suites; raises ConfigurationError for those that Great Expectations refuses."""
        if self._repository is not None:
            if self._repository.falls_back:
                self._pool.warm()
            await self._repository.start()

    def open(self, catalog: Catalog) -> Reader:
        """Connect to the Redis that the catalog names, in the background."""
        settings = self._settings
        address = parse_address(catalog.definition.online_store.connection_string)
        connect = settings.redis_connect_timeout_ms / 1000
        write_seconds = settings.write_deadline_ms / 1000
        self.reads = RedisStore(
            address,
            _StoreMetrics(self._metrics, "reads"),
            connections=settings.redis_connections,
            read_timeout=settings.read_deadline_ms / 1000,
            connect_timeout=connect,
        )
        # Connections of their own: a large push doesn't stand in front of reads.
        self._writes = RedisStore(
            address, _StoreMetrics(self._metrics, "writes"), connections=1, read_timeout=write_seconds, connect_timeout=connect
        )
        self.reads.start()
        self._writes.start()
        cap = settings.quarantine_max_rows_per_source
        self._quarantine = Quarantine(self._writes, catalog.project, cap, self._metrics)
        self._writer = Writer(
            RowWriter(self._writes),
            self.validator,
            self._quarantine,
            OfflineQueue(self._writes, catalog.project, self._metrics),
            self.transforms,
            self._metrics,
            Limits(settings.max_push_rows, int(settings.max_event_time_skew_seconds * _NANOSECONDS), write_seconds),
        )
        if self._repo is not None and settings.materialization_enabled:
            lease = settings.materialization_lease_seconds
            self._jobs = Jobs(self._repo, self._writes, catalog.project, lease, self._metrics)
        return Reader(self.reads, self._metrics, self.transforms, settings.max_entities, settings.expired_values == "keep")

    def check_sources(self, catalog: Catalog) -> list[str]:
        """Why what is pushed to some sources can't be validated, a sentence each; such pushes are refused."""
        reasons = {source.name: self._fault(source) for source in catalog.definition.push_sources.values()}
        for name in self._sources | reasons.keys():
            self._metrics.set("push_sources_misconfigured", bool(reasons.get(name)), name)
        self._sources |= reasons.keys()
        return [reason for reason in reasons.values() if reason]

    def _fault(self, source: PushSourceDefinition) -> str:
        try:
            suite = read_validation(source).suite
            if suite is not None:
                self.validator.require(suite, source.name)
        except ValidationMisconfigured as error:
            return str(error)
        return ""

    @property
    def writer(self) -> Writer:
        """Raises CatalogUnavailable before the first catalog."""
        if self._writer is None:
            raise CatalogUnavailable(NOT_READ_YET)
        return self._writer

    @property
    def quarantine(self) -> Quarantine:
        """Raises CatalogUnavailable before the first catalog."""
        if self._quarantine is None:
            raise CatalogUnavailable(NOT_READ_YET)
        return self._quarantine

    @property
    def jobs(self) -> Jobs:
        """Raises NotSupported where materialization is switched off, CatalogUnavailable before the first catalog."""
        if self._repo is None or not self._settings.materialization_enabled:
            raise NotSupported("Materialization by HTTP is switched off here (FEATURE_SERVICE_MATERIALIZATION_ENABLED=false).")
        if self._jobs is None:
            raise CatalogUnavailable(NOT_READ_YET)
        return self._jobs

    async def tried(self) -> None:
        """Return when Redis is reached, or it is known why it can't be; at once before the first catalog."""
        for store in (self.reads, self._writes):
            if store is not None:
                await store.tried.wait()

    def interrupt(self) -> None:
        """Begin to stop: end the materialization that runs here, so that who waits for it is answered in time."""
        if self._jobs is not None:
            self._jobs.interrupt()

    async def stop(self) -> None:
        """Close everything; what is under way fails."""
        if self._jobs is not None:
            await self._jobs.stop()
        if self._repository is not None:
            await self._repository.stop()
        await self._pool.stop()
        for store in (self.reads, self._writes):
            if store is not None:
                await store.stop()


class _StoreMetrics:
    """Counts what happens to a store."""

    def __init__(self, metrics: Metrics, purpose: str) -> None:
        self._metrics = metrics
        self._purpose = purpose
        self._open = 0

    def store_connected(self) -> None:
        """A connection was opened."""
        self._open += 1
        self._metrics.set("redis_connections", self._open, self._purpose)
        self._metrics.count("redis_connects", self._purpose)

    def store_disconnected(self) -> None:
        """A connection was lost."""
        self._open -= 1
        self._metrics.set("redis_connections", self._open, self._purpose)

    def store_timed_out(self, batches: int) -> None:
        """Requests didn't get their answer within the deadline."""
        self._metrics.count("redis_timeouts", self._purpose, amount=batches)
