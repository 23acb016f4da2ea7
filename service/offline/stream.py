"""The writer's end of the stream: what waits in it, what is done with it, and how much there is."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import hiredis

from service.errors import StoreUnavailable
from service.offline.entry import Entry, Keys
from service.store import RedisStore
from service.store.command import encode_command
from service.store.lease import Lease, LeaseLost

GROUP = b"offline-writer"
# There is one writer at a time, so what a dead one has left pending is under the name that the next one has, too.
CONSUMER = b"writer"
# Entries in one reply. An entry is as large as a request body may be, so this bounds a reply to about 200 MB.
COUNT = 50
# Ids in one script call: Lua's unpack() takes about 8,000 (LUAI_MAXCSTACK).
MOST_IDS = 1000

# KEYS: the lease, the stream. ARGV: the holder's token, the group, ids.
_ACKNOWLEDGE = b"""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
redis.call('XACK', KEYS[2], ARGV[2], unpack(ARGV, 3))
return redis.call('XDEL', KEYS[2], unpack(ARGV, 3))
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is in Redis: entries that aren't written yet, the age of the oldest in seconds, and entries that never will be."""

    entries: int
    oldest_seconds: float
    dead: int


class OfflineStream:
    """Entries are deleted once they are settled, so the stream holds what waits and nothing else.

    Every method raises StoreUnavailable when Redis is gone or refuses.
    """

    def __init__(self, store: RedisStore, project: str) -> None:
        self.keys = Keys.of(project)
        self.identity = ""
        self._store = store

    async def prepare(self) -> None:
        """Make the group unless it is there, and learn the stream's identity."""
        made, _, identity = await self._store.send(
            [
                encode_command(b"XGROUP", b"CREATE", self.keys.stream, GROUP, b"0", b"MKSTREAM"),
                encode_command(b"SET", self.keys.identity, secrets.token_hex(8).encode(), b"NX"),
                encode_command(b"GET", self.keys.identity),
            ]
        )
        if not (isinstance(made, hiredis.ReplyError) and str(made).startswith("BUSYGROUP")):
            _accepted([made])
        _accepted([identity])
        self.identity = identity.decode()

    async def pending(self) -> list[Entry]:
        """Everything that was read and neither acknowledged nor buried, by whoever it was read, oldest first."""
        found: list[Entry] = []
        deleted: list[bytes] = []
        after = b"0"
        while page := await self._read(after):
            after = page[-1][0]
            found += [Entry.parse(entry_id, fields) for entry_id, fields in page if fields]
            deleted += [entry_id for entry_id, fields in page if not fields]
        for entry_id in deleted:  # by somebody who didn't want them to be written
            _accepted(await self._store.send([encode_command(b"XACK", self.keys.stream, GROUP, entry_id)]))
        return found

    async def fresh(self) -> tuple[int, list[Entry]]:
        """Redis's time in milliseconds since 1970, and the next entries that nobody has read, at most COUNT."""
        (time,) = _accepted(await self._store.send([encode_command(b"TIME")]))
        return _milliseconds(time), [Entry.parse(entry_id, fields) for entry_id, fields in await self._read(b">")]

    async def _read(self, after: bytes) -> list[tuple[bytes, list[bytes]]]:
        command = encode_command(
            b"XREADGROUP", b"GROUP", GROUP, CONSUMER, b"COUNT", b"%d" % COUNT, b"STREAMS", self.keys.stream, after
        )
        (reply,) = _accepted(await self._store.send([command]))
        return reply[0][1] if reply else []

    async def acknowledge(self, entries: Sequence[Entry], lease: Lease) -> None:
        """Take them out of the stream for good; raises LeaseLost, and does nothing, when the lease is another's."""
        for start in range(0, len(entries), MOST_IDS):
            ids = [entry.id for entry in entries[start : start + MOST_IDS]]
            command = encode_command(
                b"EVAL", _ACKNOWLEDGE, b"2", lease.key, self.keys.stream, lease.token, GROUP, *ids
            )  # fmt: skip
            (reply,) = _accepted(await self._store.send([command]))
            if reply == -1:
                raise LeaseLost("The lease of the offline writer went to another before this one could acknowledge.")

    async def bury(self, entry: Entry) -> None:
        """Add it to the dead-letter stream with its reason; it may be there twice, if its writer died in between."""
        command = encode_command(
            b"XADD", self.keys.dead, b"*", *entry.fields(), b"reason", entry.reason.encode(), b"id", entry.id
        )
        _accepted(await self._store.send([command]))

    async def measure(self) -> Waiting:
        """How much there is."""
        entries, dead, oldest, time = _accepted(
            await self._store.send(
                [
                    encode_command(b"XLEN", self.keys.stream),
                    encode_command(b"XLEN", self.keys.dead),
                    encode_command(b"XRANGE", self.keys.stream, b"-", b"+", b"COUNT", b"1"),
                    encode_command(b"TIME"),
                ]
            )
        )
        age = _milliseconds(time) - Entry.parse(oldest[0][0], ()).milliseconds if oldest else 0
        return Waiting(entries, max(0, age) / 1000, dead)


def _milliseconds(time: Sequence[bytes]) -> int:
    seconds, microseconds = map(int, time)
    return seconds * 1000 + microseconds // 1000


def _accepted(replies: list[Any]) -> list[Any]:
    for reply in replies:
        if isinstance(reply, hiredis.ReplyError):
            raise StoreUnavailable(f"Redis refused what the offline writer asks of it: {reply}")
    return replies
