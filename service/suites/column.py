"""A column of plain Python values, as pandas would hold it.

Hot: what more than one expectation may ask of a column is worked out when first asked, and kept.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, time
from math import isnan
from operator import itemgetter
from typing import Any

from service.suites.dtypes import BOOL, FLOAT64, INT64, INT64_MAX, INT64_MIN, NAIVE_DATETIME, OBJECT, Census, Dtype
from service.suites.nulls import NAT

# Dtypes of columns whose values are all of one type, if they are neither null nor out of range.
_PLAIN = {str: OBJECT, int: INT64, float: FLOAT64, bool: BOOL}


class Column:
    """One column, or those of its rows that a row condition lets through.

    `types`, `bounds`, `distinct`, `texts` and `aligned` are worked out when first asked for, and then are there.
    """

    __slots__ = ("absent", "aligned", "bounds", "distinct", "dtype", "nulls", "positions", "present", "size", "texts", "types")

    # The Python types of the values that are present, and the different values; raises TypeError when one can't be hashed.
    types: set[type]
    distinct: set[Any]
    # The least and the greatest value; raises ValueError when all are null, TypeError when they don't compare.
    bounds: tuple[Any, Any]
    # The values as `Series.astype(str)` writes them.
    texts: Sequence[str]
    # All values in the order of their rows, nulls included.
    aligned: Sequence[Any]

    def __init__(
        self,
        dtype: Dtype,
        present: Sequence[Any],
        positions: Sequence[int],
        absent: Sequence[int] = (),
        nulls: Sequence[Any] = (),
    ) -> None:
        """Values and nulls apart.

        `present` are the values as pandas holds them (floats in a column of float64), `positions` their rows in the
        frame; `absent` are the rows of the nulls, `nulls` how pandas holds each.
        """
        self.dtype = dtype
        self.present = present
        self.positions = positions
        self.absent = absent
        self.nulls = nulls
        self.size = len(present) + len(absent)

    def __getattr__(self, name: str) -> Any:
        # Python asks here only for what isn't there yet. (A cached_property takes a lock, and longer than it spares.)
        if name not in _WORKED_OUT:
            raise AttributeError(name)
        value = _WORKED_OUT[name](self)
        setattr(self, name, value)
        return value

    def take(self, rows: Sequence[int]) -> "Column":
        """The part of the column in these rows of the frame."""
        kept = set(rows)
        present = [place for place in zip(self.positions, self.present, strict=True) if place[0] in kept]
        absent = [place for place in zip(self.absent, self.nulls, strict=True) if place[0] in kept]
        return Column(
            self.dtype,
            present=[value for _, value in present],
            positions=[row for row, _ in present],
            absent=[row for row, _ in absent],
            nulls=[value for _, value in absent],
        )


def _align(column: Column) -> Sequence[Any]:
    if not column.absent:
        return column.present
    places = [*zip(column.positions, column.present, strict=True), *zip(column.absent, column.nulls, strict=True)]
    places.sort(key=itemgetter(0))
    return [value for _, value in places]


def _write(column: Column) -> Sequence[str]:
    if column.types == {str}:
        return column.present
    if column.dtype is NAIVE_DATETIME:
        return _naive_texts(column.present)
    return [value.decode() if type(value) is bytes else str(value) for value in column.present]


def _naive_texts(times: Sequence[datetime]) -> list[str]:
    """Timestamps without a timezone; pandas writes a column of midnights as dates, others with as many digits as one needs."""
    if all(moment.time() == time.min for moment in times):
        return [str(moment.date()) for moment in times]
    if all(moment.microsecond == 0 for moment in times):
        return [moment.isoformat(" ", "seconds") for moment in times]
    precision = "milliseconds" if all(moment.microsecond % 1000 == 0 for moment in times) else "microseconds"
    return [moment.isoformat(" ", precision) for moment in times]


_WORKED_OUT: dict[str, Callable[[Column], Any]] = {
    "types": lambda column: set(map(type, column.present)),
    "distinct": lambda column: set(column.present),
    "bounds": lambda column: (min(column.present), max(column.present)),
    "texts": _write,
    "aligned": _align,
}


def make_column(values: Sequence[Any], dtype: Dtype | None = None) -> Column:
    """The column of these values: of `dtype` when that is known from elsewhere, else of the one that pandas infers. Hot."""
    types = set(map(type, values))
    if len(types) == 1:
        plain = _PLAIN.get(next(iter(types)))
        # A sum is NaN when one of the values is; when both infinities are among them it is, too, and no harm is done.
        if plain is not None and (dtype is None or dtype is plain) and (plain is not FLOAT64 or not isnan(sum(values))):
            column = Column(plain, values, range(len(values)))
            if plain is not INT64 or dtype is plain or (column.bounds[0] >= INT64_MIN and column.bounds[1] <= INT64_MAX):
                return column
    return _tell_apart(values, dtype or Census().observe(values).dtype)


def _tell_apart(values: Sequence[Any], dtype: Dtype) -> Column:
    """Nulls and values, each as a column of this dtype holds it."""
    as_held: Callable[[Any], Any] | None = float if dtype is FLOAT64 else None
    null = NAT if dtype.is_datetime else None
    present: list[Any] = []
    positions: list[int] = []
    absent: list[int] = []
    nulls: list[Any] = []
    for row, value in enumerate(values):
        if value is None or (type(value) is float and value != value):
            absent.append(row)
            # A NaN of its own for each, as pandas gives them out: a Counter tells them apart.
            nulls.append(float("nan") if as_held else null or value)
        else:
            present.append(as_held(value) if as_held else value)
            positions.append(row)
    return Column(dtype, present, positions, absent, nulls)
