"""The pushes to the sample repository: their rows, and a scenario for each number of rows."""

from datetime import UTC, datetime
from functools import cache
from typing import Any

import numpy as np

from loadtest.scenario import BODIES, SEED, Scenario, push
from pipelines.local.sample import CUSTOMERS, customer_stats

PUSH_SOURCE = "customer_push_source"
JOIN_KEY = "customer_id"
TIMES = ("event_timestamp", "created_timestamp")
TARGETS = {1: 15, 10: 12, 1000: 8}  # rows: times stock's requests/s, and times less CPU
MANY_ROWS, MANY_ROWS_BODIES = 100, 64  # such bodies have 100 kB, and every key is in six of them
DIGITS = 4  # of a float, as a producer would send it


def push_scenarios() -> list[Scenario]:
    """Return the pushes of 1, 10 and 1000 rows."""
    return [push_scenario(rows) for rows in TARGETS]


def push_scenario(rows: int) -> Scenario:
    """Return the pushes of so many rows."""
    bodies = MANY_ROWS_BODIES if rows > MANY_ROWS else BODIES
    return push(PUSH_SOURCE, sample_columns(), rows, bodies, TARGETS.get(rows))


@cache
def sample_columns() -> dict[str, list[Any]]:
    """Return a valid new row for each of the 10,000 customers, without its times: other values than those materialized."""
    table = customer_stats(np.random.default_rng(SEED), datetime.now(UTC).date(), CUSTOMERS)
    return {
        name: [round(value, DIGITS) if isinstance(value, float) else value for value in table[name].to_pylist()]
        for name in table.column_names
        if name not in TIMES
    }
