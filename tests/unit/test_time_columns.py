"""Columns of event times: what is read at once says the same as what is read row by row."""

from collections.abc import Sequence
from random import Random

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from service.codec.time_columns import FEWEST_PACKED, TimeTexts, WholeSeconds, read_times
from service.codec.timestamps import EPOCH_JSON, NANOSECONDS

# What five bytes of a varint hold.
FIRST_SECOND, LAST_SECOND = 2**28, 2**35 - 1


def stored(seconds: int, nanos: int = 0) -> bytes:
    """The bytes in Redis."""
    return Timestamp(seconds=seconds, nanos=nanos).SerializeToString()


def json_of(seconds: Sequence[int]) -> bytes:
    """The array as protobuf writes its items."""
    return b"[%s]" % b",".join(b'"%s"' % Timestamp(seconds=second).ToJsonString().encode() for second in seconds)


def test_whole_seconds_are_read_at_once() -> None:
    """The texts, any range of them, and which is the oldest; the ends of the range among them."""
    rng = Random(5)
    for rows in [FEWEST_PACKED, FEWEST_PACKED + 1, 100, 512]:
        seconds = [rng.randint(FIRST_SECOND, LAST_SECOND) for _ in range(rows)]
        seconds[rng.randrange(1, rows)] = FIRST_SECOND
        seconds[0] = LAST_SECOND
        times = read_times([stored(second) for second in seconds])
        assert isinstance(times, WholeSeconds)
        assert times.to_json(0, rows) == json_of(seconds)
        assert times.to_json(3, 7) == json_of(seconds[3:7])
        assert times.to_json(rows - 1, rows) == json_of(seconds[-1:])
        assert list(times.texts) == json_of(seconds)[1:-1].split(b",")
        assert times.all_since(FIRST_SECOND * NANOSECONDS)
        assert not times.all_since(FIRST_SECOND * NANOSECONDS + 1)


OTHERS: dict[str, bytes | None] = {
    "absent": None,
    "the epoch": b"",
    "a fraction": stored(2**31, 5),
    "the seventies": stored(FIRST_SECOND - 1),
    "before 1970": stored(-1),
    "after 3058": stored(LAST_SECOND + 1),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("place", [0, 7, FEWEST_PACKED])
def test_all_others_are_read_row_by_row(other: bytes | None, place: int) -> None:
    """With the same answers."""
    column: list[bytes | None] = [stored(2**31 + row) for row in range(FEWEST_PACKED)]
    column.insert(place, other)
    times = read_times(column)
    assert isinstance(times, TimeTexts)
    assert times.to_json(0, len(column)) == b"[%s]" % b",".join(times.texts)
    assert times.to_json(place, place + 1) == b"[%s]" % (TimeTexts([other]).texts[0] if other else EPOCH_JSON)
    assert times.all_since((2**31 - 10) * NANOSECONDS) == (other in (OTHERS["a fraction"], OTHERS["after 3058"]))


@pytest.mark.parametrize(
    "others",
    [
        [b"\x08\x80\x80\x80\x80\x80"],
        [b"\x08\x80\x80\x01\x80\x01"],
        # Lengths that add up to the right one are no excuse.
        [stored(FIRST_SECOND - 1), stored(2**31) + b"\x00"],
    ],
)
def test_what_is_no_time_is_not_taken_for_one(others: list[bytes]) -> None:
    """Each is looked at, and the first that can't be read says so."""
    column = [*(stored(2**31 + row) for row in range(FEWEST_PACKED)), *others]
    with pytest.raises((ValueError, IndexError)):
        read_times(column)


@pytest.mark.parametrize("other", [b"\x10" * 6, b"\x08" * 6])
def test_six_bytes_may_be_another_time(other: bytes) -> None:
    """Some nanoseconds, or seconds that are given three times: protobuf takes the last."""
    column = [*(stored(2**31 + row) for row in range(FEWEST_PACKED)), other]
    (text,) = read_times(column).texts[-1:]
    assert text == b'"%s"' % Timestamp.FromString(other).ToJsonString().encode()


def test_few_rows_are_looked_up() -> None:
    """That takes less time, and says the same."""
    seconds = list(range(2**31, 2**31 + FEWEST_PACKED - 1))
    times = read_times([stored(second) for second in seconds])
    assert isinstance(times, TimeTexts)
    assert times.to_json(0, len(seconds)) == json_of(seconds)
