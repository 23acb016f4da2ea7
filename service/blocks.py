"""Replies of the store, decoded a block at a time: values, and what statuses and event times they have."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import orjson

from service.codec import timestamps
from service.codec.packed_numbers import RawColumn
from service.codec.time_columns import read_times
from service.codec.values import ColumnCodec
from service.groups import Group, ViewRead
from service.vectors import NOT_FOUND, NULL_VALUE, OUTSIDE_MAX_AGE, PRESENT, Column, VectorBuilder

# What reading raises for bytes that Feast didn't write: cut short, not UTF-8, a time beyond the year 9999.
UNREADABLE = (ValueError, IndexError, OverflowError)

# Of each feature of one codec: its column there, its view in the group, its place in the answer.
Places = Sequence[tuple[int, int, int]]


class ViewRows:
    """What the event times of one view say of each row. `statuses` is None when all rows are found and fresh."""

    __slots__ = ("blanked", "cells", "statuses", "times")

    def __init__(
        self, view: ViewRead, column: RawColumn, now: int, keep_expired: bool, cells: Sequence[int], with_times: bool
    ) -> None:
        """`now` in nanoseconds since the epoch; `cells` count the view's values, in the order of STATUSES. Hot.

        Without `with_times` nobody looks at `times`, which are not there in a view without a ttl.
        """
        self.cells = cells
        self.statuses: list[str] | None = None
        self.times = read_times(column) if view.ttl or with_times else None
        if view.ttl and self.times is not None:
            if not self.times.all_since(now - view.ttl):
                self._judge(column, self.times.texts, now - view.ttl, keep_expired)
        elif not all(column):
            self.statuses = [NOT_FOUND if raw is None else PRESENT for raw in column]
            self.blanked = [row for row, raw in enumerate(column) if raw is None]

    def _judge(self, column: RawColumn, texts: Sequence[bytes], oldest: int, keep_expired: bool) -> None:
        """Row by row; `oldest` is the first nanosecond that is within the ttl."""
        bound = timestamps.bound_text(oldest // timestamps.NANOSECONDS)
        self.statuses = [
            PRESENT if text > bound and raw is not None else _status(raw, oldest)
            for raw, text in zip(column, texts, strict=True)
        ]
        # Rows whose values are not to be shown, whatever is stored.
        hidden = (NOT_FOUND,) if keep_expired else (NOT_FOUND, OUTSIDE_MAX_AGE)
        self.blanked = [row for row, status in enumerate(self.statuses) if status in hidden]


def _status(raw: bytes | None, oldest: int) -> str:
    """The status that an event time gives its row."""
    if raw is None:
        return NOT_FOUND
    return OUTSIDE_MAX_AGE if timestamps.to_nanoseconds(raw) < oldest else PRESENT


class Block:
    """Rows of one group, decoded at once and then cut into what each request gets that asked for some of them."""

    __slots__ = ("_columns", "_present", "_views", "_with_times")

    def __init__(
        self, group: Group, columns: Sequence[RawColumn], now: int, builder: VectorBuilder, with_times: bool, is_packed: bool
    ) -> None:
        """`columns` are the fields that the group reads, a column of raw values each; `now` in nanoseconds. Hot.

        Without `with_times` the vectors and columns have no event times. With `is_packed` columns of numbers may be
        memoryviews.
        """
        self._present = builder.present
        self._with_times = with_times
        self._views = []
        fresh = True
        for view in group.views:
            column, cells = columns[view.timestamp_field], builder.cells_of(view.name)
            rows = ViewRows(view, column, now, builder.keep_expired, cells, with_times)
            fresh = fresh and rows.statuses is None
            self._views.append(rows)
        # For each codec: its columns of values, whether they are JSON as they stand, their statuses (None for a column of which
        # all is PRESENT; None for all of them where that is so), and their places in the answer.
        self._columns: list[tuple[ColumnCodec, list[Sequence[Any]], bool, list[list[str] | None] | None, Places]] = []
        for codec, take, places, owned, _ in group.features:
            raw = take(columns)
            values, complete = _packed(codec, raw) if is_packed and fresh else codec.decode(raw)
            if complete and fresh:
                statuses = None
                for owner, number in owned:
                    builder.cells[self._views[owner].cells[0]] += number * len(columns[0])
            else:
                owners = {index: self._views[owner] for index, owner, _ in places}
                statuses = [self._mix(raw[index], values, index, owners[index], builder) for index in range(len(values))]
            self._columns.append((codec, values, codec.is_plain(values), statuses, places))

    def _mix(
        self, column: RawColumn, decoded: list[Sequence[Any]], index: int, rows: ViewRows, builder: VectorBuilder
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
            builder.count(rows.cells, statuses)
            return statuses
        builder.cells[rows.cells[0]] += len(values)
        return None

    def cut(self, start: int, stop: int, arrays: list[bytes]) -> None:
        """Add the JSON arrays of the rows from `start` to `stop`, in the order that `service.arrangement` says. Hot."""
        all_present = self._present(stop - start)
        arrays += [b"" if rows.times is None else rows.times.to_json(start, stop) for rows in self._views]
        for codec, values, plain, statuses, _ in self._columns:
            cut = [column[start:stop] for column in values]
            arrays += map(orjson.dumps, cut) if plain else codec.to_json(cut)
            if statuses is None:
                arrays += [all_present] * len(cut)
            else:
                arrays += [all_present if column is None else orjson.dumps(column[start:stop]) for column in statuses]

    def take(self, start: int, stop: int, answer: list[Any]) -> None:
        """Put the Columns of the rows from `start` to `stop` where they belong in `answer`."""
        times = [rows.times.texts[start:stop] if self._with_times and rows.times else () for rows in self._views]
        for _, values, _, statuses, places in self._columns:
            for index, owner, position in places:
                of_column = statuses[index] if statuses is not None else None
                cut = None if of_column is None else of_column[start:stop]
                answer[position] = Column(values[index][start:stop], cut, times[owner])


def _packed(codec: ColumnCodec, raw: Sequence[RawColumn]) -> tuple[list[Sequence[Any]], bool]:
    """Numbers as memoryviews, which are sequences of them, too; everything else, and columns with nulls, as ever. Hot."""
    packed = None if codec.pack is None else codec.pack(raw)
    return codec.decode(raw) if packed is None else (cast(list[Sequence[Any]], packed), True)


def find_unreadable(group: Group, columns: Sequence[RawColumn]) -> tuple[int, str] | None:
    """The row and the name of the first thing in `columns` that isn't what Feast writes."""
    for view in group.views:
        for row, raw in enumerate(columns[view.timestamp_field]):
            if not _is_readable(read_times, (raw,)):
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
