"""Comparing two servers' answers to the same `/get-online-features` body, by feature name.

Stock's order of features is not stable, so answers are compared by name; the order of rows must be the same.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import orjson

EXAMPLES_KEPT = 5
EPOCH = "1970-01-01T00:00:00Z"  # of what has no event time
WHY = {
    ("PRESENT", "NOT_FOUND"): "the entity isn't stored",
    ("PRESENT", "OUTSIDE_MAX_AGE"): "the value is older than its view's ttl",
    ("PRESENT", "NULL_VALUE"): "a null is stored",
}


class Column(NamedTuple):
    """One feature (or entity) of an answer, one item a row."""

    values: list[Any]
    statuses: list[str]
    event_timestamps: list[str]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was compared and what differed; `a + b` is both together. Counts are cells (one feature of one row).

    `times_unknown` are event times of computed features that stock says are of 1970, and ours knows: no difference.
    """

    bodies: int = 0
    cells: int = 0
    values_differ: int = 0
    times_differ: int = 0
    names_differ: int = 0
    statuses_differ: Mapping[str, int] = field(default_factory=dict)
    examples: tuple[str, ...] = ()
    times_unknown: int = 0

    def __add__(self, other: "Comparison") -> "Comparison":
        """Return the sum of two comparisons."""
        return Comparison(
            self.bodies + other.bodies,
            self.cells + other.cells,
            self.values_differ + other.values_differ,
            self.times_differ + other.times_differ,
            self.names_differ + other.names_differ,
            dict(Counter(self.statuses_differ) + Counter(other.statuses_differ)),
            (self.examples + other.examples)[:EXAMPLES_KEPT],
            self.times_unknown + other.times_unknown,
        )

    @property
    def same(self) -> bool:
        """Whether nothing at all differed."""
        return not (self.values_differ or self.times_differ or self.names_differ or self.statuses_differ)


def columns(answer: bytes) -> dict[str, Column]:
    """Return an answer's columns by name; ValueError when it is no answer of `/get-online-features`."""
    try:
        parsed = orjson.loads(answer)
        names = parsed["metadata"]["feature_names"]
        results = [Column(r["values"], r["statuses"], r["event_timestamps"]) for r in parsed["results"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"not an answer with features: {answer[:200]!r}") from error
    return dict(zip(names, results, strict=True))


def compare_online_features(stock: bytes, ours: bytes, derived: Collection[str] = ()) -> Comparison:
    """Compare two answers to one body: names, values, event times and statuses; `derived` names computed features."""
    theirs, mine = columns(stock), columns(ours)
    if theirs.keys() != mine.keys() or any(len(theirs[n].values) != len(mine[n].values) for n in theirs):
        example = f"rows by feature: stock {_shape(theirs)}, ours {_shape(mine)}"
        return Comparison(bodies=1, names_differ=1, examples=(example,))
    values = list(_unequal(theirs, mine, 0))
    all_times = list(_unequal(theirs, mine, 2))
    times = [found for found in all_times if not (found[0] in derived and found[2] == EPOCH)]
    statuses = list(_unequal(theirs, mine, 1))
    return Comparison(
        bodies=1,
        cells=sum(len(column.values) for column in theirs.values()),
        values_differ=len(values),
        times_differ=len(times),
        statuses_differ=dict(Counter(_reason(a, b) for _, _, a, b in statuses)),
        examples=tuple(f"{name}, row {row}: stock {a!r}, ours {b!r}" for name, row, a, b in (values + statuses + times))[
            :EXAMPLES_KEPT
        ],
        times_unknown=len(all_times) - len(times),
    )


def ids_alive(answer: bytes, join_key: str, oldest: Mapping[str, datetime]) -> Iterable[int]:
    """Yield the ids whose every feature has a value and an event time after `oldest` (by feature name).

    Asked of stock too, which says PRESENT whatever is stored: so it goes by values and times, not by statuses.
    """
    by_name = columns(answer)
    features = [(by_name[name], limit) for name, limit in oldest.items()]
    for row, entity in enumerate(by_name[join_key].values):
        if all(
            column.values[row] is not None and datetime.fromisoformat(column.event_timestamps[row]) > limit
            for column, limit in features
        ):
            yield entity


def _unequal(theirs: Mapping[str, Column], mine: Mapping[str, Column], part: int) -> Iterable[tuple[str, int, object, object]]:
    for name, column in theirs.items():
        for row, (a, b) in enumerate(zip(column[part], mine[name][part], strict=True)):
            if a != b or type(a) is not type(b):
                yield name, row, a, b


def _reason(stock: object, ours: object) -> str:
    why = WHY.get((str(stock), str(ours)))
    return f"stock {stock}, ours {ours}" + (f" ({why})" if why else "")


def _shape(answer: Mapping[str, Column]) -> str:
    return ", ".join(f"{name}[{len(column.values)}]" for name, column in sorted(answer.items()))
