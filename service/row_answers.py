"""Columns of an answer as JSON with an object for each row."""

import math
from collections.abc import Sequence
from typing import Any

import orjson

from service.answer_columns import check_names, values_in_row
from service.codec.values import FloatCodec, ScalarCodec, codec_for, jsonable
from service.plan import ReadPlan
from service.vectors import PRESENT, Column

# Rows that are made and encoded in one go: encoding keeps the interpreter's lock, and other threads want it, too.
ROWS_AT_ONCE = 512
# Values that are encoded within a millisecond: they take 80 to 120 ns each.
VALUES_AT_ONCE = 8_000


class RowAnswer:
    """Makes the answers of one plan."""

    def __init__(self, plan: ReadPlan, statuses: bool = False, times: bool = False) -> None:
        """`statuses` and `times` add a list each, an object of the features' for each row; raises FeatureNameCollision."""
        check_names(plan)
        self._names = plan.names
        self._types = plan.types
        self._echoed = len(plan.echoed)
        self._statuses = statuses
        self._times = times
        self._values_in_row = values_in_row(plan, statuses + times)
        self._start = b'{"metadata":%s,"rows":' % plan.metadata

    def is_quick(self, rows: int) -> bool:
        """Whether `encode` needs no thread: it takes no longer than a millisecond."""
        return rows * self._values_in_row <= VALUES_AT_ONCE

    def encode(self, columns: Sequence[Column]) -> bytes:
        """The JSON. Hot."""
        features, names = columns[self._echoed :], self._names[self._echoed :]
        values = [_in_json(kind, column.values) for kind, column in zip(self._types, columns, strict=True)]
        parts = [self._start, _objects(self._names, values)]
        if self._statuses:
            rows = len(columns[0].values)
            parts += (b',"statuses":', _objects(names, [column.statuses or [PRESENT] * rows for column in features]))
        if self._times:
            # One list for all features of a view, so its texts are taken out of their quotes once.
            lists = {id(column.times): column.times for column in features}
            texts = {key: [text[1:-1].decode() for text in times] for key, times in lists.items()}
            parts += (b',"event_timestamps":', _objects(names, [texts[id(column.times)] for column in features]))
        parts.append(b"}")
        return b"".join(parts)


def _objects(names: Sequence[str], columns: Sequence[Sequence[Any]]) -> bytes:
    """A JSON array of an object for each row."""
    parts = []
    for start in range(0, len(columns[0]), ROWS_AT_ONCE):
        rows = zip(*[column[start : start + ROWS_AT_ONCE] for column in columns], strict=True)
        parts.append(orjson.dumps([dict(zip(names, row, strict=True)) for row in rows])[1:-1])
    return b"[%s]" % b",".join(parts)


def _in_json(value_type: str, values: Sequence[Any]) -> Sequence[Any]:
    """Values as the codec's JSON has them, NaN and infinities as strings."""
    codec = codec_for(value_type)
    if isinstance(codec, ScalarCodec) or (isinstance(codec, FloatCodec) and _all_finite(values)):
        return values
    found: list[Any] = jsonable(values)
    return found


def _all_finite(values: Sequence[Any]) -> bool:
    try:
        return math.isfinite(sum(filter(None, values)))  # nulls add nothing
    except TypeError:  # values of another type
        return False
