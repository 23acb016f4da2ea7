"""One materialization that this worker runs: its process, why it is to end, and what whoever waits for it is told."""

import asyncio
import logging

from service.errors import (
    FeatureServiceError,
    InvalidRequest,
    MaterializationInterrupted,
    NotMaterialized,
    SourceUnavailable,
    StoreUnavailable,
    UnknownName,
)
from service.materialization.child import Child
from service.materialization.job import Job
from service.materialization.status import Failure, Status
from service.store.lease import Lease

logger = logging.getLogger(__name__)

OVERRIDDEN = "Another materialization was to take its place (?force=true)."
STOPPED = "The service was stopped while it ran. What it had written stays; materialize again."
LOST = "Redis couldn't be reached for so long that another one may have started. What it had written stays; materialize again."


class Run:
    """One materialization of this worker's; `task` is done when it has ended and Redis says so."""

    def __init__(self, status: Status, job: Job, lease: Lease) -> None:
        self.status = status
        self.job = job
        self.lease = lease
        self.child: Child | None = None
        # Why it is to end before it is done.
        self.ending: str | None = None
        self.task: asyncio.Task[None]
        self._ender: asyncio.Task[None] | None = None

    def end(self, reason: str) -> None:
        """Have its process ended; the first reason counts."""
        if self.ending is None:
            logger.warning("Materialization %s is ended: %s", self.status.id, reason)
            self.ending = reason
        if self.child is not None and self._ender is None:
            self._ender = asyncio.create_task(self.child.end())

    async def wait(self) -> Status:
        """Its last status, once it is done; raises what has become of it otherwise. Who stops waiting doesn't end it."""
        await asyncio.shield(self.task)
        if self.status.error is not None:
            raise _as_error(self.status.error)
        return self.status


def _as_error(failure: Failure) -> FeatureServiceError:
    """What the caller who waited is told."""
    message = failure.message
    if failure.kind == "unknown_view":
        return UnknownName.because(message, "feature_views")
    if failure.kind == "bad_request":
        return InvalidRequest.because(message)
    if failure.kind == "store":
        return StoreUnavailable(message)
    if failure.kind in ("offline_store", "registry"):
        return SourceUnavailable(message)
    if failure.kind == "interrupted":
        return MaterializationInterrupted(message)
    return NotMaterialized(message)
