"""A worker's side of materializations by HTTP: one at a time for each project, in a process of its own, its status in Redis.

Which worker of which replica runs it makes no difference: a lease in Redis says that it runs, and any of them tells how far it
is. The lease is renewed by the worker, not by the process, so it runs out when either the worker or its whole pod has died.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from pathlib import Path

from service.errors import MaterializationInterrupted, MaterializationRunning, StoreUnavailable
from service.materialization.child import END_SECONDS, Child
from service.materialization.current import LOST, OVERRIDDEN, STOPPED, Run
from service.materialization.job import Job
from service.materialization.status import Failure, Keys, Status, Statuses, ViewStatus
from service.metrics import Metrics
from service.store import RedisStore
from service.store.lease import Lease

logger = logging.getLogger(__name__)

# How often the status goes to Redis, and it is looked whether another is to take this one's place.
TELL_SECONDS = 1.0
# How often one that is to take another's place looks whether that one has ended.
TAKE_SECONDS = 0.2
# How long the last status is tried to be written: Redis may just be failing over.
LEAVE_SECONDS = 5.0


class Jobs:
    """Starts materializations; one at a time over all workers and replicas."""

    def __init__(self, repo: Path, store: RedisStore, project: str, lease_seconds: float, metrics: Metrics) -> None:
        """`repo` is what the process is given; a lease that isn't renewed for `lease_seconds` is free."""
        self._repo = repo
        self._store = store
        self._keys = Keys.of(project)
        self._lease_seconds = lease_seconds
        self._metrics = metrics
        self.statuses = Statuses(store, self._keys)
        self._run: Run | None = None
        self._stopping = False
        self._recalling = asyncio.create_task(self._recall())

    async def start(self, job: Job, views: Sequence[str], force: bool = False) -> Run:
        """Accept a job for these views, as far as they are known yet.

        If one runs already: MaterializationRunning, or with `force` that one is ended first, and seen to have ended. Raises
        StoreUnavailable, too, and then nothing has begun.
        """
        if self._stopping:
            raise MaterializationInterrupted("The service is being stopped.")
        lease = await self._take(force)
        now = time.time()
        status = Status(
            id=lease.token.decode(),
            incremental=job.start is None,
            start=job.start,
            end=job.end,
            feature_views=list(views),
            full_feature_names=job.full_feature_names,
            disable_event_timestamp=job.disable_event_timestamp,
            version=job.version,
            started_at=now,
            told_at=now,
            views=[ViewStatus(view) for view in views],
        )
        try:
            await self.statuses.begin(status)
        except StoreUnavailable:
            await self._give_up(lease)
            raise
        run = self._run = Run(status, job, lease)
        run.task = asyncio.create_task(self._perform(run))
        if self._stopping:
            run.end(STOPPED)
        return run

    def interrupt(self) -> None:
        """Begin to stop: accept nothing more, and have the process ended, so that whoever waits for it is answered in time."""
        self._stopping = True
        if self._run is not None and not self._run.task.done():
            self._run.end(STOPPED)

    async def stop(self) -> None:
        """End what runs, and see it ended."""
        self.interrupt()
        self._recalling.cancel()
        if self._run is not None:
            await self._run.task

    async def _take(self, force: bool) -> Lease:
        """The lease, held; raises MaterializationRunning, StoreUnavailable."""
        lease = Lease(self._store, self._keys.lease, self._lease_seconds, "materialization")
        if await self._take_once(lease):
            return lease
        holder = await self.statuses.holder()
        if not force:
            raise await self._conflict(holder)
        # It ends at most so late: asked while it lives, by its lease if it doesn't.
        patience = self._lease_seconds + END_SECONDS + TELL_SECONDS + LEAVE_SECONDS
        deadline = asyncio.get_running_loop().time() + patience
        if holder is not None:
            await self.statuses.override(holder, patience)
        while asyncio.get_running_loop().time() < deadline:
            if await self._take_once(lease):
                return lease
            current = await self.statuses.holder()
            if current is not None and holder is not None and current != holder:
                raise await self._conflict(current)  # a third one was quicker
            holder = holder or current
            await asyncio.sleep(TAKE_SECONDS)
        raise await self._conflict(holder)

    async def _take_once(self, lease: Lease) -> bool:
        try:
            return await lease.take()
        except StoreUnavailable:
            await self._give_up(lease)  # it may have been taken all the same
            raise

    async def _conflict(self, holder: str | None) -> MaterializationRunning:
        status = await self.statuses.get(holder) if holder else None
        views = status.feature_views if status else []
        doing = f" of {', '.join(views)}" if views else ""
        message = (
            f"A materialization{doing} is running already, and there is one at a time: wait until it is done "
            f"(GET /materialize/{holder} tells how far it is), or end it with ?force=true."
        )
        return MaterializationRunning(message, {"error": message, "feature_views": views, "id": holder})

    async def _perform(self, run: Run) -> None:
        self._metrics.set("materializations_running", 1)
        beside = [asyncio.create_task(run.lease.keep()), asyncio.create_task(self._tell(run))]
        try:
            failure = await self._drive(run)
        except Exception as error:
            logger.exception("Materialization %s", run.status.id)
            failure = Failure("other", f"The materialization couldn't be run: {error!r}", run.status.current)
        for task in beside:
            task.cancel()
        run.status.finish(failure)
        self._metrics.set("materializations_running", 0)
        self._metrics.count("materializations", run.status.state)
        say = logger.info if failure is None else logger.error
        reason = f": {failure.message}" if failure else ""
        say(
            "Materialization %s %s, %d rows in %.1f s%s",
            run.status.id,
            run.status.state,
            run.status.rows,
            run.status.seconds,
            reason,
        )
        await self._leave(run)

    async def _drive(self, run: Run) -> Failure | None:
        """From the start of the process to its end; why it isn't done, if it isn't."""
        child = run.child = await Child.start(self._repo, run.job)
        if run.ending is not None:
            run.end(run.ending)
        last = None
        try:
            async for event in child.events():
                if event["event"] in ("done", "failed"):
                    last = event
                    break
                self._note(run.status.apply(event))
        finally:
            code = await child.see_off(told_all=last is not None)
        if last is not None and last["event"] == "done":
            return None
        if run.ending is not None:
            return Failure("interrupted", run.ending, run.status.current)
        if last is not None:
            return Failure(last["kind"], last["message"], run.status.current)
        message = f"Its process ended with code {code} before it was done; the service's log may say why."
        return Failure("other", message, run.status.current)

    def _note(self, view: ViewStatus | None) -> None:
        if view is not None and view.done_at is not None and view.seconds is not None:
            self._metrics.count("materialized_rows", view.view, amount=view.rows or 0)
            self._metrics.histogram("materialization_seconds", view.view).observe(view.seconds)
            self._metrics.set("last_materialization_timestamp_seconds", view.done_at, view.view)

    async def _tell(self, run: Run) -> None:
        """Keep Redis told how far it is; end it when another may be running, or is to."""
        while run.ending is None:
            await asyncio.sleep(TELL_SECONDS)
            if not run.lease.held:
                run.end(LOST)
                return
            try:
                if await self.statuses.put(run.status):
                    run.end(OVERRIDDEN)
            except StoreUnavailable as error:
                logger.debug("How far the materialization is can't be told: %s", error)

    async def _leave(self, run: Run) -> None:
        """Write the last status, then let the next one begin."""
        deadline = asyncio.get_running_loop().time() + LEAVE_SECONDS
        while True:
            try:
                await self.statuses.put(run.status)
                break
            except StoreUnavailable as error:
                if asyncio.get_running_loop().time() > deadline:
                    logger.error("What became of materialization %s can't be told: %s", run.status.id, error)
                    break
                await asyncio.sleep(TELL_SECONDS)
        await self._give_up(run.lease)

    async def _give_up(self, lease: Lease) -> None:
        with contextlib.suppress(StoreUnavailable):  # it runs out by itself
            await lease.give_up()

    async def _recall(self) -> None:
        """Set the gauges of what was materialized before this worker was started."""
        while True:
            try:
                for view, moment in (await self.statuses.times()).items():
                    self._metrics.set("last_materialization_timestamp_seconds", moment, view)
                return
            except StoreUnavailable:
                await asyncio.sleep(TELL_SECONDS)
