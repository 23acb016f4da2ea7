"""Two clients push rows of the same keys at the same moment, each to a worker of its own: the newer one stays, each time."""

import multiprocessing
from collections import Counter
from multiprocessing.process import BaseProcess

from .pushes import PushSite, Standing
from .racing import FIRST_CUSTOMER, LONGEST_SECONDS, RACES, produce, times


def test_ten_thousand_races_have_no_stale_winner(lasting_push_site: PushSite) -> None:
    """And whoever pushed the newer row was told that it was written."""
    context = multiprocessing.get_context("spawn")
    start, reports = context.Barrier(2), context.Queue()
    workers = lasting_push_site.service.worker_pids
    assert len(workers) == 2
    port = lasting_push_site.service.port
    processes: list[BaseProcess] = [
        context.Process(target=produce, args=(producer, port, worker, start, reports), daemon=True)
        for producer, worker in enumerate(workers)
    ]
    for process in processes:
        process.start()
    outcomes = dict(reports.get(timeout=LONGEST_SECONDS) for _ in processes)
    for process in processes:
        process.join(LONGEST_SECONDS)
    both = list(zip(times(0), times(1), strict=True))
    winners = [int(second > first) for first, second in both]
    found = lasting_push_site.standing(range(FIRST_CUSTOMER, FIRST_CUSTOMER + RACES))
    assert found == [Standing(max(pair), winner) for pair, winner in zip(both, winners, strict=True)]
    assert {outcomes[winner][race] for race, winner in enumerate(winners)} == {"written"}
    # The newer row came first in many races, and last in many.
    of_losers = Counter(outcomes[1 - winner][race] for race, winner in enumerate(winners))
    assert of_losers["stale"] > RACES // 10
    assert of_losers["written"] > RACES // 10
