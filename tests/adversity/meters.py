"""What is pushed to the site of `pushes`: rows in which every value is one mark. Imports nothing of Feast's."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

SOURCE, VIEW, SUITE = "meter_push", "meters", "meters_suite"
FEATURES = [f"f{number}" for number in range(5)]
START = datetime(2026, 1, 1, tzinfo=UTC)


def rows(customers: Sequence[int], marks: Sequence[int], times: Sequence[str], **columns: list[Any]) -> dict[str, list[Any]]:
    """Rows by column."""
    values = {feature: list(marks) for feature in FEATURES}
    return {"customer_id": list(customers), **values, "event_timestamp": list(times), **columns}


def at(seconds: float) -> str:
    """An event time."""
    return (START + timedelta(seconds=seconds)).isoformat()
