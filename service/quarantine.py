"""Rows that were pushed and not written, with what is wrong with them: a capped Redis Stream for each source.

A source is a push source or a feature view. Values are kept as they were pushed; what JSON has no number for is kept as the
text that answers have for it ("NaN", "Infinity", "-Infinity"), which a push takes for the number.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote

import hiredis
import msgspec

from service.errors import InvalidRequest, StoreUnavailable
from service.metrics import Metrics
from service.store import RedisStore
from service.store.command import encode_command

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIELD = b"entry"
# Digits of either half of a stream's id; Redis refuses longer ones.
LONGEST_NUMBER = 19


class QuarantinedRow(msgspec.Struct, frozen=True):
    """One row by column, why it wasn't written, and its place in the batch that it came in."""

    row: dict[str, Any]
    reasons: list[str]
    position: int


class Entry(msgspec.Struct, frozen=True):
    """A row in quarantine. `time` is when it was put there; the id can stand in a URL's path as it is."""

    id: str
    source: str
    time: datetime
    request_id: str
    position: int
    reasons: list[str]
    row: dict[str, Any]


class _Kept(QuarantinedRow, frozen=True):
    """What a stream's entry holds, as JSON."""

    request_id: str = ""


_decoder = msgspec.json.Decoder(_Kept)
_encoder = msgspec.json.Encoder(enc_hook=str)  # what is neither JSON nor a date, a decimal or bytes, by its text


class Quarantine:
    """Every method raises StoreUnavailable when Redis is gone, refuses, or didn't confirm: it may have done it all the same."""

    def __init__(self, store: RedisStore, project: str, cap: int, metrics: Metrics) -> None:
        """`cap` is how many rows of a source are kept; the oldest go first."""
        self._store = store
        self._prefix = f"feature-service:{project}:quarantine:".encode()
        # The names of all sources that ever had a row: a scan of all of Redis's keys would find them too, and take minutes.
        self._names = f"feature-service:{project}:quarantine-sources".encode()
        self._cap = cap
        self._metrics = metrics
        metrics.set("quarantine_max_rows", cap)

    async def add(self, source: str, request_id: str, rows: Sequence[QuarantinedRow], within: float | None = None) -> None:
        """Keep rows. `within` are the seconds that Redis may take."""
        key = self._key(source)
        kept = [_Kept(_textual(row.row), row.reasons, row.position, request_id) for row in rows]
        adds = [encode_command(b"XADD", key, b"*", _FIELD, _encoder.encode(row)) for row in kept]
        trim = encode_command(b"XTRIM", key, b"MAXLEN", b"=", b"%d" % self._cap)
        replies = await self._execute(encode_command(b"SADD", self._names, source.encode()), *adds, trim, within=within)
        self._metrics.count("quarantined_rows", source, amount=len(rows))
        self._metrics.count("quarantine_dropped_rows", source, amount=replies[-1])

    async def page(self, source: str, after: str | None, count: int, newest_first: bool = True) -> list[Entry]:
        """At most `count` entries of a source, those behind `after`, which is the id of the last one of the page before.

        An entry that was removed meanwhile still marks its place. Raises InvalidRequest when `after` isn't an id of the source.
        """
        bound = b""
        if after is not None:
            of, bound = _parse(after)
            if of != source or not bound:
                raise InvalidRequest.because(f"after is the id of an entry of {source}, not {after!r}.", "after")
            bound = b"(" + bound
        command, first, last = (b"XREVRANGE", b"+", b"-") if newest_first else (b"XRANGE", b"-", b"+")
        (found,) = await self._execute(
            encode_command(command, self._key(source), bound or first, last, b"COUNT", b"%d" % count)
        )
        return [_entry(source, entry_id, fields) for entry_id, fields in found]

    async def get(self, entry_id: str) -> Entry | None:
        """One entry; None when there is none, or none any more."""
        source, number = _parse(entry_id)
        if not number:
            return None
        (found,) = await self._execute(encode_command(b"XRANGE", self._key(source), number, number))
        return _entry(source, *found[0]) if found else None

    async def remove(self, entry_id: str) -> bool:
        """Whether there was such an entry."""
        source, number = _parse(entry_id)
        if not number:
            return False
        (removed,) = await self._execute(encode_command(b"XDEL", self._key(source), number))
        return bool(removed)

    async def remove_all(self, source: str) -> int:
        """How many entries the source had."""
        # Not DEL: the stream remembers its last id, so that none is given twice.
        (removed,) = await self._execute(encode_command(b"XTRIM", self._key(source), b"MAXLEN", b"0"))
        return int(removed)

    async def sources(self) -> dict[str, int]:
        """How many rows each source has, by name; also of sources that have none any more."""
        (members,) = await self._execute(encode_command(b"SMEMBERS", self._names))
        if not members:
            return {}
        names = sorted(member.decode() for member in members)
        depths = await self._execute(*[encode_command(b"XLEN", self._key(name)) for name in names])
        return dict(zip(names, depths, strict=True))

    def _key(self, source: str) -> bytes:
        return self._prefix + source.encode()

    async def _execute(self, *commands: bytes, within: float | None = None) -> list[Any]:
        replies = await self._store.send(commands, within)
        for reply in replies:
            if isinstance(reply, hiredis.ReplyError):
                raise StoreUnavailable(f"Redis refused what the quarantine asks of it: {reply}")
        return replies


def _textual(value: Any) -> Any:
    """Without what JSON has no number for."""
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {name: _textual(item) for name, item in value.items()}
    return list(map(_textual, value)) if isinstance(value, list | tuple) else value


def _id(source: str, number: bytes) -> str:
    """`customer_push_source.1770000000000-0`: what a path can't hold as it is, is escaped by `~` instead of `%`."""
    return f"{quote(source, safe='').replace('~', '%7E').replace('%', '~')}.{number.decode()}"


def _parse(entry_id: str) -> tuple[str, bytes]:
    """The source and the stream's id, which is empty when this is no id of ours."""
    source, _, number = entry_id.rpartition(".")
    parts = number.split("-")
    whole = len(parts) == 2 and all(len(part) <= LONGEST_NUMBER and part.isascii() and part.isdecimal() for part in parts)
    return unquote(source.replace("~", "%")), number.encode() if whole else b""


def _entry(source: str, number: bytes, fields: Sequence[bytes]) -> Entry:
    kept = _decoder.decode(fields[fields.index(_FIELD) + 1])
    time = _EPOCH + timedelta(milliseconds=int(number.partition(b"-")[0]))
    return Entry(_id(source, number), source, time, kept.request_id, kept.position, kept.reasons, kept.row)
