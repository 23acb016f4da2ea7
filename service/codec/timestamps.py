"""Event times as Feast stores them: a protobuf Timestamp under the hash field `_ts:<view>`.

Source of the format: google/protobuf/timestamp.proto (field 1 seconds, field 2 nanos) and feast's RedisOnlineStore.
"""

import functools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

NANOSECONDS = 1_000_000_000
# What stock answers where there is no event time: entity columns, absent entities.
EPOCH_JSON = b'"1970-01-01T00:00:00Z"'
# A timestamp is about 12 bytes; with its decoded forms an entry is some 300 bytes of memory.
CACHE_ENTRIES = 32_768

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read_varint(data: bytes, offset: int) -> tuple[int, int]:
    """The unsigned varint at `offset` and the offset behind it; raises IndexError when it is cut short."""
    result = shift = 0
    while True:
        byte = data[offset]
        offset += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, offset
        shift += 7


def to_signed(value: int) -> int:
    """A 64-bit varint as the signed integer that protobuf means by it."""
    return value - (1 << 64) if value >= 1 << 63 else value


def parse_timestamp(data: bytes) -> tuple[int, int]:
    """Seconds since the epoch (may be negative) and nanoseconds of a serialized Timestamp; raises ValueError or IndexError."""
    seconds = nanos = offset = 0
    while offset < len(data):
        tag, offset = read_varint(data, offset)
        value, offset = read_varint(data, offset)
        if tag == 0x08:
            seconds = to_signed(value)
        elif tag == 0x10:
            nanos = to_signed(value)
        else:
            raise ValueError(f"{data!r} isn't a Timestamp")
    return seconds, nanos


def format_timestamp(seconds: int, nanos: int) -> str:
    """RFC 3339 in UTC with as many fractional digits (0, 3, 6, 9) as are needed, as protobuf's JSON has it."""
    base = (_EPOCH + timedelta(seconds=seconds)).replace(tzinfo=None).isoformat()
    if nanos == 0:
        return f"{base}Z"
    if nanos % 1_000_000 == 0:
        return f"{base}.{nanos // 1_000_000:03d}Z"
    if nanos % 1_000 == 0:
        return f"{base}.{nanos // 1_000:06d}Z"
    return f"{base}.{nanos:09d}Z"


class _Texts(dict[bytes | None, bytes]):
    """Raw timestamp to its JSON text, quotes included; None (no timestamp) to the epoch's.

    A miss formats; the caller's map() stays in C on a hit.
    """

    def __missing__(self, raw: bytes | None) -> bytes:
        if len(self) >= CACHE_ENTRIES:
            self.clear()
        text = EPOCH_JSON if raw is None else b'"%s"' % format_timestamp(*parse_timestamp(raw)).encode()
        self[raw] = text
        return text


_texts = _Texts()


def to_texts(column: Sequence[bytes | None]) -> list[bytes]:
    """The JSON text of each raw timestamp. Hot: one look-up a row once seen."""
    return list(map(_texts.__getitem__, column))


def to_nanoseconds(raw: bytes) -> int:
    """Nanoseconds since the epoch."""
    seconds, nanos = parse_timestamp(raw)
    return seconds * NANOSECONDS + nanos


@functools.lru_cache(maxsize=256)
def bound_text(second: int) -> bytes:
    """A text that sorts behind those of all event times in `second` (since the epoch), and before those of the next.

    Texts of four-digit years sort as their times do, down to the second; the fraction has no fixed width.
    """
    return b'"%s~' % format_timestamp(second, 0)[:-1].encode()
