"""Which dtype pandas gives a column of Python values.

Source: `pandas._libs.lib.maybe_convert_objects` of pandas 2.3, which `pandas.DataFrame(columns)` calls for every list.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import takewhile
from typing import Any

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
UINT64_MAX = 2**64 - 1
# pandas.Timestamp.min and .max to the microsecond: what nanoseconds since 1970 in 64 bits can say.
_FIRST_TIMESTAMP = datetime(1677, 9, 21, 0, 12, 43, 145225, UTC)
_LAST_TIMESTAMP = datetime(2262, 4, 11, 23, 47, 16, 854775, UTC)


class Dtype:
    """A numpy or pandas dtype. There is one object for each, so that `is` compares them."""

    __slots__ = ("is_aware", "is_datetime", "name", "scalar")

    def __init__(self, name: str, scalar: str) -> None:
        """`scalar` is the name of its scalars' class, which is how GX reports it."""
        self.name = name
        self.scalar = scalar
        # Whether the column holds nanoseconds since 1970, with or without a timezone.
        self.is_datetime = name.startswith("datetime64")
        # Whether these have a timezone.
        self.is_aware = scalar == "Timestamp"

    def __repr__(self) -> str:
        return f"Dtype({self.name})"


INT64 = Dtype("int64", "int64")
UINT64 = Dtype("uint64", "uint64")
FLOAT64 = Dtype("float64", "float64")
BOOL = Dtype("bool", "bool")
OBJECT = Dtype("object", "object_")
NAIVE_DATETIME = Dtype("datetime64[ns]", "datetime64")


@cache
def datetime_dtype(zone: str) -> Dtype:
    """The dtype of timestamps that all have the timezone of this name."""
    return Dtype(f"datetime64[ns, {zone}]", "Timestamp")


class Census:
    """What has been seen of a column so far, and the dtype that follows from it.

    A file is read in batches, but each of its columns has one dtype: a first pass takes the census of every column, and
    the second evaluates the suite with the dtypes that it found.
    """

    def __init__(self) -> None:
        self._types: set[type] = set()
        self._none_seen = self._number_seen = False
        self._negative = self._unsigned = False
        self._integers_in_range = self._times_in_range = True
        # Timezones by their name, None for times without one.
        self._zones: set[str | None] = set()

    def observe(self, values: Sequence[Any]) -> "Census":
        """Add the next values of the column, in the order of its rows."""
        types = set(map(type, values))
        self._types |= types
        if int in types:
            self._observe_integers(values)
        if float in types and not self._number_seen:
            self._number_seen = any(type(value) is float and value == value for value in values)
        if datetime in types:
            self._observe_times([value for value in values if type(value) is datetime])
        self._none_seen = self._none_seen or type(None) in types
        return self

    def _observe_integers(self, values: Sequence[Any]) -> None:
        # pandas stops checking the range of integers behind the first None: it knows by then that they become floats.
        if not self._none_seen:
            integers = [value for value in takewhile(_is_not_none, values) if type(value) is int]
            low, high = min(integers, default=0), max(integers, default=0)
            self._negative = self._negative or low < 0
            self._unsigned = self._unsigned or high > INT64_MAX
            self._integers_in_range = self._integers_in_range and low >= INT64_MIN and high <= UINT64_MAX

    def _observe_times(self, times: Sequence[datetime]) -> None:
        self._zones |= {None if time.tzinfo is None else str(time.tzinfo) for time in times}
        instants = [time if time.tzinfo else time.replace(tzinfo=UTC) for time in times]
        self._times_in_range = self._times_in_range and min(instants) >= _FIRST_TIMESTAMP and max(instants) <= _LAST_TIMESTAMP

    @property
    def dtype(self) -> Dtype:
        """The dtype of the column as far as it has been seen; float64 for one without rows."""
        kinds = self._types - {type(None)}
        if kinds <= {int, float}:
            return self._numeric_dtype(kinds)
        if kinds == {bool} and not self._none_seen:
            return BOOL
        only_times = kinds == {datetime} or (kinds == {datetime, float} and not self._number_seen)
        if only_times and len(self._zones) == 1 and self._times_in_range:
            (zone,) = self._zones
            return NAIVE_DATETIME if zone is None else datetime_dtype(zone)
        return OBJECT

    def _numeric_dtype(self, kinds: set[type]) -> Dtype:
        if (self._none_seen and not kinds) or not self._integers_in_range or (self._negative and self._unsigned):
            return OBJECT
        if float in kinds or self._none_seen or not kinds:
            return FLOAT64
        return UINT64 if self._unsigned else INT64


def _is_not_none(value: Any) -> bool:
    return value is not None
