"""Replies of the store to the vectors of the answer: values, statuses and event times, a column at a time."""

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from service.codec import timestamps
from service.codec.values import ColumnCodec, RawColumn
from service.metrics import Metrics
from service.plan import Group, ViewRead

PRESENT = "PRESENT"
NULL_VALUE = "NULL_VALUE"
NOT_FOUND = "NOT_FOUND"
OUTSIDE_MAX_AGE = "OUTSIDE_MAX_AGE"
STATUSES = (PRESENT, NULL_VALUE, NOT_FOUND, OUTSIDE_MAX_AGE)

# What reading raises for bytes that Feast didn't write: cut short, not UTF-8, a time beyond the year 9999.
UNREADABLE = (ValueError, IndexError, OverflowError)

# Of each feature of one codec: its column there, its view in the group, its place in the answer.
Places = Sequence[tuple[int, int, int]]
# One feature's part of the answer: the JSON arrays of its values, statuses and event times.
Vector = tuple[bytes, bytes, bytes]
_NOTHING: Vector = (b"", b"", b"")


class ConstantArrays:
    """JSON arrays that repeat one item, cut from one long text."""

    def __init__(self, item: bytes, longest: int) -> None:
        self._width = len(item) + 1
        self._text = b"[" + (item + b",") * longest

    def __call__(self, rows: int) -> bytes:
        """An array of `rows` items, at least one. Hot: one copy."""
        return self._text[: self._width * rows] + b"]"


class ViewRows:
    """What the event times of one view say of each row. `statuses` is None when all rows are found and fresh."""

    __slots__ = ("blanked", "cells", "statuses", "texts")

    def __init__(self, view: ViewRead, column: RawColumn, now: int, keep_expired: bool, cells: Sequence[int]) -> None:
        """`now` in nanoseconds since the epoch; `cells` count the view's values, in the order of STATUSES. Hot."""
        self.cells = cells
        self.texts = texts = timestamps.to_texts(column)
        # Texts are compared instead of times: fresh rows, which are most, need not be parsed.
        bound = timestamps.bound_text((now - view.ttl) // timestamps.NANOSECONDS) if view.ttl else b""
        self.statuses: list[str] | None = None
        if not (all(column) and min(texts) > bound):
            self._judge(column, texts, bound, now - view.ttl if view.ttl else None, keep_expired)

    def _judge(self, column: RawColumn, texts: Sequence[bytes], bound: bytes, oldest: int | None, keep_expired: bool) -> None:
        """Row by row."""
        self.statuses = [
            PRESENT if text > bound and raw is not None else _status(raw, oldest)
            for raw, text in zip(column, texts, strict=True)
        ]
        # Rows whose values are not to be shown, whatever is stored.
        hidden = (NOT_FOUND,) if keep_expired else (NOT_FOUND, OUTSIDE_MAX_AGE)
        self.blanked = [row for row, status in enumerate(self.statuses) if status in hidden]


def _status(raw: bytes | None, oldest: int | None) -> str:
    """The status that an event time gives its row; `oldest` is the first nanosecond that is within the ttl."""
    if raw is None:
        return NOT_FOUND
    return OUTSIDE_MAX_AGE if oldest is not None and timestamps.to_nanoseconds(raw) < oldest else PRESENT


class Block:
    """Rows of one group, decoded at once and then cut into the vectors of each request that asked for some of them."""

    __slots__ = ("_columns", "_present", "_views")

    def __init__(self, group: Group, columns: Sequence[RawColumn], now: int, builder: "VectorBuilder") -> None:
        """`columns` are the fields that the group reads, a column of raw values each; `now` in nanoseconds. Hot."""
        self._present = builder.present
        self._views = []
        fresh = True
        for view in group.views:
            rows = ViewRows(view, columns[view.timestamp_field], now, builder.keep_expired, builder.cells_of(view.name))
            fresh = fresh and rows.statuses is None
            self._views.append(rows)
        # For each codec: its columns of values, their statuses (None for a column of which all is PRESENT; None for all of
        # them where that is so), and their places in the answer.
        self._columns: list[tuple[ColumnCodec, list[Sequence[Any]], list[list[str] | None] | None, Places]] = []
        for codec, take, places, owned, _ in group.features:
            raw = take(columns)
            values, complete = codec.decode(raw)
            if complete and fresh:
                statuses = None
                for owner, number in owned:
                    builder.cells[self._views[owner].cells[0]] += number * len(columns[0])
            else:
                owners = {index: self._views[owner] for index, owner, _ in places}
                statuses = [self._mix(raw[index], values, index, owners[index], builder.cells) for index in range(len(values))]
            self._columns.append((codec, values, statuses, places))

    def _mix(
        self, column: RawColumn, decoded: list[Sequence[Any]], index: int, rows: ViewRows, cells: "memoryview[float]"
    ) -> list[str] | None:
        """The statuses of a column in which rows may be null, absent or expired; blanks the values that aren't to be shown."""
        values = decoded[index]
        base = rows.statuses
        if base is not None or None in values:
            statuses = base.copy() if base else [PRESENT] * len(values)
            for row, value in enumerate(values):
                if value is None and statuses[row] is PRESENT:
                    statuses[row] = NOT_FOUND if column[row] is None else NULL_VALUE
            if base and rows.blanked:
                blanked = decoded[index] = list(values)
                for row in rows.blanked:
                    blanked[row] = None
            for cell, status in zip(rows.cells, STATUSES, strict=True):
                cells[cell] += statuses.count(status)
            return statuses
        cells[rows.cells[0]] += len(values)
        return None

    def cut(self, start: int, stop: int, answer: list[Any]) -> None:
        """Put the vectors of the rows from `start` to `stop` where they belong in `answer`. Hot."""
        all_present = self._present(stop - start)
        times = [b"[%s]" % b",".join(rows.texts[start:stop]) for rows in self._views]
        for codec, values, statuses, places in self._columns:
            arrays = codec.to_json([column[start:stop] for column in values])
            if statuses is None:
                for index, owner, position in places:
                    answer[position] = (arrays[index], all_present, times[owner])
                continue
            of_columns = [all_present if column is None else orjson.dumps(column[start:stop]) for column in statuses]
            for index, owner, position in places:
                answer[position] = (arrays[index], of_columns[index], times[owner])


class VectorBuilder:
    """What the vectors of one worker share."""

    def __init__(self, metrics: Metrics, longest: int, keep_expired: bool) -> None:
        """`longest` is the number of rows of the longest vector."""
        self.present = ConstantArrays(b'"PRESENT"', longest)
        self._epochs = ConstantArrays(timestamps.EPOCH_JSON, longest)
        self.keep_expired = keep_expired
        self._metrics = metrics
        self.cells = metrics.cells
        self._status_cells: dict[str, list[int]] = {}

    def entity(self, values: Sequence[Any]) -> Vector:
        """The echo of an entity column, as stock has it: PRESENT, at the epoch."""
        rows = len(values)
        return orjson.dumps(values), self.present(rows), self._epochs(rows)

    def cells_of(self, view: str) -> list[int]:
        """The cells that count a view's values, in the order of STATUSES. Hot."""
        cells = self._status_cells.get(view)
        if cells is None:
            cells = self._status_cells[view] = [self._metrics.cell("feature_values", view, status) for status in STATUSES]
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


def concatenate(parts: Sequence[Sequence[Vector]], first: int) -> list[Vector]:
    """The vectors of consecutive ranges of rows as vectors of all rows; the places before `first` stay free."""
    joined = [_NOTHING] * first
    for vectors in zip(*[part[first:] for part in parts], strict=True):
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
