"""The process that materializes, and several of them at a time."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from feast.types import Int64

from service.materialization.job import Job, MaterializationFailed, Report

from .shelf import END, MOMENT, OURS, START, Shelf, view, visits

COMMAND = [sys.executable, "-m", "service.materialization.process", "--repo"]


def run(repo: Path, line: bytes, lasting: bool = True) -> tuple[int, list[dict[str, Any]], str]:
    """Give a process its job: its exit code, what it tells, its log."""
    command = [*COMMAND, str(repo)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(line)
        process.stdin.flush()
        if not lasting:
            process.stdin.close()
        events = [json.loads(line) for line in process.stdout]
        log = process.stderr.read().decode()
    return process.returncode, events, log


def asked(job: Job) -> bytes:
    """A job as the process takes it."""
    return json.dumps(job.to_json()).encode() + b"\n"


def test_a_job_is_done_and_told(shelf: Shelf) -> None:
    """On stdout there is nothing but events, though Feast prints, too."""
    shelf.apply(visits(shelf, {1: 10}))
    code, events, log = run(shelf.ours.folder, asked(Job(START, END)))
    assert code == 0, log
    assert [event["event"] for event in events] == ["started", "view_started", "progress", "progress", "view_done", "done"]
    assert Report.from_json(events[-1]["report"]).rows == 1
    assert len(shelf.dump(OURS)) == 1


def test_a_paced_job_is_done_in_its_time(shelf: Shelf) -> None:
    """So many rows a second at most, by a process that yields to all others."""
    shelf.apply(visits(shelf, {number: number for number in range(200)}))
    code, events, log = run(shelf.ours.folder, asked(Job(START, END, rows_per_second=100)))
    assert code == 0, log
    assert events[-1]["report"]["rows"] == 200 == len(shelf.dump(OURS))
    assert events[-1]["report"]["views"][0]["seconds"] > 1.5  # at least: it is a limit


def test_what_cant_be_done_is_told(shelf: Shelf) -> None:
    """By kind and in words; so is a line that is no job."""
    shelf.apply(visits(shelf, {1: 10}))
    code, events, _ = run(shelf.ours.folder, asked(Job(START, END, ("nobody",))))
    assert (code, events[-1]["event"], events[-1]["kind"]) == (1, "failed", "unknown_view")
    code, events, _ = run(shelf.ours.folder, b'{"end": "tomorrow"}\n')
    assert (code, events[-1]["kind"]) == (1, "bad_request")
    code, events, _ = run(shelf.ours.folder, b"now\n")
    assert (code, events[-1]["kind"]) == (1, "bad_request")


def test_it_ends_with_whoever_started_it(shelf: Shelf) -> None:
    """Its stdin ends then."""
    shelf.apply(visits(shelf, {1: 10}))
    code, events, _ = run(shelf.ours.folder, asked(Job(START, END)), lasting=False)
    assert code == 1
    assert not [event for event in events if event["event"] in ("done", "failed")]


def test_a_killed_one_is_made_good_by_the_next(shelf: Shelf) -> None:
    """The registry may say for ever that the view is being materialized: that keeps nobody from doing it."""
    rows = 200_000
    table = {
        "customer_id": pa.array(range(rows), pa.int64()),
        "x": pa.array(range(rows), pa.int64()),
        "event_timestamp": pa.array([MOMENT] * rows, pa.timestamp("us", "UTC")),
    }
    shelf.apply(view("many", shelf.file("many", table), {"x": Int64}))
    command = [*COMMAND, str(shelf.ours.folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(asked(Job(START, END)))
        process.stdin.flush()
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "progress" and event["rows"]:
                break
        process.kill()
    assert 0 < len(shelf.redis().keys()) < rows
    report, _ = shelf.run(resume=True)
    assert report.rows == rows == shelf.redis().dbsize()
    assert not report.views[0].skipped


def test_several_views_at_a_time(shelf: Shelf) -> None:
    """Each is noted in the registry, and reported in order."""
    names = [f"view{number}" for number in range(5)]
    shelf.apply(*(visits(shelf, {number: 10 + number}, name) for number, name in enumerate(names)))
    report, events = shelf.run(parallel=2)
    assert {one.view for one in report.views} == set(names)
    assert report.rows == 5 == len(shelf.dump(OURS))
    assert sorted(event["view"] for event in events if event["event"] == "view_done") == names
    shelf.ours.reopen()
    for name in names:
        assert shelf.ours.store.get_feature_view(name).materialization_intervals == [(START, END)]


def test_what_one_of_several_cant_do_keeps_none_from_its_share(shelf: Shelf) -> None:
    """The first failure is raised when all have ended."""
    shelf.apply(*(visits(shelf, {number: number}, f"view{number}") for number in range(3)))
    (shelf.folder / "view0.parquet").unlink()
    with pytest.raises(MaterializationFailed, match="view0: its source view0 can't be read"):
        shelf.run(parallel=3)
    assert len(shelf.dump(OURS)) == 2


def test_a_registry_in_a_file_takes_one_at_a_time(tmp_path: Path, server: Any) -> None:
    """Two would undo what each other notes there."""
    shelf = Shelf(tmp_path, server, kind="file")
    shelf.ours.apply(visits(shelf, {1: 10}), visits(shelf, {1: 7}, "others"))
    with pytest.raises(MaterializationFailed, match="of type sql") as caught:
        shelf.run(parallel=2)
    assert caught.value.kind == "bad_request"
    report, _ = shelf.run(START, END + timedelta(days=1), ["visits"], parallel=2)
    assert report.rows == 1
