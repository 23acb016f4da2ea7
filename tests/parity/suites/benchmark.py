"""What a validation costs, compiled and by Great Expectations itself: `python -m tests.parity.suites.benchmark`."""

import random
import time
from collections.abc import Callable
from typing import Any

from service.suites import Frame, compile_suite

from .reference import Reference

SUITE: dict[str, Any] = {
    "name": "customers",
    "expectations": [
        {"type": kind, "kwargs": kwargs}
        for kind, kwargs in [
            ("expect_column_values_to_not_be_null", {"column": "customer_id"}),
            ("expect_column_values_to_be_unique", {"column": "customer_id"}),
            ("expect_column_values_to_be_between", {"column": "tenure_months", "min_value": 0, "max_value": 120}),
            ("expect_column_values_to_be_between", {"column": "total_spend", "min_value": 0, "max_value": 1e6}),
            ("expect_column_values_to_be_between", {"column": "loyalty_score", "min_value": 0, "max_value": 1}),
            ("expect_column_values_to_be_in_set", {"column": "segment", "value_set": ["basic", "plus", "premium"]}),
            ("expect_column_values_to_match_regex", {"column": "email", "regex": r"^[^@\s]+@[^@\s]+$"}),
            ("expect_column_values_to_be_of_type", {"column": "tenure_months", "type_": "int64"}),
            (
                "expect_column_pair_values_a_to_be_greater_than_b",
                {"column_A": "total_spend", "column_B": "average", "or_equal": True},
            ),
            ("expect_column_mean_to_be_between", {"column": "total_spend", "min_value": 0, "max_value": 1e6}),
        ]
    ],
}
ROUNDS = 100


def customers(rows: int) -> dict[str, list[Any]]:
    """Rows that are all as the suite expects."""
    draw = random.Random(rows)
    return {
        "customer_id": list(range(rows)),
        "tenure_months": [draw.randint(0, 120) for _ in range(rows)],
        "total_spend": [draw.uniform(10, 1000) for _ in range(rows)],
        "average": [draw.uniform(1, 10) for _ in range(rows)],
        "loyalty_score": [draw.random() for _ in range(rows)],
        "segment": [draw.choice(["basic", "plus", "premium"]) for _ in range(rows)],
        "email": [f"customer{number}@example.org" for number in range(rows)],
    }


def best(call: Callable[[], object], times: int, rounds: int) -> float:
    """Microseconds of this thread's CPU a call, in the best of some rounds: what it costs when nobody else is in the way."""
    lowest = float("inf")
    for _ in range(rounds):
        start = time.thread_time()
        for _ in range(times):
            call()
        lowest = min(lowest, (time.thread_time() - start) / times)
    return lowest * 1e6


def main() -> None:
    """Print a table."""
    suite, reference = compile_suite(SUITE, "benchmark"), Reference()
    print(f"{len(SUITE['expectations'])} expectations; microseconds of CPU, best of {ROUNDS} rounds")
    for rows in (1, 10, 1000, 10_000):
        columns = customers(rows)
        frame = Frame(columns)
        outcomes = suite.run(frame)
        assert all(outcome.success for outcome in outcomes)
        times = max(1, 100 // rows)
        run = best(lambda columns=columns: suite.run(Frame(columns)), times, ROUNDS)  # type: ignore[misc]
        result = best(lambda o=outcomes, f=frame: suite.result(o, f, "SUMMARY"), times, ROUNDS)  # type: ignore[misc]
        gx = best(lambda columns=columns: reference.validate(SUITE, columns, "SUMMARY"), 1, 5)  # type: ignore[misc]
        print(f"{rows:6} rows: run {run:9.1f}   result {result:9.1f}   Great Expectations {gx:9.0f}")


if __name__ == "__main__":
    main()
