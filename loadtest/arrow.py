"""Arrow beside JSON, end to end: how long a client waits from its request to a pandas frame, and what that costs the server."""

import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from random import Random

import msgspec

from loadtest.bench import Plan, workplace
from loadtest.errors import BenchmarkError
from loadtest.forms import ALL_OF_ARROW, ARROW, CLIENT_JSON, PLAIN_JSON, TITLES, Timing
from loadtest.machine import Cores, move_to
from loadtest.markdown import number, table, verdict
from loadtest.records import FormTime
from loadtest.repositories import SAMPLE
from loadtest.results import Results, median_of
from loadtest.scenario import SEED
from loadtest.servers import Kind, Server, serving
from pipelines.local.process import die_with_parent

NAME = "arrow"
ROWS = 1000
LISTS = 16  # of customers, so that no answer is remembered anywhere
SECONDS = 4.0  # a run, if the plan's are longer: thousands of requests
AT_LEAST = 2.0  # times sooner than JSON
CHILD_SECONDS = 60.0
FIELDS = {
    "p50_ms": "p50 to the frame, ms",
    "p99_ms": "p99, ms",
    "client_ms": "the client's CPU, ms",
    "server_ms": "the server's CPU, ms",
}

log = logging.getLogger("loadtest")


def measure(plan: Plan, cores: Cores, results: Results) -> None:
    """Time each form once a round, in changing order, at one server a round."""
    with workplace() as folder, SAMPLE.site(folder / SAMPLE.name) as site:
        move_to(cores.load, os.getpid(), site.redis_pid)
        for round_number in range(1, plan.rounds + 1):
            with serving(Kind.OURS, site, SAMPLE.survey(SAMPLE.ids[:1]), cores.pin_server, folder) as server:
                lists = customers(SAMPLE.alive(server))
                for form in list(TITLES)[:: 1 if round_number % 2 else -1]:
                    took = timed(form, server, lists, min(plan.seconds, SECONDS), cores.pin_load)
                    results.forms.append(FormTime(form, round_number, took))
                    log.info(
                        "round %d, %-11s: %.2f ms to a frame, CPU of the client %.2f ms, of the server %.2f ms",
                        *(round_number, form, took.p50_ms, took.client_ms, took.server_ms),
                    )


def customers(alive: Sequence[int]) -> list[list[int]]:
    """Return lists of random customers whose values are all alive: without nulls the frames of both forms are the same."""
    random = Random(f"{SEED} arrow")
    return [random.sample(alive, ROWS) for _ in range(LISTS)]


def timed(form: str, server: Server, lists: Sequence[Sequence[int]], seconds: float, pin: Sequence[str]) -> Timing:
    """Run the child that asks in one form; BenchmarkError when it fails, or what it gets isn't what JSON says."""
    command = [*pin, sys.executable, "-m", "loadtest.time_client", form, str(server.port), str(server.process.pid)]
    done = subprocess.run(
        [*command, str(seconds)],
        input=msgspec.json.encode(lists),
        capture_output=True,
        timeout=seconds + CHILD_SECONDS,
        check=False,
        start_new_session=True,
        preexec_fn=die_with_parent(),
    )
    if done.returncode:
        raise BenchmarkError(f"timing the client ({form}) failed:\n{done.stderr.decode(errors='replace')[-2000:]}")
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Timing)


def render(results: Results) -> str:
    """Return the medians of each form as a table, and how many times sooner Arrow is; nothing when it wasn't measured."""
    if not results.forms:
        return ""
    waits = {form: _median(results, form, "p50_ms") for form in TITLES}
    rows = [[title, *(number(_median(results, form, field)) for field in FIELDS)] for form, title in TITLES.items()]
    header = [f"{ROWS:,} entities x 12 features, one request after the other", *FIELDS.values()]
    sooner = waits[CLIENT_JSON] / waits[ARROW]
    text = (
        f"From the request to the frame Arrow takes **{number(sooner)}** times less than JSON by the same client (to reach "
        f"{AT_LEAST:g}: {verdict(sooner >= AT_LEAST)}), {number(waits[PLAIN_JSON] / waits[ARROW])} times less than JSON that "
        "is read without checks, and with statuses and event times, which JSON always has, "
        f"{number(waits[PLAIN_JSON] / waits[ALL_OF_ARROW])} times less than that. Before the timing the frames of "
        "all had the same values."
    )
    return f"### Arrow answers\n\n{table(header, rows)}\n\n{text}"


def _median(results: Results, form: str, field: str) -> float:
    return median_of(getattr(run.took, field) for run in results.forms if run.form == form)
