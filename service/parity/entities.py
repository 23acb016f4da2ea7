"""The entities that are compared: real ones of the batch sources, expired ones among them, and a few that nobody knows."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from feast.value_type import ValueType

from service.parity.errors import NotComparable
from service.parity.newest_rows import EntityKey, NewestRows
from service.parity.selection import StoredView

# One of this many rows more is of an entity that no source has.
UNKNOWN_PART = 100

Random = np.random.Generator
# Far from what anybody uses.
_UNKNOWN: dict[ValueType, Callable[[Random], Any]] = {
    ValueType.INT32: lambda random: int(random.integers(2**30, 2**31)),
    ValueType.INT64: lambda random: int(random.integers(2**62, 2**63)),
    ValueType.STRING: lambda random: f"unknown-{random.bytes(8).hex()}",
    ValueType.BYTES: lambda random: random.bytes(16),
    ValueType.BOOL: lambda random: bool(random.integers(2)),
    ValueType.UNIX_TIMESTAMP: lambda random: datetime(2400, 1, 1, tzinfo=UTC) + timedelta(seconds=int(random.integers(10**9))),
}


@dataclass(frozen=True, slots=True)
class Entities:
    """The rows that are asked for: a column for each join key, under its name in the request.

    The last `unknown` of the `rows` are of entities that are made up.
    """

    columns: dict[str, list[Any]]
    types: dict[str, ValueType]
    rows: int
    unknown: int

    def keys_of(self, view: StoredView) -> list[EntityKey]:
        """The key of each row in a view."""
        if not view.keys:
            return [()] * self.rows
        return list(zip(*(self.columns[key.column] for key in view.keys), strict=True))


def draw(
    views: Sequence[StoredView], newest: Mapping[str, NewestRows], count: int, now: datetime, random: Random, *, request: bool
) -> Entities:
    """`count` rows, or as many as there are, and a few of unknown entities; raises NotComparable when no source has any row.

    They come from the views with the most join keys; the columns of others are filled from their own sources. Without any
    join key there is one row, or `count` of them if there is request data, which makes them different.
    """
    if views and not any(len(newest[view.label]) for view in views):
        labels = ", ".join(view.label for view in views)
        raise NotComparable(f"There is nothing to compare: the batch sources of {labels} have no rows.")
    types = {key.column: key.value_type for view in views for key in view.keys}
    for column, value_type in types.items():
        if value_type not in _UNKNOWN:
            raise NotComparable(f"Join key {column} is of type {value_type.name}, which the service can't be asked for.")
    if not types:
        return Entities({}, {}, count if request else 1, 0)
    rows: list[dict[str, Any]] = []
    for group in _groups(views):
        if not rows:
            rows = _real(group, newest, count, now, random)
        else:
            _fill(rows, next((view for view in group if len(newest[view.label])), group[0]), newest, now, random)
    unknown = math.ceil(count / UNKNOWN_PART)
    rows += [{} for _ in range(unknown)]
    for row in rows:
        # A column that no source could fill is made up, too.
        row.update({column: _UNKNOWN[types[column]](random) for column in types if column not in row})
    return Entities({column: [row[column] for row in rows] for column in types}, types, len(rows), unknown)


def _groups(views: Sequence[StoredView]) -> list[list[StoredView]]:
    """Views that take the same columns, together; those with the most columns first."""
    groups: dict[frozenset[str], list[StoredView]] = {}
    for view in views:
        if view.keys:
            groups.setdefault(frozenset(key.column for key in view.keys), []).append(view)
    return [groups[columns] for columns in sorted(groups, key=lambda columns: (-len(columns), sorted(columns)))]


def _real(
    group: Sequence[StoredView], newest: Mapping[str, NewestRows], count: int, now: datetime, random: Random
) -> list[dict[str, Any]]:
    """Each source has its part: an entity may be in one of them alone."""
    rows: dict[frozenset[tuple[str, Any]], dict[str, Any]] = {}
    for position, view in enumerate(group):
        wanted = len(rows) + math.ceil((count - len(rows)) / (len(group) - position))
        for key in newest[view.label].sample(count, now, random):
            if len(rows) == wanted:
                break
            row = _row(view, key)
            rows.setdefault(frozenset(row.items()), row)
    return list(rows.values())


def _fill(
    rows: Sequence[dict[str, Any]], view: StoredView, newest: Mapping[str, NewestRows], now: datetime, random: Random
) -> None:
    """Give each row the columns of a view that it lacks: from one of the view's rows that fit it, else from any."""
    known = [key for key in view.keys if rows and key.column in rows[0]]
    source = newest[view.label]
    if len(known) == len(view.keys) or not len(source):
        return
    pool = [_row(view, key) for key in source.sample(len(rows), now, random)]
    fitting: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    if known:
        for key in source.matching(known[0].join_key, [row[known[0].column] for row in rows]):
            found = _row(view, key)
            fitting.setdefault(tuple(found[key.column] for key in known), []).append(found)
    for row in rows:
        choices = fitting.get(tuple(row[key.column] for key in known), pool) if known else pool
        chosen = choices[int(random.integers(len(choices)))]
        row.update({column: value for column, value in chosen.items() if column not in row})


def _row(view: StoredView, key: EntityKey) -> dict[str, Any]:
    return {part.column: value for part, value in zip(view.keys, key, strict=True)}
