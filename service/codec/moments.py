"""Points in time as clients write them (ISO 8601 strings, datetimes, dates) as nanoseconds since the epoch.

What has no offset is UTC, as everywhere in Feast. Python's `datetime.fromisoformat` does the reading, but only of what it
reads right: left alone it takes any character between date and time, so that the offset of `2026-01-01-05:00` becomes a
time, reads `10:00.5` as half a second, and drops the digits of a second behind the sixth.
"""

import re
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from service.codec.refusals import Unencodable, describe
from service.codec.timestamps import NANOSECONDS

# The years 1 to 9999, which is what a protobuf Timestamp may hold.
FIRST_NANOSECOND = -62_135_596_800 * NANOSECONDS
LAST_NANOSECOND = 253_402_300_800 * NANOSECONDS - 1

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = datetime(1970, 1, 1)
_SECONDS_A_DAY = 86_400
# Of `2026-01-01T10:00:00.123456+00:00`: where the digits of a second that datetime holds must have ended, and its length.
_END_OF_MICROSECONDS = 26
_LONGEST_COMMON = 32
_ISO_8601 = re.compile(
    r"(?:\d{4}-\d\d-\d\d|\d{8}|\d{4}-W\d\d(?:-\d)?|\d{4}W\d\d\d?)"
    r"(?:[T ]\d\d(?::?\d\d(?::?\d\d(?:[.,](?P<fraction>\d{1,9}))?)?)?"
    r"(?P<offset>Z|[+-]\d\d(?::?\d\d(?::?\d\d)?)?)?)?",
    re.ASCII,
)
_NAMED_ZONE = re.compile(r"(?P<moment>[^\[]+(?:Z|[+-]\d\d:?\d\d(?::?\d\d)?))\[(?P<zone>[A-Za-z][\w/+-]*)\]", re.ASCII)


def text_to_nanoseconds(text: str) -> int:
    """Nanoseconds since the epoch. Hot: half a microsecond for texts of the common forms, those that Python writes.

    Raises Unencodable for what is no time in the years 1 to 9999 (in UTC).
    """
    moment, nanoseconds = read_text(text)
    elapsed = moment - (_NAIVE_EPOCH if moment.tzinfo is None else _EPOCH)
    nanoseconds += (elapsed.days * _SECONDS_A_DAY + elapsed.seconds) * NANOSECONDS + elapsed.microseconds * 1000
    if FIRST_NANOSECOND <= nanoseconds <= LAST_NANOSECOND:
        return nanoseconds
    raise Unencodable(describe(text))


def read_text(text: str) -> tuple[datetime, int]:
    """A date, or a date and a time: to the second or the microsecond, naive where the text is, and nanoseconds to be added.

    Raises Unencodable.
    """
    try:
        if text[10] in "T " and text[13] == ":" == text[16]:
            length = len(text)
            if length <= _END_OF_MICROSECONDS or (length <= _LONGEST_COMMON and text[_END_OF_MICROSECONDS] in "Z+-"):
                return datetime.fromisoformat(text), 0
    except IndexError:
        pass  # a shorter form, which is read below
    except ValueError:
        raise Unencodable(describe(text)) from None
    return _read_any_form(text)


def _read_any_form(text: str) -> tuple[datetime, int]:
    match = _ISO_8601.fullmatch(text)
    if match is None:
        raise Unencodable(describe(text))
    fraction = match["fraction"]
    if fraction is not None:
        text = text[: match.start("fraction") - 1] + (match["offset"] or "")
    try:
        return datetime.fromisoformat(text), int(fraction.ljust(9, "0")) if fraction else 0
    except ValueError:
        raise Unencodable(describe(match[0])) from None


def to_nanoseconds(moment: Any) -> int:
    """Nanoseconds since the epoch of a text, a datetime or a date (its midnight in UTC); raises Unencodable for all else."""
    if isinstance(moment, str):
        return text_to_nanoseconds(moment)
    if isinstance(moment, datetime):
        elapsed = moment - (_NAIVE_EPOCH if moment.tzinfo is None else _EPOCH)
        # pandas' Timestamp, which is what pyarrow gives for nanoseconds, is a datetime with a little more.
        below: int = elapsed.microseconds * 1000 + getattr(moment, "nanosecond", 0)
    elif isinstance(moment, date):
        elapsed, below = moment - _NAIVE_EPOCH.date(), 0
    else:
        raise Unencodable(describe(moment))
    nanoseconds = (elapsed.days * _SECONDS_A_DAY + elapsed.seconds) * NANOSECONDS + below
    if FIRST_NANOSECOND <= nanoseconds <= LAST_NANOSECOND:
        return nanoseconds
    raise Unencodable(describe(moment))


def to_seconds(moment: Any) -> int:
    """Whole seconds since the epoch, which is all that Feast stores of a feature; raises Unencodable for a fraction."""
    seconds, fraction = divmod(to_nanoseconds(moment), NANOSECONDS)
    if fraction:
        raise Unencodable(f"{describe(moment)}, which has a fraction of a second")
    return seconds


def to_zoned(moment: Any) -> tuple[int, str]:
    """Whole seconds since the epoch, and the zone as Feast names it (feast/type_map.py, `_zone_name`): empty for none.

    A text may name its zone as RFC 9557 has it, `2026-01-01T10:00:00+01:00[Europe/Berlin]`; otherwise it has an offset only.
    Raises Unencodable.
    """
    if isinstance(moment, str):
        named = _NAMED_ZONE.fullmatch(moment)
        if named:
            return _to_named_zone(named["moment"], named["zone"])
        zone = read_text(moment)[0].tzinfo
    elif isinstance(moment, datetime):
        zone = moment.tzinfo
    else:
        raise Unencodable(describe(moment))
    return to_seconds(moment), "" if zone is None else getattr(zone, "key", None) or str(zone)


def _to_named_zone(text: str, name: str) -> tuple[int, str]:
    """Raises Unencodable, also where the offset isn't the zone's at that time; `Z` goes with any zone."""
    seconds = to_seconds(text)
    try:
        local = datetime.fromtimestamp(seconds, ZoneInfo(name))
    except (ZoneInfoNotFoundError, ValueError, OverflowError, OSError):
        raise Unencodable(f"a time in {describe(name)}, which is no time zone") from None
    if not text.endswith("Z") and local.utcoffset() != read_text(text)[0].utcoffset():
        raise Unencodable(f"{describe(text)} in {name}, which has another offset at that time")
    return seconds, name
