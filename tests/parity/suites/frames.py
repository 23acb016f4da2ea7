"""Random frames: every kind of column that JSON or a file can bring, and those that make pandas think."""

import math
import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

Columns = dict[str, list[Any]]
Draw = Callable[[random.Random], Any]

NAMES = ("a", "b", "c", "d", "e", "f", "g", "h", "Total Amount", "größe")
# More rows than GX returns values (200), and the small numbers where most goes wrong.
ROW_COUNTS = (0, 1, 1, 2, 3, 5, 8, 13, 40, 260)
WORDS = (
    "",
    "a",
    "A",
    "b",
    "ab",
    "é",
    "e\u0301",
    "日本語",
    "🙂",
    "naïve",
    " a",
    "a b",
    "1",
    "1.0",
    "2024-01-01",
    "nan",
    "None",
    "x@y.org",
    "line\nbreak",
)
BIG = (2**53, 2**53 + 1, -(2**53) - 1, 2**62, 2**63 - 1, -(2**63))
HUGE = (2**63, 2**64 - 1, 2**64, 2**70, -(2**63) - 1)
NAIVE_TIMES = tuple(datetime(2024, 1, 1) + timedelta(hours=12 * step) for step in range(6))


def _time(draw: random.Random) -> datetime:
    return datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=draw.randint(0, 4), seconds=draw.choice([0, 0, 1, 3600]))


def _precise_time(draw: random.Random) -> datetime:
    return _time(draw) + timedelta(microseconds=draw.choice([0, 1000, 123456]))


KINDS: dict[str, Draw] = {
    "small integers": lambda draw: draw.randint(-3, 12),
    "counting integers": lambda draw: draw.randint(0, 10**6),
    "big integers": lambda draw: draw.choice([*BIG, 0, 1]),
    "unsigned integers": lambda draw: draw.choice([2**63, 2**64 - 1, 0, 1, 2**53 + 1]),
    "huge integers": lambda draw: draw.choice([*HUGE, *BIG, 0]),
    "floats": lambda draw: draw.choice([0.0, -0.0, 0.5, 1.0, 2.0, 1e-9, 1e300, draw.uniform(-5, 15), draw.gauss(0, 1e6)]),
    "odd floats": lambda draw: draw.choice([math.nan, math.inf, -math.inf, 1.0, -1.5]),
    "numbers": lambda draw: draw.choice([1, 2, 3.5, 4.0, -1]),
    "big numbers": lambda draw: draw.choice([*BIG, 0.5, 1.0]),
    "booleans": lambda draw: draw.random() < 0.5,
    "one value": lambda draw: "same",
    "words": lambda draw: draw.choice(WORDS),
    "categories": lambda draw: draw.choice(["basic", "plus", "premium"]),
    "digits": lambda draw: str(draw.randint(0, 120)),
    "dates in texts": lambda draw: f"2024-01-0{draw.randint(1, 9)}",
    "days": lambda draw: date(2024, 1, draw.randint(1, 5)),
    "times": _time,
    "precise times": _precise_time,
    "times elsewhere": lambda draw: _time(draw).astimezone(timezone(timedelta(hours=2))),
    "times of two zones": lambda draw: _time(draw).astimezone(draw.choice([UTC, timezone(timedelta(hours=2))])),
    "times without a zone": lambda draw: draw.choice(NAIVE_TIMES),
    "precise times without a zone": lambda draw: draw.choice(NAIVE_TIMES) + timedelta(milliseconds=draw.choice([0, 7])),
    "far times": lambda draw: datetime(draw.choice([1, 1600, 2024, 3000]), 1, 1, tzinfo=UTC),
    "lists": lambda draw: [draw.randint(0, 2) for _ in range(draw.randint(0, 2))],
    "objects": lambda draw: {"k": draw.randint(0, 2)},
    "bytes": lambda draw: draw.choice([b"a", b"ab", b"1"]),
    "nothing": lambda draw: None,
    "anything": lambda draw: draw.choice([1, 2.5, True, "a", "1", None, math.nan, date(2024, 1, 1), [1], 2**70]),
    "numbers and booleans": lambda draw: draw.choice([0, 1, 1.0, True, False]),
    "numbers and texts": lambda draw: draw.choice([0, 1, 2.5, "0", "a"]),
}


def draw_column(draw: random.Random, rows: int, kind: str | None = None) -> list[Any]:
    """A column of one kind, at times with nulls (None, at times NaN) among its values."""
    value = KINDS[kind or draw.choice(list(KINDS))]
    column = [value(draw) for _ in range(rows)]
    if draw.random() < 0.4:
        share = draw.choice([0.1, 0.3, 0.8])
        null = draw.choice([None, None, None, math.nan])
        column = [null if draw.random() < share else item for item in column]
    return column


def draw_frame(draw: random.Random) -> Columns:
    """A frame of a few columns, at times with rows that occur twice."""
    rows = draw.choice(ROW_COUNTS)
    columns = {name: draw_column(draw, rows) for name in draw.sample(NAMES, draw.randint(2, 6))}
    if rows and draw.random() < 0.3:
        twice = [draw.randrange(rows) for _ in range(rows // 2 + 1)]
        columns = {name: column + [column[row] for row in twice] for name, column in columns.items()}
    return columns
