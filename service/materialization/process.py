"""The process that materializes: `python -m service.materialization.process --repo PATH`. A job comes in, events go out.

The job is one line of JSON on stdin (`service.materialization.job.Job.to_json`). On stdout there is one JSON object a line:

    {"event": "started", "views": [{"view", "start", "end"}, ...]}
    {"event": "view_started", "view"}
    {"event": "progress", "view", "rows", "of"}
    {"event": "view_done", and a ViewReport}
    {"event": "done", "report": a Report}                or       {"event": "failed", "kind", "message"}

It ends when its stdin does, that is with whoever started it; its exit code is 0 if the job is done, 1 if not.
"""

import argparse
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO

from service.logs import configure_logging
from service.materialization.job import Job, MaterializationFailed


def main() -> int:
    """Read the job, do it, tell; returns the exit code."""
    parser = argparse.ArgumentParser(prog="service.materialization.process")
    parser.add_argument("--repo", type=Path, required=True)
    options = parser.parse_args()
    configure_logging("materialization")
    # Whatever else prints, Feast's functions among it, must not come between the events.
    events = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    line = sys.stdin.buffer.readline()
    threading.Thread(target=_end_with_stdin, daemon=True).start()

    def tell(event: dict[str, Any]) -> None:
        _write(events, event)

    try:
        job = Job.from_json(_parsed(line))
        if job.rows_per_second is not None:
            _yield_to_others()
        # Feast is slow to import: what can be said without it is said.
        from service.materialization.run import materialize

        report = materialize(options.repo, job, tell)
    except MaterializationFailed as error:
        tell({"event": "failed", "kind": error.kind, "message": str(error)})
        return 1
    tell({"event": "done", "report": report.to_json()})
    return 0


def _yield_to_others() -> None:
    """Run only where nobody else wants the core: at the lowest niceness a read would still wait for a slice to end."""
    if sys.platform == "linux":
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    else:
        os.nice(19)


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise MaterializationFailed("bad_request", f"The job isn't JSON: {error}") from error


def _write(events: BinaryIO, event: dict[str, Any]) -> None:
    events.write(json.dumps(event).encode() + b"\n")


def _end_with_stdin() -> None:
    while os.read(sys.stdin.fileno(), 64):
        pass
    os._exit(1)  # nobody is there any more to be told


if __name__ == "__main__":
    sys.exit(main())
