"""Event times as clients send them: a column of strings, datetimes or integers to what Feast stores under `_ts:<view>`.

Nothing is guessed: an integer is refused unless its unit is given (stock takes every integer for nanoseconds), and no digit
of a second is dropped, down to the nanosecond. Feast's own writers stop at microseconds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from service.codec.moments import FIRST_NANOSECOND, LAST_NANOSECOND, text_to_nanoseconds, to_nanoseconds
from service.codec.refusals import Unencodable, describe
from service.codec.timestamps import NANOSECONDS

# Nanoseconds in each unit that a request may name for its integers.
UNITS = {"s": NANOSECONDS, "ms": 1_000_000, "us": 1_000, "ns": 1}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WANTED = 'a time as an ISO 8601 string such as "2026-01-31T10:00:00Z"'
_UNIT_WANTED = ' (or an integer, if the request says its unit as `timestamp_unit`: "s", "ms", "us" or "ns")'


@dataclass(frozen=True, slots=True)
class EventTimes:
    """A column of event times: as they are compared, and as they are stored.

    `nanoseconds` since the epoch, and a serialized google.protobuf.Timestamp, of each row.
    """

    nanoseconds: Sequence[int]
    stored: Sequence[bytes]

    def datetimes(self) -> list[datetime]:
        """The same in UTC, to the microsecond: for a frame that is validated."""
        return [_EPOCH + timedelta(microseconds=nanoseconds // 1000) for nanoseconds in self.nanoseconds]


def parse_event_times(column: Sequence[Any], unit: str | None = None) -> EventTimes:
    """The event times of a column. Hot: about a microsecond for each distinct time, and a tenth of it for each row.

    Takes ISO 8601 strings, datetimes and dates (those without an offset are UTC); and integers, where `unit` (a key of
    UNITS) says what they count. Raises Unencodable when any row is something else, null included, or lies outside the
    years 1 to 9999.
    """
    if set(map(type, column)) == {str}:
        known = {text: text_to_nanoseconds(text) for text in set(column)}
        nanoseconds = list(map(known.__getitem__, column))
    else:
        nanoseconds = [_nanoseconds(value, unit) for value in column]
    return EventTimes(nanoseconds, store_times(nanoseconds))


def store_times(nanoseconds: Sequence[int]) -> list[bytes]:
    """A serialized Timestamp of each time, in nanoseconds since the epoch. Hot: as `parse_event_times`."""
    stored = _timestamps(set(nanoseconds))
    return list(map(stored.__getitem__, nanoseconds))


def event_time_problem(value: Any, unit: str | None = None) -> str | None:
    """None if the value is an event time, else what would be right and what came: `must be a time as ..., not null`."""
    try:
        _nanoseconds(value, unit)
    except Unencodable as refusal:
        return f"must be {_WANTED}{'' if unit else _UNIT_WANTED}, not {refusal}"
    return None


def _nanoseconds(value: Any, unit: str | None) -> int:
    if type(value) is not int:
        return to_nanoseconds(value)
    if unit is None:
        raise Unencodable(describe(value))
    nanoseconds = value * UNITS[unit]
    if not FIRST_NANOSECOND <= nanoseconds <= LAST_NANOSECOND:
        raise Unencodable(f"{describe(value)}, which lies outside the years 1 to 9999")
    return nanoseconds


def _timestamps(times: Iterable[int]) -> dict[int, bytes]:
    """A serialized Timestamp of each, through one message: that is the fastest way to any of them."""
    timestamp = Timestamp()
    stored = {}
    for nanoseconds in times:
        timestamp.seconds, timestamp.nanos = divmod(nanoseconds, NANOSECONDS)
        stored[nanoseconds] = timestamp.SerializeToString()
    return stored
