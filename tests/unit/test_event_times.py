"""Event times that come with rows: read without a guess, stored in protobuf's bytes."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from service.codec.event_times import UNITS, event_time_problem, parse_event_times
from service.codec.refusals import Unencodable
from service.codec.timestamps import parse_timestamp
from tests.http.handmade.examples import examples

FIRST, LAST = -62_135_596_800_000_000_000, 253_402_300_799_999_999_999
WANTED = 'must be a time as an ISO 8601 string such as "2026-01-31T10:00:00Z"'
UNIT_WANTED = ' (or an integer, if the request says its unit as `timestamp_unit`: "s", "ms", "us" or "ns")'

# Far enough from year 1 and 9999 for any offset.
MOMENTS = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29))
OFFSETS = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
ZONES = st.sampled_from([UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("Asia/Kolkata")])
ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.from_regex(r"\A\d{4}-[01]\d-[0-3]\d([T ][0-2]\d:[0-5]\d(:[0-6]\d([.,]\d{1,10})?)?(Z|[+-]\d\d(:?\d\d)?)?)?\Z"),
    st.datetimes(),
    st.datetimes(timezones=OFFSETS),
    st.dates(),
    st.binary(max_size=2),
    st.lists(st.integers(), max_size=1),
    st.dictionaries(st.text(max_size=1), st.integers(), max_size=1),
)


def stored(moment: datetime) -> bytes:
    """What Feast's Redis store writes for an event time."""
    timestamp = Timestamp()
    timestamp.FromDatetime(moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment)
    return timestamp.SerializeToString()


def nanoseconds(value: Any, unit: str | None = None) -> int:
    """Of one value, as it is compared."""
    return parse_event_times([value], unit).nanoseconds[0]


@examples(300)
@given(moment=MOMENTS, zone=st.one_of(st.none(), OFFSETS, ZONES), separator=st.sampled_from("T "))
def test_a_time_is_stored_as_feast_stores_it(moment: datetime, zone: Any, separator: str) -> None:
    """With an offset, a zone or none, as a datetime or as a text: the same instant, the same bytes."""
    moment = moment.replace(tzinfo=zone)
    text = moment.isoformat(separator)
    column = [moment, text, text.replace("+00:00", "Z"), moment.isoformat(timespec="microseconds")]
    times = parse_event_times(column)
    assert times.stored == [stored(moment)] * 4
    seconds, nanos = parse_timestamp(stored(moment))
    assert times.nanoseconds == [seconds * 1_000_000_000 + nanos] * 4
    assert times.datetimes() == [moment if zone else moment.replace(tzinfo=UTC)] * 4
    assert {time.tzinfo for time in times.datetimes()} == {UTC}


@examples(200)
@given(time=st.integers(FIRST, LAST))
def test_no_digit_of_a_second_is_lost(time: int) -> None:
    """Down to the nanosecond, which protobuf holds, and Feast's datetimes don't."""
    seconds, nanos = divmod(time, 1_000_000_000)
    whole = (datetime(1, 1, 1) + timedelta(seconds=seconds - FIRST // 1_000_000_000)).isoformat()
    times = parse_event_times([f"{whole}.{nanos:09d}Z", f"{whole}.{nanos:09d}", time], "ns")
    assert times.nanoseconds == [time] * 3
    assert times.stored == [Timestamp(seconds=seconds, nanos=nanos).SerializeToString()] * 3


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2026-01-31", "2026-01-31T00:00:00Z"),
        ("20260131", "2026-01-31T00:00:00Z"),
        ("2026-W05-6", "2026-01-31T00:00:00Z"),
        ("2026-01-31T10", "2026-01-31T10:00:00Z"),
        ("2026-01-31T10:20", "2026-01-31T10:20:00Z"),
        ("2026-01-31 10:20:30", "2026-01-31T10:20:30Z"),
        ("2026-01-31T10:20:30.5", "2026-01-31T10:20:30.500Z"),
        ("2026-01-31T10:20:30,25Z", "2026-01-31T10:20:30.250Z"),
        ("2026-01-31T10:20:30.1234567Z", "2026-01-31T10:20:30.123456700Z"),
        ("2026-01-31 10:20:30.123456789+05:30", "2026-01-31T04:50:30.123456789Z"),
        ("2026-01-31T10:20+02", "2026-01-31T08:20:00Z"),
        ("2026-01-31T10:20:30-0330", "2026-01-31T13:50:30Z"),
        ("2026-01-31T10:20:30.123456-01:00", "2026-01-31T11:20:30.123456Z"),
        ("2026-01-31T10:20:30.1234567+01", "2026-01-31T09:20:30.123456700Z"),
        ("20260131T102030Z", "2026-01-31T10:20:30Z"),
        ("20260131T102030.1234567Z", "2026-01-31T10:20:30.123456700Z"),
        ("1893-03-31T00:00:00+00:53:28", "1893-03-30T23:06:32Z"),
        ("1969-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59.999999999Z"),
        ("0001-01-01T00:00:00", "0001-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999999Z"),
        (date(2026, 1, 31), "2026-01-31T00:00:00Z"),
        (pd.Timestamp("2026-01-31T10:20:30.123456789Z"), "2026-01-31T10:20:30.123456789Z"),
    ],
    ids=str,
)
def test_forms_of_a_time(text: Any, same: str) -> None:
    """All of ISO 8601 that Python and pandas read; without an offset it is UTC."""
    (raw,) = parse_event_times([text]).stored
    assert Timestamp.FromString(raw).ToJsonString() == same
    assert event_time_problem(text) is None


@examples(200)
@given(
    moment=st.datetimes(datetime(1700, 1, 1), datetime(2250, 1, 1)),
    digits=st.integers(0, 9),
    offset=st.one_of(st.none(), OFFSETS),
)
def test_texts_are_read_as_pandas_reads_them(moment: datetime, digits: int, offset: Any) -> None:
    """Any number of digits of a second."""
    fraction = f".{moment.microsecond:06d}789"[: digits + 1] if digits else ""
    text = moment.replace(microsecond=0).isoformat() + fraction
    text += moment.replace(tzinfo=offset).isoformat()[-6:] if offset else ""
    expected = pd.Timestamp(text)
    assert nanoseconds(text) == (expected if offset else expected.tz_localize("UTC")).as_unit("ns").value


@pytest.mark.parametrize(
    ("value", "came"),
    [
        (None, "null"),
        (True, "true"),
        (1_700_000_000.0, "the number 1700000000.0"),
        (float("nan"), "NaN; null is written null"),
        ("", 'the string ""'),
        ("yesterday", 'the string "yesterday"'),
        ("1700000000", 'the string "1700000000"'),
        ("2026", 'the string "2026"'),
        ("2026-13-01", 'the string "2026-13-01"'),
        ("2026-02-30T10:00:00Z", 'the string "2026-02-30T10:00:00Z"'),
        ("2026-01-31T25:00:00", 'the string "2026-01-31T25:00:00"'),
        ("2026-01-31-05:00", 'the string "2026-01-31-05:00"'),  # a date with an offset, which Python takes for 5 o'clock
        ("2026-01-31x10:00", 'the string "2026-01-31x10:00"'),
        ("2026-01-31T10:00.5", 'the string "2026-01-31T10:00.5"'),  # half a minute, which Python takes for half a second
        ("2026-01-31T10:00:00.1234567891", 'the string "2026-01-31T10:00:00.1234567891"'),
        (" 2026-01-31", 'the string " 2026-01-31"'),
        ("2026-01-31T10:00:00Z\n", 'the string "2026-01-31T10:00:00Z\n"'),
        ("٢٠٢٦-01-31", 'the string "٢٠٢٦-01-31"'),
        ("2026-01-31T10:00:00.123456٢", 'the string "2026-01-31T10:00:00.123456٢"'),
        ("0001-01-01T00:00:00+01:00", 'the string "0001-01-01T00:00:00+01:00"'),
        ("9999-12-31T23:59:59-01:00", 'the string "9999-12-31T23:59:59-01:00"'),
        ("0000-01-01", 'the string "0000-01-01"'),
        (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))), "the time 0001-01-01T00:00:00+01:00"),
        (pd.NaT, "the time NaT"),
        (["2026-01-31"], "a list"),
        ({}, "an object"),
        (b"2026-01-31", "10 bytes"),
    ],
    ids=str,
)
def test_what_is_no_event_time(value: Any, came: str) -> None:
    """It isn't guessed at, whether or not a unit is given for integers."""
    assert event_time_problem(value) == f"{WANTED}{UNIT_WANTED}, not {came}"
    assert event_time_problem(value, "s") == f"{WANTED}, not {came}"
    for unit in (None, "ms"):
        with pytest.raises(Unencodable):
            parse_event_times(["2026-01-31", value], unit)


@pytest.mark.parametrize("unit", list(UNITS))
def test_integers_need_a_unit(unit: str) -> None:
    """Stock takes them for nanoseconds, and stores 1970."""
    count = 1_700_000_000_000_000_000 // UNITS[unit]
    assert event_time_problem(count) == f"{WANTED}{UNIT_WANTED}, not the number {count}"
    with pytest.raises(Unencodable):
        parse_event_times([count])
    assert event_time_problem(count, unit) is None
    times = parse_event_times([count, "2023-11-14T22:13:20Z", -count], unit)
    assert times.nanoseconds == [1_700_000_000_000_000_000, 1_700_000_000_000_000_000, -1_700_000_000_000_000_000]


def test_integers_of_the_wrong_unit_that_lead_out_of_the_calendar() -> None:
    """Milliseconds that are called seconds, most often."""
    assert event_time_problem(1_700_000_000_000, "s") == (
        f"{WANTED}, not the number 1700000000000, which lies outside the years 1 to 9999"
    )
    for unit, factor in UNITS.items():
        assert nanoseconds(LAST // factor, unit) == LAST // factor * factor
        assert nanoseconds(-(-FIRST // factor), unit) == FIRST
        for count in (LAST // factor + 1, FIRST // factor - 1, 10**40):
            assert event_time_problem(count, unit) is not None


def test_the_epoch_is_an_empty_message() -> None:
    """Protobuf leaves zeros out, of whole seconds and of fractions."""
    times = parse_event_times(["1970-01-01", "1970-01-01T00:00:00.5Z", "1970-01-01T00:00:01Z"])
    assert times.stored == [b"", b"\x10\x80\xca\xb5\xee\x01", b"\x08\x01"]


def test_columns_keep_their_order() -> None:
    """Repeated times and distinct ones, in one form or several."""
    texts = [f"2026-01-{1 + place * 7 % 28:02d}T10:00:00Z" for place in range(100)]
    mixed = [text if place % 2 else datetime.fromisoformat(text) for place, text in enumerate(texts)]
    expected = [stored(datetime.fromisoformat(text)) for text in texts]
    assert parse_event_times(texts).stored == parse_event_times(mixed).stored == expected


def test_no_rows() -> None:
    """An empty batch has no times."""
    times = parse_event_times([])
    assert (times.nanoseconds, times.stored, times.datetimes()) == ([], [], [])


@examples(400)
@given(value=ANYTHING, unit=st.sampled_from([None, *UNITS]))
def test_a_value_is_either_a_time_or_named_a_problem(value: Any, unit: str | None) -> None:
    """Nothing is refused without a reason, nothing has a problem and is taken, and nothing else is ever raised."""
    problem = event_time_problem(value, unit)
    try:
        (raw,) = parse_event_times([value], unit).stored
    except Unencodable:
        assert problem is not None
        assert problem.startswith(WANTED)
    else:
        assert problem is None
        Timestamp.FromString(raw).ToDatetime()
