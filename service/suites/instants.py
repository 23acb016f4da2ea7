"""Points in time: those in a suite as texts, those that pandas works out, and what they can be compared with."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from dateutil import parser

from service.suites.dtypes import Dtype
from service.suites.nulls import NAT, NotATime

# What pandas takes for the parts that a text leaves out.
_DEFAULT = datetime(1, 1, 1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NANOSECONDS_A_MICROSECOND = 1000
# Texts that pandas takes for NaT, letters that it doesn't take for a time, and the least number that it takes for one.
_NO_TIME = {"", "NaT", "nat", "NAT", "nan", "NaN", "NAN"}
_LETTERS = {"a", "A", "m", "M", "p", "P", "t", "T"}
_LEAST_YEAR = 1000


class Timestamp:
    """A pandas.Timestamp that is the result of a calculation, and so may have nanoseconds."""

    __slots__ = ("nanoseconds", "zone")

    def __init__(self, nanoseconds: int, zone: tzinfo | None) -> None:
        """`nanoseconds` since 1970, in UTC or, without a zone, by the clock on the wall."""
        self.nanoseconds = nanoseconds
        self.zone = zone

    def isoformat(self) -> str:
        """As pandas writes it: nine digits of a second where there are nanoseconds."""
        microseconds, nanoseconds = divmod(self.nanoseconds, _NANOSECONDS_A_MICROSECOND)
        moment = _EPOCH + timedelta(microseconds=microseconds)
        moment = moment.replace(tzinfo=None) if self.zone is None else moment.astimezone(self.zone)
        if not nanoseconds:
            return moment.isoformat()
        text = moment.isoformat(timespec="microseconds")
        split = len("2024-01-01T00:00:00.000000")
        return f"{text[:split]}{nanoseconds:03d}{text[split:]}"

    def __repr__(self) -> str:
        return self.isoformat()


def nanoseconds_of(moment: datetime) -> int:
    """Nanoseconds since 1970."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1) * _NANOSECONDS_A_MICROSECOND


def is_comparable(instant: datetime, dtype: Dtype) -> bool:
    """Whether a column of this dtype has a timezone if the instant does."""
    return (instant.tzinfo is not None) == dtype.is_aware


def read_with_dateutil(text: Any, default: datetime | None = None) -> datetime:
    """What GX makes of a text; raises ValueError or OverflowError, and TypeError for what isn't one."""
    moment: datetime = parser.parse(text, default=default)
    return moment


def read_timestamp(text: str) -> datetime | NotATime:
    """What `pandas.Timestamp(text)` gives; raises ValueError with its message."""
    if text in _NO_TIME:
        return NAT
    if text in _LETTERS or _is_small_number(text):
        raise ValueError(f'Given date string "{text}" not likely a datetime')
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        try:
            return read_with_dateutil(text, default=_DEFAULT)
        except (ValueError, OverflowError):
            raise ValueError(f"Unknown datetime string format, unable to parse: {text}") from None


def _is_small_number(text: str) -> bool:
    if text.startswith("0"):
        return False
    try:
        return float(text) < _LEAST_YEAR
    except ValueError:
        return False


def read_timestamps(texts: Sequence[str]) -> list[datetime | NotATime]:
    """All texts, or none when one can't be read, as pandas has it; raises TypeError for several timezones."""
    try:
        instants = [read_timestamp(text) for text in texts]
    except ValueError:
        return []
    if len({instant.utcoffset() for instant in instants if isinstance(instant, datetime)}) > 1:
        raise TypeError("DatetimeIndex has mixed timezones")
    return instants
