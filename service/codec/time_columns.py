"""Columns of event times as Feast stores them: how old they are, and the JSON of any range of their rows.

Most columns are of whole seconds and complete: those are read and written at once, without a Python object for each row. All
others go row by row through `service.codec.timestamps`. This module imports numpy.
"""

import functools
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import orjson

from service.codec import timestamps
from service.codec.packed_numbers import RawColumn

# Fewer rows are looked up one by one in less time than numpy takes for any number of them, some 10 microseconds.
FEWEST_PACKED = 16
# A serialized Timestamp without a fraction, from 1978 until 3058: a tag and a varint of five bytes, of which all but the last
# have the bit that says that more follow (https://protobuf.dev/programming-guides/encoding).
_WIDTH = 6
_TAG = b"\x08"
_MORE = bytes(range(0x80, 0x100))
_CONTENT = np.uint8(0x7F)
_WEIGHTS = np.array([0, 1, 1 << 7, 1 << 14, 1 << 21, 1 << 28], np.int64)
# The text of a whole second, quotes included, and the comma behind it.
_ITEM = len('"1970-01-01T00:00:00Z",')
_AS_TEXT = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z


class TimeColumn(Protocol):
    """The event times of a view's rows."""

    def all_since(self, nanoseconds: int) -> bool:
        """Whether all rows have a time, and none is older than that (since the epoch). May be False for those of its second."""

    @property
    def texts(self) -> Sequence[bytes]:
        """The JSON text of each row; the epoch where there is no time."""

    def to_json(self, start: int, stop: int) -> bytes:
        """The JSON array of a range of rows, of at least one. Hot."""


class WholeSeconds:
    """Every row has a time, and none a fraction."""

    def __init__(self, joined: bytes) -> None:
        """`joined` are the serialized Timestamps, _WIDTH bytes each."""
        table = np.frombuffer(joined, np.uint8).reshape(-1, _WIDTH)
        self._seconds = (table & _CONTENT) @ _WEIGHTS
        self._oldest = int(self._seconds.min())

    def all_since(self, nanoseconds: int) -> bool:
        """Exactly."""
        return self._oldest * timestamps.NANOSECONDS >= nanoseconds

    @functools.cached_property
    def texts(self) -> Sequence[bytes]:
        """They are cut from the JSON of all."""
        return self._json[1:-1].split(b",")

    def to_json(self, start: int, stop: int) -> bytes:
        """Cut out, since all have one width."""
        return b"[%s]" % self._json[1 + _ITEM * start : _ITEM * stop]

    @functools.cached_property
    def _json(self) -> bytes:
        return orjson.dumps(self._seconds.view("datetime64[s]"), option=_AS_TEXT)


class TimeTexts:
    """Whatever there is in each row, or nothing."""

    __slots__ = ("_is_complete", "texts")

    def __init__(self, column: RawColumn) -> None:
        """May raise ValueError, IndexError or OverflowError."""
        self._is_complete = all(column)
        self.texts: Sequence[bytes] = timestamps.to_texts(column)

    def all_since(self, nanoseconds: int) -> bool:
        """Texts are compared instead of times: fresh rows, which are most, need not be parsed."""
        return self._is_complete and min(self.texts) > timestamps.bound_text(nanoseconds // timestamps.NANOSECONDS)

    def to_json(self, start: int, stop: int) -> bytes:
        """Joined."""
        return b"[%s]" % b",".join(self.texts[start:stop])


def read_times(column: RawColumn) -> TimeColumn:
    """The times of a column of at least one row; raises what TimeTexts does. Hot: 30 ns a row of whole seconds."""
    rows = len(column)
    if rows >= FEWEST_PACKED and all(column):
        joined = b"".join(column)  # type: ignore[arg-type]
        if len(joined) == _WIDTH * rows and _are_whole_seconds(joined, rows):
            return WholeSeconds(joined)
    return TimeTexts(column)


def _are_whole_seconds(joined: bytes, rows: int) -> bool:
    """Each has the tag and ends, and no other byte is an end."""
    return (
        joined[::_WIDTH] == _TAG * rows
        and joined[_WIDTH - 1 :: _WIDTH].isascii()
        and len(joined.translate(None, _MORE)) == 2 * rows
    )
