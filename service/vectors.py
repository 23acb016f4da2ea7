"""Replies of the store to the vectors of the answer: values, statuses and event times, a column at a time."""

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from service.codec import timestamps
from service.codec.values import RawColumn
from service.metrics import Metrics
from service.plan import Group, ViewRead

PRESENT = "PRESENT"
NULL_VALUE = "NULL_VALUE"
NOT_FOUND = "NOT_FOUND"
OUTSIDE_MAX_AGE = "OUTSIDE_MAX_AGE"
STATUSES = (PRESENT, NULL_VALUE, NOT_FOUND, OUTSIDE_MAX_AGE)

# What reading raises for bytes that Feast didn't write: cut short, not UTF-8, a time beyond the year 9999.
UNREADABLE = (ValueError, IndexError, OverflowError)

# One feature's part of the answer: the JSON arrays of its values, statuses and event times.
Vector = tuple[bytes, bytes, bytes]


class ConstantArrays:
    """JSON arrays that repeat one item, cut from one long text."""

    def __init__(self, item: bytes, longest: int) -> None:
        self._width = len(item) + 1
        self._text = b"[" + (item + b",") * longest

    def __call__(self, rows: int) -> bytes:
        """An array of `rows` items, at least one. Hot: one copy."""
        return self._text[: self._width * rows] + b"]"


class ViewRows:
    """What the event times of one view say of each row. `statuses` is None when all rows are found and fresh.

    `cells` are those that count the view's values, in the order of STATUSES.
    """

    __slots__ = ("blanked", "cells", "counts", "event_timestamps", "statuses", "statuses_json")

    def __init__(self, view: ViewRead, column: RawColumn, now: int, keep_expired: bool, cells: Sequence[int]) -> None:
        """`now` in nanoseconds since the epoch. Hot."""
        self.cells = cells
        texts = timestamps.to_texts(column)
        self.event_timestamps = b"[%s]" % b",".join(texts)
        # Texts are compared instead of times: fresh rows, which are most, need not be parsed.
        bound = timestamps.bound_text((now - view.ttl) // timestamps.NANOSECONDS) if view.ttl else b""
        self.statuses: list[str] | None = None
        if not (all(column) and min(texts) > bound):
            self._judge(column, texts, bound, now - view.ttl if view.ttl else None, keep_expired)

    def _judge(self, column: RawColumn, texts: Sequence[bytes], bound: bytes, oldest: int | None, keep_expired: bool) -> None:
        """Row by row."""
        statuses = [
            PRESENT if text > bound and raw is not None else _status(raw, oldest)
            for raw, text in zip(column, texts, strict=True)
        ]
        self.statuses = statuses
        self.statuses_json = orjson.dumps(statuses)
        self.counts = [statuses.count(status) for status in STATUSES]
        # Rows whose values are not to be shown, whatever is stored.
        hidden = (NOT_FOUND,) if keep_expired else (NOT_FOUND, OUTSIDE_MAX_AGE)
        self.blanked = [row for row, status in enumerate(statuses) if status in hidden]


def _status(raw: bytes | None, oldest: int | None) -> str:
    """The status that an event time gives its row; `oldest` is the first nanosecond that is within the ttl."""
    if raw is None:
        return NOT_FOUND
    return OUTSIDE_MAX_AGE if oldest is not None and timestamps.to_nanoseconds(raw) < oldest else PRESENT


class VectorBuilder:
    """Builds vectors and counts their statuses; one for each worker."""

    def __init__(self, metrics: Metrics, longest: int, keep_expired: bool) -> None:
        """`longest` is the number of rows of the longest vector."""
        self._present = ConstantArrays(b'"PRESENT"', longest)
        self._epochs = ConstantArrays(timestamps.EPOCH_JSON, longest)
        self._keep_expired = keep_expired
        self._metrics = metrics
        self._cells = metrics.cells
        self._status_cells: dict[str, list[int]] = {}

    def entity(self, values: Sequence[Any]) -> Vector:
        """The echo of an entity column, as stock has it: PRESENT, at the epoch."""
        rows = len(values)
        return orjson.dumps(values), self._present(rows), self._epochs(rows)

    def fill(self, group: Group, columns: Sequence[RawColumn], now: int, answer: list[Any]) -> None:
        """Put the vectors of one group where they belong in `answer`; `now` in nanoseconds. Hot."""
        length = len(columns[0])
        all_present = self._present(length)
        views = []
        fresh = True
        for view in group.views:
            cells = self._status_cells.get(view.name) or self._cells_of(view.name)
            rows = ViewRows(view, columns[view.timestamp_field], now, self._keep_expired, cells)
            fresh = fresh and rows.statuses is None
            views.append(rows)
        for codec, take, places, owned, _ in group.features:
            raw = take(columns)
            values, complete = codec.decode(raw)
            if complete and fresh:
                arrays = codec.to_json(values)
                for index, owner, position in places:
                    answer[position] = (arrays[index], all_present, views[owner].event_timestamps)
                for owner, number in owned:
                    self._cells[views[owner].cells[0]] += number * length
            else:
                owners = {index: views[owner] for index, owner, _ in places}
                statuses = {index: self._mix(raw[index], values, index, rows) for index, rows in owners.items()}
                arrays = codec.to_json(values)
                for index, owner, position in places:
                    answer[position] = (arrays[index], statuses[index], views[owner].event_timestamps)

    def _mix(self, column: RawColumn, decoded: list[Sequence[Any]], index: int, rows: ViewRows) -> bytes:
        """The statuses of a column in which rows may be null, absent or expired; blanks the values that aren't to be shown."""
        values = decoded[index]
        base = rows.statuses or [PRESENT] * len(values)
        counts = rows.counts if rows.statuses else [len(values), 0, 0, 0]
        statuses_json = rows.statuses_json if rows.statuses else self._present(len(values))
        gaps = [row for row, value in enumerate(values) if value is None and base[row] is PRESENT]
        if gaps:
            statuses, counts = base.copy(), counts.copy()
            for row in gaps:
                statuses[row] = status = NOT_FOUND if column[row] is None else NULL_VALUE
                counts[0] -= 1
                counts[STATUSES.index(status)] += 1
            statuses_json = orjson.dumps(statuses)
        if rows.statuses and rows.blanked:
            blanked = decoded[index] = list(values)
            for row in rows.blanked:
                blanked[row] = None
        for cell, count in zip(rows.cells, counts, strict=True):
            self._cells[cell] += count
        return statuses_json

    def _cells_of(self, view: str) -> list[int]:
        cells = [self._metrics.cell("feature_values", view, status) for status in STATUSES]
        self._status_cells[view] = cells
        return cells


def to_json(vectors: Sequence[Vector]) -> bytes:
    """The objects that stand in `results`, separated by commas. Hot: most vectors share all but their values."""
    parts: list[bytes] = []
    statuses = times = end = b""
    for values, vector_statuses, vector_times in vectors:
        if vector_statuses is not statuses or vector_times is not times:
            statuses, times = vector_statuses, vector_times
            end = b',"statuses":%s,"event_timestamps":%s}' % (statuses, times)
        parts += (b',{"values":', values, end)
    parts[0] = b'{"values":'
    return b"".join(parts)


def concatenate(parts: Sequence[Sequence[Vector]]) -> list[Vector]:
    """The vectors of consecutive ranges of rows as vectors of all rows."""
    joined = []
    for vectors in zip(*parts, strict=True):
        values, statuses, times = (
            b"[%s]" % b",".join([array[1:-1] for array in arrays]) for arrays in zip(*vectors, strict=True)
        )
        joined.append((values, statuses, times))
    return joined


def find_unreadable(group: Group, columns: Sequence[RawColumn]) -> tuple[int, str] | None:
    """The row and the name of the first thing in `columns` that isn't what Feast writes."""
    for view in group.views:
        for row, raw in enumerate(columns[view.timestamp_field]):
            if not _is_readable(timestamps.to_texts, (raw,)):
                return row, f"the event time of {view.name}"
    for features in group.features:
        for column, name in zip(features.take(columns), features.names, strict=True):
            for row, raw in enumerate(column):
                if not _is_readable(features.codec.decode, [(raw,)]):
                    return row, name
    return None


def _is_readable(read: Callable[[Any], object], column: Sequence[Any]) -> bool:
    try:
        read(column)
    except UNREADABLE:
        return False
    return True
