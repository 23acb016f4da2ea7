"""Membership in a set of values, as `pandas.Series.isin` decides it: by the dtype of the column and the types of the set.

Source: `pandas.core.algorithms.isin` and `DatetimeLikeArrayMixin.isin` of pandas 2.3.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from service.suites.column import Column
from service.suites.dtypes import INT64, INT64_MAX, INT64_MIN, OBJECT, UINT64_MAX, Dtype
from service.suites.errors import MetricError
from service.suites.instants import is_comparable, read_timestamps

_HASHABLE = {str, int, float, bool, bytes}


class ValueSet:
    """The values of one expectation or condition, prepared for columns of any dtype."""

    def __init__(self, values: Iterable[Any]) -> None:
        self._values = list(values)
        self._hashed = frozenset(value for value in self._values if _is_hashable(value))
        # Lists and objects can't be hashed; pandas compares them one by one.
        self._unhashed = [value for value in self._values if not _is_hashable(value)]
        self._floats = frozenset(map(float, self._values)) if _become_floats(self._values) else None

    def holds_all(self, column: Column) -> bool:
        """Whether all values are in the set. A first, cheap question: False only says that each has to be asked. Hot."""
        return self._is_plain(column) and self._hashed.issuperset(column.present)

    def holds_none(self, column: Column) -> bool:
        """Whether none of the values is in the set. As cheap, and False says as little."""
        return self._is_plain(column) and self._hashed.isdisjoint(column.present)

    def _is_plain(self, column: Column) -> bool:
        """Whether Python's own sets answer as pandas does."""
        if column.dtype is OBJECT:
            return column.types <= _HASHABLE
        return not (column.dtype.is_datetime or (self._floats is not None and column.dtype is INT64))

    def membership(self, column: Column) -> Callable[[Any], bool]:
        """The question for one value of this column; raises what pandas raises for a set that it can't compare with times."""
        if column.dtype.is_datetime:
            return self._instants(column.dtype).__contains__
        floats = self._floats
        if column.dtype is INT64 and floats is not None:
            return lambda value: float(value) in floats
        return self._contains

    def _contains(self, value: Any) -> bool:
        try:
            return value in self._hashed
        except TypeError:
            return value in self._unhashed

    def _instants(self, dtype: Dtype) -> frozenset[Any]:
        """The points in time in the set that a column of this dtype can be compared with."""
        kinds = set(map(type, self._values))
        if kinds == {bool}:
            raise MetricError("dtype bool cannot be converted to datetime64[ns]")
        if kinds == {str}:
            instants = read_timestamps(self._values)
            # Texts become an array of their own, which either has a timezone or not; NaT alone has none.
            zoned = any(isinstance(instant, datetime) and instant.tzinfo for instant in instants)
            return frozenset(instants if zoned == dtype.is_aware else ())
        return frozenset(value for value in self._values if type(value) is datetime and is_comparable(value, dtype))


def _become_floats(values: Sequence[Any]) -> bool:
    """Whether pandas makes floats of the set, and of the int64 column that is looked up in it, however large its integers."""
    kinds = set(map(type, values))
    if kinds == {int}:
        low, high = min(values), max(values)
        return bool(low >= INT64_MIN and INT64_MAX < high <= UINT64_MAX)
    return float in kinds and kinds <= {int, float}


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
