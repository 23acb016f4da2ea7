"""Sample customers for one machine: 10,000 of them in two parquet files, the same every time for one day."""

import json
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipelines.local.layout import CUSTOMER_FILE, GOOD_FOR_DAYS, MANIFEST_FILE, TRANSACTION_FILE

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

CUSTOMERS = 10_000
FIRST_CUSTOMER_ID = 1001
SEED = 20_260_101

# The ttls of the views in features.py, in days.
CUSTOMER_TTL_DAYS = 365
TRANSACTION_TTL_DAYS = 90

EXPIRED_SHARE = 0.05
MISSING_SHARE = 0.01  # loyalty scores and segments that nobody has worked out yet
SEGMENTS = np.array(["bronze", "silver", "gold", "platinum"])
SEGMENT_SPEND = (300.0, 1_000.0, 3_000.0)  # euros; from each on, the next segment
DAY_SECONDS = 86_400
LAST_EVENT_BEFORE_MIDNIGHT = timedelta(hours=3)  # rows are created up to 2 h after their event, and before `day`


def write_sample(directory: Path, day: date, customers: int = CUSTOMERS) -> None:
    """Write `customer_stats.parquet`, `transaction_stats.parquet` and a manifest: a row per customer, ids from 1001.

    Every event time lies before `day` (UTC), about 5 % of them past the ttl. The same arguments give the same bytes.
    """
    directory.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(SEED)
    write_table(customer_stats(random, day, customers), directory / CUSTOMER_FILE)
    write_table(transaction_stats(random, day, customers), directory / TRANSACTION_FILE)
    (directory / MANIFEST_FILE).write_text(json.dumps({"day": day.isoformat(), "customers": customers, "seed": SEED}))


def customer_stats(random: np.random.Generator, day: date, customers: int) -> pa.Table:
    """Return the rows of `customer_stats`: lognormal spend, which also decides segment and, roughly, loyalty."""
    tenure: Integers = random.integers(0, 120, customers)
    purchases: Integers = random.poisson(0.4 * tenure + 0.5)
    basket: Floats = random.lognormal(3.6, 0.6, customers)  # about 37 euros
    spend: Floats = np.round(purchases * basket, 2)
    noise: Floats = random.normal(0.0, 0.1, customers)
    score: Floats = np.clip(0.25 + 0.09 * np.log1p(1.0 * purchases) + 0.003 * tenure + noise, 0.0, 1.0)
    events = event_times(random, day, customers, CUSTOMER_TTL_DAYS)
    segments = SEGMENTS[np.searchsorted(SEGMENT_SPEND, spend, side="right")]
    return pa.table(
        {
            "customer_id": customer_ids(customers),
            "event_timestamp": timestamps(events),
            "created_timestamp": timestamps(events + random.integers(60_000_000, 7_200_000_000, customers)),
            "tenure_months": pa.array(tenure, pa.int64()),
            "total_purchases": pa.array(purchases, pa.int64()),
            "total_spend": pa.array(spend, pa.float32()),
            "avg_purchase_value": mean(spend, purchases),
            "customer_segment": pa.array(segments, pa.string(), mask=random.random(customers) < MISSING_SHARE),
            "loyalty_score": pa.array(score, pa.float32(), mask=random.random(customers) < MISSING_SHARE),
        }
    )


def transaction_stats(random: np.random.Generator, day: date, customers: int) -> pa.Table:
    """Return the rows of `transaction_stats`: the last 7 days are part of the last 30, in number and in amount."""
    rate: Floats = random.gamma(1.5, 6.0, customers)  # transactions a month
    count_7d: Integers = random.poisson(rate * 7 / 30)
    count_30d: Integers = count_7d + random.poisson(rate * 23 / 30)
    typical: Floats = random.lognormal(3.4, 0.7, customers)  # about 30 euros
    amount_7d: Floats = np.round(count_7d * typical * random.lognormal(0, 0.2, customers), 2)
    older: Floats = (count_30d - count_7d) * typical * random.lognormal(0, 0.2, customers)
    amount_30d: Floats = np.round(amount_7d + older, 2)
    likely_largest = np.minimum(amount_30d, typical * (1 + 0.6 * np.log1p(1.0 * count_30d)))
    largest: Floats = np.round(np.maximum(likely_largest, amount_7d / np.maximum(count_7d, 1)), 2)
    return pa.table(
        {
            "customer_id": customer_ids(customers),
            "event_timestamp": timestamps(event_times(random, day, customers, TRANSACTION_TTL_DAYS)),
            "txn_count_7d": pa.array(count_7d, pa.int64()),
            "txn_count_30d": pa.array(count_30d, pa.int64()),
            "txn_amount_7d": pa.array(amount_7d, pa.float32()),
            "txn_amount_30d": pa.array(amount_30d, pa.float32()),
            "avg_txn_amount_7d": mean(amount_7d, count_7d),
            "max_txn_amount_30d": pa.array(largest, pa.float32(), mask=count_30d == 0),
        }
    )


def event_times(random: np.random.Generator, day: date, customers: int, ttl_days: int) -> Integers:
    """Return microseconds since 1970: most rows days old, all fresh ones fresh for 30 days more, 5 % past the ttl."""
    fresh = np.minimum(random.exponential(ttl_days / 12, customers), ttl_days - GOOD_FOR_DAYS - 2)
    expired = ttl_days + random.uniform(1, 120, customers)
    age_days: Floats = np.where(random.random(customers) < EXPIRED_SHARE, expired, fresh)
    last = datetime(day.year, day.month, day.day, tzinfo=UTC) - LAST_EVENT_BEFORE_MIDNIGHT
    times: Integers = np.int64(last.timestamp() * 1e6) - (age_days * DAY_SECONDS).astype(np.int64) * 1_000_000
    return times


def customer_ids(customers: int) -> pa.Array:
    """Return the join key column: 1001 and the numbers after it."""
    return pa.array(np.arange(FIRST_CUSTOMER_ID, FIRST_CUSTOMER_ID + customers), pa.int64())


def timestamps(microseconds: Integers) -> pa.Array:
    """Return a UTC timestamp column."""
    return pa.array(microseconds, pa.int64()).cast(pa.timestamp("us", tz="UTC"))


def mean(amount: Floats, count: Integers) -> pa.Array:
    """Return amount / count as float32, null where there is nothing to average."""
    return pa.array(np.round(amount / np.maximum(count, 1), 2), pa.float32(), mask=count == 0)


def write_table(table: pa.Table, path: Path) -> None:
    """Write a parquet file in one step, so that a killed run leaves the old file or none."""
    partial = path.with_suffix(".partial")
    pq.write_table(table, partial)
    partial.replace(path)


if __name__ == "__main__":
    write_sample(Path(sys.argv[1]), datetime.now(UTC).date())
