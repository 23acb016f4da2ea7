"""A client that races another one for the same keys, in a process of its own that imports nothing of Feast's."""

import http.client
import itertools
import json
import random
from collections.abc import Iterator
from datetime import timedelta
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from .meters import SOURCE, START, rows

RACES = 10_000
# Rows of a push, in turn, until there were RACES.
BATCHES = (1, 10, 1, 100, 10, 1000)
FIRST_CUSTOMER = 5 * 10**9
LONGEST_SECONDS = 60.0
# How often a client connects until the kernel gives it the worker that it wants.
TRIES = 200
# The older time of each race, and what the newer one may be later by: nanoseconds count.
TIME, NANOSECONDS = START + timedelta(days=1), 123_456_789
LATER = (1, 1_000, 10**9)

Report = tuple[int, list[str]]


def batches() -> list[list[int]]:
    """The customers of each push, none twice."""
    sizes, customers = itertools.cycle(BATCHES), iter(range(FIRST_CUSTOMER, FIRST_CUSTOMER + RACES))
    return list(iter(lambda: list(itertools.islice(customers, next(sizes))), []))


def times(producer: int) -> list[int]:
    """Nanoseconds since 1970 of one producer's rows; a draw says whose is newer, and by how much."""
    rng = random.Random(8)
    older = int(TIME.timestamp()) * 10**9 + NANOSECONDS
    drawn = [(rng.choice([0, 1]), rng.choice(LATER)) for _ in range(RACES)]
    return [older + more if winner == producer else older for winner, more in drawn]


def text(nanoseconds: int) -> str:
    """As a client writes it."""
    seconds, rest = divmod(nanoseconds, 10**9)
    moment = TIME + timedelta(seconds=seconds - int(TIME.timestamp()))
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest:09}Z"


def connect(port: int, worker: int) -> http.client.HTTPConnection:
    """A connection that a certain worker has accepted."""
    for _ in range(TRIES):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONGEST_SECONDS)
        connection.request("GET", "/health")
        connection.getresponse().read()
        if f"socket:[{server_socket(port, connection.sock.getsockname()[1])}]" in open_files(worker):
            return connection
        connection.close()
    raise AssertionError(f"The kernel gave worker {worker} none of {TRIES} connections.")


def server_socket(port: int, client_port: int) -> str:
    """The inode of the server's end of a connection."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _, _, _, _, _, _, inode, *_ = line.split()
        if (int(local.partition(":")[2], 16), int(remote.partition(":")[2], 16)) == (port, client_port):
            return inode
    return ""


def open_files(pid: int) -> Iterator[str]:
    """What a process has open."""
    for file in Path(f"/proc/{pid}/fd").iterdir():
        try:
            yield str(file.readlink())
        except FileNotFoundError:  # it has just been closed
            continue


def produce(producer: int, port: int, worker: int, start: Barrier, reports: "Queue[Report]") -> None:
    """One process: pushes its row of every customer, each batch when the other process is as far, in an order of its own."""
    rng = random.Random(producer)
    connection = connect(port, worker)
    outcomes = ["written"] * RACES
    for customers, moments in zip(batches(), cut(times(producer)), strict=True):
        batch = list(zip(customers, moments, strict=True))
        rng.shuffle(batch)
        df = rows([customer for customer, _ in batch], [producer] * len(batch), [text(moment) for _, moment in batch])
        body = json.dumps({"push_source_name": SOURCE, "df": df})
        start.wait(LONGEST_SECONDS)
        connection.request("POST", "/push", body, {"content-type": "application/json"})
        response = connection.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
        assert response.status == 200, answer
        for outcome in answer["outcomes"]:
            outcomes[batch[outcome["row"]][0] - FIRST_CUSTOMER] = outcome["outcome"]
    reports.put((producer, outcomes))


def cut(values: list[int]) -> list[list[int]]:
    """In batches."""
    rest = iter(values)
    return [list(itertools.islice(rest, len(customers))) for customers in batches()]
