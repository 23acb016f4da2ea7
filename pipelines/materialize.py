"""Features from the offline store into the online store, by Feast with a faster writer; see service/materialization."""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines.commands import add_json, add_repo, finish, moment, run
from pipelines.errors import BadInput, PipelineError, PlaceNotFound, ServerUnavailable
from service.materialization.job import Job, MaterializationFailed, Report, ViewReport
from service.terminal import positive

_DESCRIPTION = """Write the newest row of each key, of all or some feature views, into the online store, as Feast's own
`feast materialize` does: from START to END, or without --start from where each view was materialized to. It can be
repeated at any time; --resume passes over views that the registry says are done. Exit code: 0 if it is done, 2 if not."""

# Gets {"event": "started" | "view_started" | "progress" | "view_done", ...}; see service/materialization/process.py.
Listener = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Materialized:
    """What became of each view, all rows that were counted, and the seconds that it took."""

    views: tuple[ViewReport, ...]
    rows: int
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """The same for machines."""
        return Report(self.views, self.rows, self.seconds).to_json()


def materialize(
    repo: Path,
    start: datetime | None,
    end: datetime,
    views: Sequence[str] = (),
    *,
    parallel: int = 1,
    resume: bool = False,
    listener: Listener = lambda event: None,
) -> Materialized:
    """Materialize `views`, all that are kept online if none is named, from `start` (None: from where each was) to `end`.

    `parallel` views go at a time, where the registry is an SQL one; `resume` passes over those that are materialized from start
    to end already. Times without a zone are UTC. Raises PipelineError; then views that were done stay done.
    """
    try:
        job = Job(start, end, tuple(views) or None, parallel=parallel, resume=resume)
        # Feast is slow to import: what can be said without it is said.
        from service.materialization.run import materialize as run_job

        report = run_job(repo, job, listener)
    except MaterializationFailed as error:
        raise _translated(error) from error
    return Materialized(report.views, report.rows, report.seconds)


def _translated(error: MaterializationFailed) -> PipelineError:
    if error.kind in ("unknown_view", "bad_request"):
        return BadInput(str(error))
    if isinstance(error.__cause__, FileNotFoundError):
        return PlaceNotFound(str(error))
    if error.kind in ("store", "registry"):
        return ServerUnavailable(str(error))
    return PipelineError(str(error))


def add_command(commands: Any) -> None:
    """Add the command to the console command's."""
    parser = commands.add_parser("materialize", help="write features into the online store", description=_DESCRIPTION)
    add_repo(parser)
    parser.add_argument("--start", type=moment, metavar="TIME", help="first event time (default: where each view was left)")
    parser.add_argument("--end", type=moment, metavar="TIME", help="last event time (default: now)")
    parser.add_argument("--view", action="append", default=[], metavar="NAME", help="only this view; may be repeated")
    parser.add_argument("--parallel", type=positive, default=1, metavar="N", help="views at a time (default: %(default)s)")
    parser.add_argument("--resume", action="store_true", help="pass over views that are materialized to END already")
    add_json(parser)


def run_command(options: argparse.Namespace) -> int:
    """Materialize; returns the exit code."""
    return run(_run, options)


def _run(options: argparse.Namespace) -> int:
    with _Bars() as bars:
        done = materialize(
            options.repo,
            options.start,
            options.end or datetime.now(UTC),
            options.view,
            parallel=options.parallel,
            resume=options.resume,
            listener=bars,
        )
    return finish(options, done.as_json(), _table(done))


class _Bars:
    """A progress bar on stderr for each view that is being written; none where nobody watches."""

    def __init__(self) -> None:
        from tqdm import tqdm  # type: ignore[import-untyped]

        self._new = tqdm
        self._open: dict[str, Any] = {}

    def __enter__(self) -> "_Bars":
        return self

    def __exit__(self, *_: object) -> None:
        for bar in self._open.values():
            bar.close()

    def __call__(self, event: dict[str, Any]) -> None:
        """Draw what is new."""
        if event["event"] == "progress":
            bar = self._open.get(event["view"])
            if bar is None:
                # None: only if stderr is a terminal.
                bar = self._new(total=event["of"], desc=event["view"], unit=" rows", disable=None, leave=False, file=sys.stderr)
                self._open[event["view"]] = bar
            bar.update(event["rows"] - bar.n)
        elif event["event"] == "view_done" and event["view"] in self._open:
            self._open.pop(event["view"]).close()


def _table(done: Materialized) -> str:
    width = max([4, *(len(view.view) for view in done.views)])
    lines = [f"{'view':{width}}  {'from':16}  {'to':16}  {'rows':>11}  {'seconds':>7}"]
    for view in done.views:
        times = f"{view.start:%Y-%m-%d %H:%M}  {view.end:%Y-%m-%d %H:%M}"
        rows = "done before" if view.skipped else "not counted" if view.rows is None else f"{view.rows:,}"
        lines.append(f"{view.view:{width}}  {times}  {rows:>11}  {view.seconds:7.1f}")
    rate = f", {done.rows / done.seconds:,.0f} rows/s" if done.rows and done.seconds else ""
    return "\n".join([*lines, f"{done.rows:,} rows in {done.seconds:.1f} s{rate} (times in UTC)"])
