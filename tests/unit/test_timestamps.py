"""Event times: protobuf's bytes in, nanoseconds and RFC 3339 out, equal to protobuf's own."""

import json
from collections.abc import Sequence

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from service.codec import timestamps
from service.codec.timestamps import CACHE_ENTRIES, bound_text, parse_timestamp, read_varint, to_signed
from tests.http.handmade.examples import examples

# The years 1 to 9999, which is what a Timestamp may hold.
FIRST_SECOND, LAST_SECOND = -62_135_596_800, 253_402_300_799
SECONDS = st.integers(FIRST_SECOND, LAST_SECOND)
NANOS = st.one_of(
    st.just(0),
    st.integers(0, 999).map(lambda millis: millis * 1_000_000),
    st.integers(0, 999_999).map(lambda micros: micros * 1_000),
    st.integers(0, 999_999_999),
)


def stored(seconds: int, nanos: int = 0) -> bytes:
    """The bytes in Redis."""
    return Timestamp(seconds=seconds, nanos=nanos).SerializeToString()


def texts(column: Sequence[bytes | None]) -> list[str]:
    """What a client parses."""
    return [json.loads(text) for text in timestamps.to_texts(column)]


@examples(400)
@given(seconds=SECONDS, nanos=NANOS)
def test_a_time_is_written_as_protobuf_writes_it(seconds: int, nanos: int) -> None:
    """From year 1 to year 9999, with as many digits of a second as are needed."""
    raw = stored(seconds, nanos)
    assert parse_timestamp(raw) == (seconds, nanos)
    assert texts([raw]) == [Timestamp(seconds=seconds, nanos=nanos).ToJsonString()]
    assert timestamps.to_nanoseconds(raw) == Timestamp(seconds=seconds, nanos=nanos).ToNanoseconds()


@pytest.mark.parametrize(
    ("seconds", "nanos", "text"),
    [
        (0, 0, "1970-01-01T00:00:00Z"),
        (0, 1, "1970-01-01T00:00:00.000000001Z"),
        (-1, 0, "1969-12-31T23:59:59Z"),
        (-1, 999_999_999, "1969-12-31T23:59:59.999999999Z"),
        (-1, 500_000_000, "1969-12-31T23:59:59.500Z"),
        (FIRST_SECOND, 0, "0001-01-01T00:00:00Z"),
        (LAST_SECOND, 999_999_000, "9999-12-31T23:59:59.999999Z"),
        (951_782_400, 0, "2000-02-29T00:00:00Z"),
        (1_700_000_000, 120_000, "2023-11-14T22:13:20.000120Z"),
    ],
)
def test_edges_of_the_calendar(seconds: int, nanos: int, text: str) -> None:
    """The epoch, what lies just before it, the first and the last second there is, a leap day."""
    assert texts([stored(seconds, nanos)]) == [text]


def test_the_epoch_is_an_empty_message() -> None:
    """Protobuf leaves zeros out, so an event time at the epoch isn't to be taken for none."""
    assert stored(0) == b""
    assert timestamps.to_nanoseconds(b"") == 0
    assert texts([b"", None]) == ["1970-01-01T00:00:00Z"] * 2


@examples(300)
@given(second=SECONDS, other=SECONDS, nanos=NANOS, near=st.integers(-1, 1))
def test_texts_sort_as_times_do(second: int, other: int, nanos: int, near: int) -> None:
    """Behind the bound of a second stands all that is later than that second, and nothing else."""
    for moment in (other, min(max(second + near, FIRST_SECOND), LAST_SECOND)):
        (text,) = timestamps.to_texts([stored(moment, nanos)])
        assert (text > bound_text(second)) == (moment > second)


@examples(50)
@given(column=st.lists(st.one_of(st.none(), st.builds(stored, SECONDS, NANOS)), max_size=300))
def test_columns_keep_their_order(column: list[bytes | None]) -> None:
    """Repeated, absent and distinct times, each at its row."""
    doubled = column + column
    assert texts(doubled) == [texts([raw])[0] for raw in doubled]


def test_more_distinct_times_than_the_cache_holds_are_all_right() -> None:
    """The cache is emptied in the middle of a column, and what it held is read anew."""
    moments = range(1_700_000_000, 1_700_000_000 + CACHE_ENTRIES + 500)
    column = [stored(moment) for moment in moments]
    for _ in range(2):
        assert texts(column)[::1000] == [Timestamp(seconds=moment).ToJsonString() for moment in moments[::1000]]
    assert len(timestamps._texts) <= CACHE_ENTRIES


def test_fields_may_come_in_any_order() -> None:
    """Protobuf promises no order of fields, and lets the last of a repeated one win."""
    seconds_only, nanos_only = stored(5), stored(0, 7)
    assert parse_timestamp(nanos_only + seconds_only) == (5, 7)
    assert parse_timestamp(stored(1) + nanos_only + seconds_only) == (5, 7)


@examples(200)
@given(number=st.integers(-(2**63), 2**63 - 1))
def test_varints_are_signed_as_protobuf_signs_them(number: int) -> None:
    """Negative numbers take ten bytes, in two's complement."""
    raw = Timestamp(seconds=number).SerializeToString()
    if number:
        value, end = read_varint(raw, 1)
        assert (to_signed(value), end) == (number, len(raw))


@pytest.mark.parametrize("raw", [b"2024-01-01T00:00:00Z", b"1700000000", b"\x0a\x01a", b"\x08", b"\x08\x80", b"\x19\x00"])
def test_what_is_no_timestamp_is_an_error(raw: bytes) -> None:
    """Rather than 1970."""
    with pytest.raises((ValueError, IndexError)):
        parse_timestamp(raw)


def test_a_varint_that_is_cut_short_is_an_error() -> None:
    """Not a number made up of the part that is there."""
    with pytest.raises(IndexError):
        read_varint(stored(1_700_000_000)[:-1], 1)
