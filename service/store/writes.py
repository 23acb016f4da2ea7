"""Rows written to Redis so that the newest event time stays, whoever else writes, and a report that says only what is sure.

Comparing and writing is one step in Redis: the script newest_wins.lua, called for many keys at once, since a call costs more
than a row. What is newer is for the script to say; nothing here looks into event times.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import chain, cycle
from operator import getitem
from typing import Any

import hiredis

from service.errors import ConfigurationError, NotSupported, StoreTimeout, StoreUnavailable, UnreadableValue
from service.store.command import encode_command
from service.store.redis import RedisStore

# Redis serves nobody else while a call runs: 0.3 ms for 64 rows of 7 features. A row costs it 7 microseconds where each is a
# call of its own, 4.5 with 16 a call, 4.1 with 64, 4.0 with 128. In a cluster each has to be: a call is for one slot.
KEYS_PER_CALL = 64
# Wide rows make calls long, too: with so many arguments (event times, fields and values) a call stays near those 0.3 ms.
ARGUMENTS_PER_CALL = 1024
# More goes in parts, each when the one before is answered, so that reads get their turn: here, where 512 rows of 7 features
# take 0.7 ms, and in Redis, which does all that it has received of one connection before it turns to the next.
ARGUMENTS_AT_ONCE = 8 * ARGUMENTS_PER_CALL
# A row's outcome has a bit for each view and is a double in the script.
MOST_VIEWS = 53
# What stands before a longer argument isn't kept: each length has its own.
LONGEST_KEPT = 1024

Columns = Sequence[Sequence[bytes]]
Failure = StoreUnavailable | UnreadableValue

_SCRIPT = files("service.store").joinpath("newest_wins.lua").read_bytes()
_SHA = hashlib.sha1(_SCRIPT, usedforsecurity=False).hexdigest().encode()
_LOAD = encode_command(b"SCRIPT", b"LOAD", _SCRIPT)
_END = b"\r\n"


@dataclass(frozen=True, slots=True)
class WriteReport:
    """What became of each row.

    Of an outcome bit i is 1 if view i was written, 0 if a newer row stands. An outcome is None if Redis didn't confirm the row,
    which may be written all the same; then `failure` is why, and a retry is harmless. It is UnreadableValue, and a retry no
    help, where nothing is wrong but what Redis has under some of the keys.
    """

    outcomes: list[int | None]
    failure: Failure | None


class HashWrite:
    """What a batch writes into each key's hash: one or several views, prepared once so that only bytes are spliced in."""

    __slots__ = ("_features", "_heads", "_key_heads", "_layout", "_layout_size", "_time_places", "width")

    def __init__(self, views: Sequence[tuple[bytes, Sequence[bytes]]], key_ttl_seconds: int | None = None) -> None:
        """`views` are the field of each view's event time, and those of its features; `key_ttl_seconds` None or 0 is forever.

        Raises NotSupported for more than 53 views, ConfigurationError for a time to live that deletes what is written.
        """
        if len(views) > MOST_VIEWS:
            raise NotSupported(f"{len(views)} feature views get the same rows; {MOST_VIEWS} are the most that can be written.")
        if key_ttl_seconds is not None and key_ttl_seconds < 0:
            raise ConfigurationError(f"key_ttl_seconds is the number of seconds that a key lives, not {key_ttl_seconds}.")
        fields = [field for time_field, features in views for field in (time_field, *features)]
        widths = [1 + len(features) for _, features in views]
        layout = [key_ttl_seconds or 0, len(views), *(2 * width for width in widths)]
        self._layout = b"".join([_argument(b"%d" % number) for number in layout])
        self._layout_size = len(layout)
        self._key_heads = _Heads(b"")
        self._heads = [_Heads(_argument(field)) for field in fields]
        self._time_places = [sum(widths[:view]) for view in range(len(views))]
        self._features = len(fields) - len(views)
        # The arguments of a row: fields and values.
        self.width = 2 * len(fields)

    def encode(self, keys: Sequence[bytes], times: Sequence[bytes], columns: Columns, rows_per_call: int) -> list[bytes]:
        """Calls of the script, in order. Hot: a microsecond for a row of 7 features, 5 for a single one.

        Raises ValueError when there aren't as many columns as features, or not as many values as keys.
        """
        if len(columns) != self._features:
            raise ValueError(f"There are {len(columns)} columns, and {self._features} features.")
        arranged = list(columns)
        for place in self._time_places:
            arranged.insert(place, times)
        width = self.width
        values = list(chain.from_iterable(zip(*arranged, strict=True)))
        rows, hashes = [b""] * (width * len(keys)), [b""] * (2 * len(keys))
        # These raise ValueError where the number of values isn't that of the places.
        rows[::2], rows[1::2] = map(getitem, cycle(self._heads), map(len, values)), values
        hashes[::2], hashes[1::2] = map(self._key_heads.__getitem__, map(len, keys)), keys
        calls = []
        for start in range(0, len(keys), rows_per_call):
            end = min(start + rows_per_call, len(keys))
            row_arguments = rows[width * start : width * end]
            calls.append(b"".join([self._head(end - start), *hashes[2 * start : 2 * end], self._layout, *row_arguments, _END]))
        return calls

    def _head(self, keys: int) -> bytes:
        arguments = 3 + keys + self._layout_size + keys * self.width
        return b"*%d\r\n$7\r\nEVALSHA\r\n$40\r\n%s%s" % (arguments, _SHA, _argument(b"%d" % keys))


def _argument(argument: bytes) -> bytes:
    """An argument behind another, which ends with it; RESP2, as in service.store.command."""
    return b"\r\n$%d\r\n%s" % (len(argument), argument)


class _Heads(dict[int, bytes]):
    """What stands before an argument of each length, from the end of the argument before, `between` included."""

    def __init__(self, between: bytes) -> None:
        self._between = between

    def __missing__(self, size: int) -> bytes:
        head = b"%s\r\n$%d\r\n" % (self._between, size)
        if size <= LONGEST_KEPT:
            self[size] = head
        return head


class RowWriter:
    """Writes batches of rows through a store of its own, so that a large batch doesn't stand before reads."""

    def __init__(self, store: RedisStore, keys_per_call: int = KEYS_PER_CALL) -> None:
        """`keys_per_call` is 1 where keys may lie in different slots."""
        self._store = store
        self._keys_per_call = keys_per_call

    async def write(
        self, write: HashWrite, keys: Sequence[bytes], times: Sequence[bytes], columns: Columns, within: float | None = None
    ) -> WriteReport:
        """Write rows, the later after the earlier. Hot. Awaits nothing but futures, so that it runs without a Task, too.

        `keys` are the hash of each row, `times` its event time as a serialized google.protobuf.Timestamp, `columns` the values
        of each feature, in the order of the views and their features (b"" is null). `within` are the seconds for all of it.

        Raises ValueError where columns and keys don't fit. What goes wrong with Redis is in the report.
        """
        deadline = None if within is None else asyncio.get_running_loop().time() + within
        rows_per_call = max(1, min(self._keys_per_call, ARGUMENTS_PER_CALL // write.width))
        rows_at_once = rows_per_call * max(1, ARGUMENTS_AT_ONCE // write.width // rows_per_call)
        outcomes: list[int | None] = []
        failures: list[Failure] = []
        for start in range(0, len(keys), rows_at_once):
            part = slice(start, start + rows_at_once)
            calls = write.encode(keys[part], times[part], [column[part] for column in columns], rows_per_call)
            for number, reply in enumerate(await self._replies(calls, deadline)):
                first = start + number * rows_per_call
                found, refusals = _read(reply, keys[first : first + rows_per_call])
                outcomes += found
                failures += refusals
            if any(isinstance(failure, StoreUnavailable) for failure in failures):
                break
        outcomes += [None] * (len(keys) - len(outcomes))
        # min gives the first of the gravest.
        return WriteReport(outcomes, min(failures, key=lambda one: isinstance(one, UnreadableValue), default=None))

    async def _replies(self, calls: Sequence[bytes], deadline: float | None) -> list[Any]:
        """What Redis says to each call, or the StoreUnavailable that came instead; the script is loaded if Redis lacks it."""
        replies = await self._send(calls, deadline)
        missing = next((number for number, reply in enumerate(replies) if _is_missing(reply)), None)
        if missing is None:
            return replies
        # Another process may have loaded it in the meantime, so that later calls were executed. These are repeated, too: they
        # may have rows of the same keys, and of equal event times the last is to stay.
        loaded, *repeated = await self._send([_LOAD, *calls[missing:]], deadline)
        refused = not isinstance(loaded, bytes)
        return replies[:missing] + [loaded if refused and _is_missing(reply) else reply for reply in repeated]

    async def _send(self, commands: Sequence[bytes], deadline: float | None) -> list[Any]:
        """Send each command as a batch of its own, all in one write, so that each is answered or fails by itself."""
        within = None if deadline is None else deadline - asyncio.get_running_loop().time()
        if within is not None and within <= 0:
            return [StoreTimeout("Redis didn't answer within the deadline.")] * len(commands)
        try:
            futures = [self._store.send([command], within) for command in commands]
        except StoreUnavailable as error:
            return [error] * len(commands)
        replies: list[Any] = []
        try:
            for future in futures:
                try:
                    replies += await future
                except StoreUnavailable as error:
                    replies.append(error)
        finally:
            for future in futures[len(replies) :]:  # the caller was cancelled
                future.cancel()
        return replies


def _is_missing(reply: Any) -> bool:
    return isinstance(reply, hiredis.ReplyError) and str(reply).startswith("NOSCRIPT")


def _read(reply: Any, keys: Sequence[bytes]) -> tuple[list[int | None], list[Failure]]:
    """The outcomes of the rows of one call, and why there are none of some."""
    if isinstance(reply, StoreUnavailable):
        return [None] * len(keys), [reply]
    if isinstance(reply, hiredis.ReplyError):
        return [None] * len(keys), [_refusal(reply)]
    if hiredis.ReplyError not in set(map(type, reply)):
        return reply, []
    refused = [(key, error) for key, error in zip(keys, reply, strict=True) if isinstance(error, hiredis.ReplyError)]
    found = [None if isinstance(outcome, hiredis.ReplyError) else outcome for outcome in reply]
    return found, [_refusal(error, key) for key, error in refused]


def _refusal(error: hiredis.ReplyError, key: bytes = b"") -> Failure:
    words = str(error)
    if words.startswith("WRONGTYPE"):
        return UnreadableValue(f"What Redis has under the key {key!r} isn't a hash.")
    if words.startswith("UNREADABLE"):
        return UnreadableValue(f"What Redis has as an event time under the key {key!r} isn't a protobuf Timestamp.")
    return StoreUnavailable(f"Redis answered with an error: {words}")
