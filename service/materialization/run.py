"""A job done, view by view, by Feast with the engine here in place of its local one. Imports Feast."""

import contextlib
import io
import logging
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from feast import FeatureStore
from feast.errors import FeastObjectNotFoundException, FeatureViewNotFoundException
from feast.infra.compute_engines.local.compute import LocalComputeEngine
from feast.on_demand_feature_view import OnDemandFeatureView
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from service.catalog.configuration import read_config
from service.errors import ConfigurationError
from service.materialization.engine import RedisEngine, writes
from service.materialization.job import Job, MaterializationFailed, Report, ViewReport, as_utc
from service.materialization.parallel import Listener, materialize_together
from service.materialization.writing import Pace

logger = logging.getLogger(__name__)

PROGRESS_SECONDS = 0.5
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# From where Feast begins where neither a materialization nor a ttl says it (FeatureStore.materialize_incremental).
FEASTS_DEFAULT = timedelta(weeks=52)


def materialize(repo: Path, job: Job, listener: Listener) -> Report:
    """Do all of a job, and say how far it is; raises MaterializationFailed, and then views that were done stay done."""
    began = time.monotonic()
    store = open_store(repo)
    views = views_of(store, job)
    listener({"event": "started", "views": [_planned(view, job) for view in views]})
    if job.parallel > 1 and len(views) > 1:
        _check_parallel(store)
        reports = materialize_together(repo, job, [view.name for view in views], listener)
    else:
        reports = []
        for view in views:
            listener({"event": "view_started", "view": view.name})
            # Feast would go from the last end back to this one, write nothing, and note that as an interval.
            passed_over = (job.resume or job.start is None) and _is_done(view, job)
            report = _skipped(view, job) if passed_over else _one(store, view, job, listener)
            listener({"event": "view_done", **report.to_json()})
            reports.append(report)
    return Report(tuple(reports), sum(report.rows or 0 for report in reports), round(time.monotonic() - began, 3))


def open_store(repo: Path) -> FeatureStore:
    """Feast on a repository, with the engine here where it would be its local one; raises MaterializationFailed."""
    try:
        config = read_config(repo)
    except ConfigurationError as error:
        raise MaterializationFailed("bad_request", str(error)) from error
    try:
        store = FeatureStore(config=config)
        store.registry.get_project(store.project)
        provider = store._get_provider()
        engine = provider.batch_engine
    except Exception as error:  # the drivers of registries and stores raise whatever they like
        raise MaterializationFailed("registry", f"The registry can't be read: {_first_line(error)}") from error
    if type(engine) is LocalComputeEngine:
        # Feast makes its engine from the configuration alone, once; this one takes what that one was given.
        provider._batch_engine = RedisEngine(
            backend=engine.backend_name,
            repo_config=config,
            offline_store=provider.offline_store,
            online_store=provider.online_store,
        )
    return store


def views_of(store: FeatureStore, job: Job) -> Sequence[Any]:
    """What a job is about, in Feast's order; raises MaterializationFailed for names that aren't there or aren't kept online."""
    names = list(job.views) if job.views is not None else None
    try:
        version = store._validate_materialize_version(job.version, names)
        return list(store._get_feature_views_to_materialize(names, version=version))
    except (FeatureViewNotFoundException, FeastObjectNotFoundException) as error:
        known = ", ".join(sorted(view.name for view in store._get_feature_views_to_materialize(None)))
        raise MaterializationFailed("unknown_view", f"{error} There are {known}.") from error
    except ValueError as error:
        raise MaterializationFailed("bad_request", str(error)) from error
    except SQLAlchemyError as error:
        raise MaterializationFailed("registry", f"The registry can't be read: {_first_line(error)}") from error


def _check_parallel(store: FeatureStore) -> None:
    kind = store.config.registry.registry_type
    if kind != "sql":
        raise MaterializationFailed(
            "bad_request",
            f"Views can be materialized at a time only where the registry is of type sql: of one of type {kind} each "
            "process would write the whole again, and undo what the others note there. Leave parallel at 1.",
        )


def _one(store: FeatureStore, view: Any, job: Job, listener: Listener) -> ViewReport:
    """Materialize a view by Feast."""
    engine = store._get_provider().batch_engine
    fast = isinstance(engine, RedisEngine) and writes(store.config, view)
    progress = _Progress(view.name, listener)
    if fast:
        engine.told = progress
        if job.rows_per_second is not None:
            engine.pace = Pace.gentle(job.rows_per_second)
    planned = _planned(view, job)
    begin = time.monotonic()
    with _translated(view.name), contextlib.redirect_stdout(_Log()):
        if _is_feasts_to_begin(view, job):
            store.materialize_incremental(job.end, [view.name], job.full_feature_names, job.version)
        else:
            start, end = _from_to(view, job)
            store.materialize(start, end, [view.name], False, job.full_feature_names, job.version)
    return ViewReport(
        view=view.name,
        start=datetime.fromisoformat(planned["start"]),
        end=datetime.fromisoformat(planned["end"]),
        rows=progress.rows if fast else None,
        seconds=round(time.monotonic() - begin, 3),
        writer="fast" if fast else "feast",
    )


def _interval(job: Job) -> tuple[datetime, datetime]:
    # Feast's own server and command do the same for disable_event_timestamp; its engine takes no notice of it.
    if job.disable_event_timestamp or job.start is None:
        return EPOCH, datetime.now(UTC)
    return job.start, job.end


def _is_feasts_to_begin(view: Any, job: Job) -> bool:
    """Whether Feast finds the begin. Not where a ttl says it: Feast counts that from now, and a past end gets too little."""
    if job.start is not None or job.disable_event_timestamp:
        return False
    return getattr(view, "most_recent_end_time", None) is not None or getattr(view, "ttl", None) is None


def _planned(view: Any, job: Job) -> dict[str, str]:
    start, end = _from_to(view, job)
    return {"view": view.name, "start": start.isoformat(), "end": end.isoformat()}


def _from_to(view: Any, job: Job) -> tuple[datetime, datetime]:
    """Of an incremental one, from where the view was left, or from its ttl before the end."""
    if job.start is not None or job.disable_event_timestamp:
        return _interval(job)
    done = getattr(view, "most_recent_end_time", None)
    return as_utc(done) if done is not None else job.end - (getattr(view, "ttl", None) or FEASTS_DEFAULT), job.end


def _is_done(view: Any, job: Job) -> bool:
    """Whether the registry says that the view is materialized from start to end already; on-demand views aren't noted there."""
    if isinstance(view, OnDemandFeatureView) or job.disable_event_timestamp:
        return False
    intervals = sorted((as_utc(start), as_utc(end)) for start, end in view.materialization_intervals)
    if job.start is None:
        return any(end >= job.end for _, end in intervals)
    return any(start <= job.start and end >= job.end for start, end in intervals)


def _skipped(view: Any, job: Job) -> ViewReport:
    planned = _planned(view, job)
    start, end = (datetime.fromisoformat(planned[name]) for name in ("start", "end"))
    return ViewReport(view.name, min(start, end), end, 0, 0.0, "fast", skipped=True)


@contextlib.contextmanager
def _translated(view: str) -> Iterator[None]:
    try:
        yield
    except MaterializationFailed:
        raise
    except SQLAlchemyError as error:
        raise MaterializationFailed("registry", f"{view}: the registry can't be reached: {_first_line(error)}") from error
    except RedisError as error:
        raise MaterializationFailed("store", f"{view}: Redis can't be written to: {_first_line(error)}") from error
    except Exception as error:  # Feast's, and what transformations raise
        raise MaterializationFailed("other", f"{view}: {type(error).__name__}: {error}") from error


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"


class _Progress:
    """Tells how far a view is, not more often than somebody can read it."""

    def __init__(self, view: str, listener: Listener) -> None:
        self.rows = 0
        self._view = view
        self._listener = listener
        self._next = 0.0

    def __call__(self, view: str, rows: int, of: int) -> None:
        self.rows = rows
        now = time.monotonic()
        if now >= self._next or rows == of:
            self._next = now + PROGRESS_SECONDS
            self._listener({"event": "progress", "view": self._view, "rows": rows, "of": of})


class _Log(io.TextIOBase):
    """What Feast prints, for the log: stdout is the caller's."""

    def write(self, text: str) -> int:
        if text.strip():
            logger.debug("%s", text.rstrip())
        return len(text)
