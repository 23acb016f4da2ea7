"""The parts of an answer, one for each feature: as columns of values, and as JSON arrays."""

from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple, cast

import orjson

from service.codec import timestamps
from service.codec.values import ColumnCodec
from service.metrics import Metrics

PRESENT = "PRESENT"
NULL_VALUE = "NULL_VALUE"
NOT_FOUND = "NOT_FOUND"
OUTSIDE_MAX_AGE = "OUTSIDE_MAX_AGE"
STATUSES = (PRESENT, NULL_VALUE, NOT_FOUND, OUTSIDE_MAX_AGE)

# One feature's part of the answer: the JSON arrays of its values, statuses and event times.
Vector = tuple[bytes, bytes, bytes]


class Column(NamedTuple):
    """One feature's part of the answer before it is text: what a function or another form of answer is made of.

    `statuses` is None when all is PRESENT; `times` are JSON texts, as `service.codec.timestamps` gives them, one list for all
    columns of a view.
    """

    values: Sequence[Any]
    statuses: list[str] | None
    times: Sequence[bytes]


class ConstantArrays:
    """JSON arrays that repeat one item, cut from one long text."""

    def __init__(self, item: bytes, longest: int) -> None:
        self._width = len(item) + 1
        self._text = b"[" + (item + b",") * longest

    def __call__(self, rows: int) -> bytes:
        """An array of `rows` items, at least one. Hot: one copy."""
        return self._text[: self._width * rows] + b"]"


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

    def echo(self, values: Sequence[Any]) -> Column:
        """The same as a column."""
        return Column(values, None, [timestamps.EPOCH_JSON] * len(values))

    def vectors(self, codecs: Sequence[ColumnCodec], columns: Sequence[Column]) -> list[Vector]:
        """The JSON arrays of columns. Hot: what several columns share is made once."""
        present = self.present(len(columns[0].values)) if columns else b""
        made: dict[int, bytes] = {id(None): present}
        vectors = []
        for codec, (values, statuses, times) in zip(codecs, columns, strict=True):
            if id(statuses) not in made:
                made[id(statuses)] = orjson.dumps(statuses)
            if id(times) not in made:
                made[id(times)] = b"[%s]" % b",".join(times)
            vectors.append((codec.to_json([values])[0], made[id(statuses)], made[id(times)]))
        return vectors

    def count(self, counted: Sequence[int], statuses: Sequence[str]) -> None:
        """Count the statuses of values in the cells of their view."""
        for cell, status in zip(counted, STATUSES, strict=True):
            self.cells[cell] += statuses.count(status)

    def cells_of(self, view: str) -> list[int]:
        """The cells that count a view's values, in the order of STATUSES. Hot."""
        cells = self._status_cells.get(view)
        if cells is None:
            cells = self._status_cells[view] = [self._metrics.cell("feature_values", view, status) for status in STATUSES]
        return cells


def concatenate(parts: Sequence[Sequence[bytes]]) -> list[bytes]:
    """The JSON arrays of consecutive ranges of rows as arrays of all rows."""
    return [b"[%s]" % b",".join([array[1:-1] for array in arrays]) for arrays in zip(*parts, strict=True)]


def concatenate_columns(parts: Sequence[Sequence[Column | None]], first: int) -> list[Column | None]:
    """The same of columns; those that aren't read stay free, too, and one list of times stays one for all columns of a view."""
    joined: list[Column | None] = [None] * first
    times: dict[int, list[bytes]] = {}
    for pieces in zip(*[part[first:] for part in parts], strict=True):
        columns = [column for column in pieces if column is not None]
        if not columns:
            joined.append(None)
            continue
        statuses = None
        if any(column.statuses is not None for column in columns):
            statuses = [status for column in columns for status in column.statuses or [PRESENT] * len(column.values)]
        values = _joined([column.values for column in columns])
        known = id(columns[0].times)
        if known not in times:
            times[known] = list(chain.from_iterable([column.times for column in columns]))
        joined.append(Column(values, statuses, times[known]))
    return joined


def _joined(pieces: Sequence[Sequence[Any]]) -> Sequence[Any]:
    """Pieces of one column; it stays packed where all of them are."""
    formats = {piece.format if isinstance(piece, memoryview) else "" for piece in pieces}
    if len(formats) == 1 and (letter := formats.pop()):
        return cast(Sequence[Any], memoryview(b"".join(cast(Sequence[memoryview], pieces))).cast(letter))  # type: ignore[call-overload]
    return list(chain.from_iterable(pieces))
