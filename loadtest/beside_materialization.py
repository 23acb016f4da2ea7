"""Reads of ours while the service materializes: the p99 of a closed loop of reads, without and with POST /materialize."""

import json
import logging
import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any
from urllib.request import Request, urlopen

from loadtest import wrk
from loadtest.bench import Plan, drive
from loadtest.errors import ServerFailedError
from loadtest.machine import Cores, move_to
from loadtest.markdown import number, table, verdict
from loadtest.materialize_once import VIEW
from loadtest.records import MaterializedBeside
from loadtest.repositories import SAMPLE
from loadtest.results import Results
from loadtest.servers import HOST, Kind, Server, Site, serving

READS, READ_CONNECTIONS = "10x12", 4
AT_MOST = 1.5  # times the p99 of reads without a materialization
BEGIN_SECONDS = 60.0
POLL_SECONDS = 0.2

log = logging.getLogger("loadtest")


def interval() -> tuple[datetime, datetime]:
    """All rows of the sample."""
    now = datetime.now(UTC)
    return now - timedelta(days=3 * 365), now


def beside(site: Site, plan: Plan, cores: Cores, folder: Path, results: Results) -> None:
    """Reads alone, and while POST /materialize writes the million again, both on one server; its process is on its core."""
    move_to(cores.load, os.getpid(), site.redis_pid)
    reads = next(scenario for scenario in SAMPLE.scenarios(SAMPLE.ids) if scenario.name == READS)
    script = folder / f"{READS}.lua"
    script.write_text(wrk.script(reads))
    for number_ in range(1, plan.rounds + 1):
        with serving(Kind.OURS, site, reads, cores.pin_server, folder) as server:
            _ask(server, "/materialize", {"feature_views": ["transaction_stats"], **_interval()})
            for busy in (False, True):
                drive(server, script, plan.warm_up_seconds, cores, READ_CONNECTIONS)
                before = _begin(server) if busy else 0
                began = time.monotonic()
                load = drive(server, script, plan.seconds, cores, READ_CONNECTIONS)
                rows = (_running(server) - before) / (time.monotonic() - began) if busy else 0.0
                run_ = MaterializedBeside(number_, busy, load.requests, load.seconds, load.p50_us, load.p99_us, rows)
                results.beside_materialization.append(run_)
                log.info("round %d, reads %s: p99 %.2f ms", number_, "beside it" if busy else "alone", load.p99_us / 1000)


def _interval() -> dict[str, str]:
    start, end = interval()
    return {"start_ts": start.isoformat(), "end_ts": end.isoformat()}


def _begin(server: Server) -> int:
    """Begin a materialization; gives its rows once it writes."""
    _ask(server, "/materialize?async=true&force=true", {"feature_views": [VIEW], **_interval()})
    given_up = time.monotonic() + BEGIN_SECONDS
    while not (rows := _running(server)):
        if time.monotonic() > given_up:
            raise ServerFailedError(f"nothing was materialized within {BEGIN_SECONDS:.0f} s\n{server.log_end()}")
        time.sleep(POLL_SECONDS)
    return rows


def _running(server: Server) -> int:
    """The rows of the one that runs; ServerFailedError when it doesn't any more."""
    newest = _ask(server, "/materialize", None)["materializations"][0]
    if newest["state"] != "running":
        raise ServerFailedError(f"the materialization is {newest['state']} too early: {newest['error']}")
    return int(newest["rows"])


def _ask(server: Server, path: str, body: dict[str, object] | None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(f"http://{HOST}:{server.port}{path}", data), timeout=BEGIN_SECONDS) as answer:
        return json.load(answer)


def render(runs: Sequence[MaterializedBeside]) -> list[str]:
    """Return a table and a sentence; nothing where it wasn't measured."""
    if not runs:
        return []
    alone, busy = ([run_ for run_ in runs if run_.busy is wanted] for wanted in (False, True))

    def row(title: str, some: Sequence[MaterializedBeside]) -> list[str]:
        per_second = median(run_.requests / run_.seconds for run_ in some)
        return [
            title,
            number(per_second),
            *(number(median(getattr(run_, which) for run_ in some) / 1000) for which in ("p50_us", "p99_us")),
        ]

    times = median(run_.p99_us for run_ in busy) / median(run_.p99_us for run_ in alone)
    rate = number(median(run_.rows_per_second for run_ in busy))
    rows = [
        row("alone", alone),
        row(f"while POST /materialize writes {rate} rows/s", busy),
        ["times", "", "", f"**{number(times)}**"],
    ]
    header = [
        f"reads of this service, 10 entities x 12 features, {READ_CONNECTIONS} connections",
        "requests/s",
        "p50, ms",
        "p99, ms",
    ]
    text = (
        f"The aim is a p99 of less than {AT_MOST:g} times that without a materialization: {verdict(times < AT_MOST)}. Its "
        "process is on the server's core, which the reads keep busy, and takes what they leave."
    )
    return [table(header, rows), text]
