"""Two processes write rows of the same keys at the same moment, again and again: the newer one stays, each time."""

import asyncio
import itertools
import multiprocessing
import random
from collections import Counter
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import uvloop

from pipelines.local.redis import EmbeddedRedis
from service.store.writes import RowWriter

from .stores import connected
from .timed_rows import BOTH_VIEWS, ORDERS, PROFILE, Standing, columns, event_time, standing

RACES = 10_000
# Rows of a batch, from those of a single push to several parts of a large one; in turn, until there were RACES.
BATCHES = (1, 10, 1, 100, 10, 1000)
LONGEST_SECONDS = 60.0
# The older time of each race.
SECONDS, NANOS = 1_700_000_000, 5

Report = tuple[int, list[int | None]]


def batches() -> list[list[bytes]]:
    """The keys of each batch, no key twice."""
    sizes = itertools.cycle(BATCHES)
    keys = iter([b"key:%d" % number for number in range(RACES)])
    return list(iter(lambda: list(itertools.islice(keys, next(sizes))), []))


def times(producer: int) -> list[tuple[int, int]]:
    """Seconds and nanoseconds of one producer's rows; a draw says whose is newer, and by how much."""
    rng = random.Random(6)
    drawn = [(rng.choice([0, 1]), rng.choice([(0, 1), (1, 0), (1, -1)])) for _ in range(RACES)]
    return [(SECONDS + more[0], NANOS + more[1]) if winner == producer else (SECONDS, NANOS) for winner, more in drawn]


def produce(producer: int, port: int, start: Barrier, reports: "Queue[Report]") -> None:
    """One process: writes its row of every key, each batch when the other process is as far, in an order of its own."""
    reports.put((producer, uvloop.run(write_all(producer, port, start))))


async def write_all(producer: int, port: int, start: Barrier) -> list[int | None]:
    """The outcome of each key."""
    rng = random.Random(producer)
    rows = {key: (time, row) for row, (key, time) in enumerate(zip(itertools.chain(*batches()), times(producer), strict=True))}
    outcomes: list[int | None] = [None] * RACES
    async with connected(f"127.0.0.1:{port}", read_timeout=LONGEST_SECONDS) as (store, _):
        writer = RowWriter(store)
        for keys in batches():
            rng.shuffle(keys)
            moments = [event_time(*rows[key][0]) for key in keys]
            start.wait(LONGEST_SECONDS)
            report = await writer.write(BOTH_VIEWS, keys, moments, columns([producer] * len(keys), views=2))
            assert report.failure is None
            for key, outcome in zip(keys, report.outcomes, strict=True):
                outcomes[rows[key][1]] = outcome
    return outcomes


async def test_ten_thousand_races_have_no_stale_winner(tmp_path: Path) -> None:
    """In both views; and whoever wrote the newer row was told that it was written."""
    context = multiprocessing.get_context("spawn")
    start, reports = context.Barrier(2), context.Queue()
    with EmbeddedRedis(tmp_path, persist=False) as redis:
        processes: list[BaseProcess] = [
            context.Process(target=produce, args=(producer, redis.port, start, reports), daemon=True) for producer in (0, 1)
        ]
        for process in processes:
            process.start()
        outcomes = dict([await asyncio.to_thread(reports.get, timeout=LONGEST_SECONDS) for _ in processes])
        for process in processes:
            process.join(LONGEST_SECONDS)
        keys = list(itertools.chain(*batches()))
        found = [standing(redis.port, keys, view) for view in (PROFILE, ORDERS)]
    both = list(zip(times(0), times(1), strict=True))
    winners = [int(second > first) for first, second in both]
    wanted = [Standing(event_time(*max(pair)), str(winner)) for pair, winner in zip(both, winners, strict=True)]
    assert found == [wanted, wanted]
    assert all(outcomes[winner][row] == 0b11 for row, winner in enumerate(winners))
    # The newer row came first in many races, and last in many.
    of_losers = Counter(outcomes[1 - winner][row] for row, winner in enumerate(winners))
    assert of_losers[0] > RACES // 10
    assert of_losers[0b11] > RACES // 10
