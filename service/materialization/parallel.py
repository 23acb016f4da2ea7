"""Several views at a time, in as many processes: encoding takes a core, and Feast's reading another."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from service.materialization.job import Job, MaterializationFailed, Report, ViewReport

MODULE = "service.materialization.process"

# Gets the events of service.materialization.process, but for the last.
Listener = Callable[[dict[str, Any]], None]


def materialize_together(repo: Path, job: Job, views: Sequence[str], listener: Listener) -> list[ViewReport]:
    """Do a job by `job.parallel` processes, each with its share of the views; `listener` gets events of all, one at a time.

    Raises the first MaterializationFailed once all have ended: what one can't do keeps none from doing its share.
    """
    shares = [list(views[number :: job.parallel]) for number in range(min(job.parallel, len(views)))]
    lock = threading.Lock()

    def tell(event: dict[str, Any]) -> None:
        with lock:
            listener(event)

    with ExitStack() as stack:
        processes = [stack.enter_context(_started(repo)) for _ in shares]
        threads = stack.enter_context(ThreadPoolExecutor(len(shares)))
        jobs = [replace(job, views=tuple(share), parallel=1) for share in shares]
        futures = [threads.submit(_do, *each, tell) for each in zip(processes, jobs, strict=True)]
        wait(futures)
        reports = [view for future in futures for view in future.result().views]
    return sorted(reports, key=lambda report: views.index(report.view))


@contextmanager
def _started(repo: Path) -> "Iterator[subprocess.Popen[bytes]]":
    command = [sys.executable, "-m", MODULE, "--repo", str(repo)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.terminate()  # where somebody pressed Ctrl-C; otherwise it has ended


def _do(process: "subprocess.Popen[bytes]", job: Job, tell: Listener) -> Report:
    assert process.stdin is not None  # noqa: S101 - both are pipes, as was asked for
    assert process.stdout is not None  # noqa: S101
    process.stdin.write(json.dumps(job.to_json()).encode() + b"\n")
    process.stdin.flush()
    last: dict[str, Any] = {}
    for line in process.stdout:
        last = json.loads(line)
        if last["event"] in ("view_started", "progress", "view_done"):
            tell(last)
    code = process.wait()
    if last.get("event") == "done":
        return Report.from_json(last["report"])
    if last.get("event") == "failed":
        raise MaterializationFailed(last["kind"], last["message"])
    raise MaterializationFailed(
        "other", f"The process of {', '.join(job.views or ())} ended with code {code} before it was done."
    )
