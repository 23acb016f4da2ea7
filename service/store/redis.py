"""The online store as the rest of the service sees it: hashes read from Redis within a deadline."""

import asyncio
import itertools
import logging
import random
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn, Protocol

import hiredis

from service.errors import StoreUnavailable, UnreadableValue
from service.store.address import RedisAddress
from service.store.command import HashRead, encode_command
from service.store.connection import Connection, Replies, connect

logger = logging.getLogger(__name__)

# Reconnection: quick first, then slower, but well under the second within which answers are to be right again.
FIRST_BACKOFF_SECONDS = 0.02
LONGEST_BACKOFF_SECONDS = 0.4
# Turns of the event loop whose reads go over one connection before it is another's turn: replies to what was asked in
# neighbouring turns then come in one piece.
TURNS = 16

HashRow = list[bytes | None]


class StoreObserver(Protocol):
    """Told of what happens to the store, for metrics."""

    def store_connected(self) -> None:
        """A connection was opened."""

    def store_disconnected(self) -> None:
        """A connection was lost."""

    def store_timed_out(self, batches: int) -> None:
        """`batches` reads didn't get their answer within the deadline."""


class RedisStore:
    """A few pipelined connections to one Redis server, reopened in the background when they are lost."""

    def __init__(
        self,
        address: RedisAddress,
        observer: StoreObserver,
        connections: int = 2,
        read_timeout: float = 0.25,
        connect_timeout: float = 0.5,
    ) -> None:
        self.address = address
        self._observer = observer
        self.read_timeout = read_timeout
        self._connect_timeout = connect_timeout
        self._size = connections
        self._open: list[Connection] = []
        self._turn = itertools.count()
        self._filling: Connection | None = None
        self._keepers: list[asyncio.Task[None]] = []
        self._sweep: asyncio.TimerHandle | None = None
        self._last_error = f"Redis at {address} isn't connected yet."
        # Set by the first attempt to connect, however it ended.
        self.tried = asyncio.Event()

    def start(self) -> None:
        """Begin to connect in the background; reads raise StoreUnavailable until it has."""
        self._keepers = [asyncio.create_task(self._keep_connected()) for _ in range(self._size)]

    async def stop(self) -> None:
        """Close every connection; what is pending fails."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        if self._sweep is not None:
            self._sweep.cancel()

    def read_hashes(
        self, reads: Sequence[tuple[HashRead, Sequence[bytes]]], within: float | None = None
    ) -> "asyncio.Future[list[HashRow]]":
        """HMGET each read's fields of each of its keys, which ids stand for, all in one write.

        A row a key, in order, to be given to check_rows.

        `within` are the seconds that are left, where they are less than the deadline. The future raises StoreTimeout past
        the deadline, StoreUnavailable when Redis is gone; so does the call itself when there is no connection. Hot.
        """
        if len(reads) == 1:
            command, ids = reads[0]
            return self._send(command.encode(ids), len(ids), within)
        written = b"".join([command.encode(ids) for command, ids in reads])
        return self._send(written, sum(len(ids) for _, ids in reads), within)

    def flush(self) -> None:
        """Write what was asked in this turn of the event loop, as would happen at its end."""
        if self._filling is not None:
            self._filling.flush()

    def send(self, commands: Sequence[bytes], within: float | None = None) -> "asyncio.Future[Replies]":
        """Send encoded commands; the future gives their replies in order, errors as hiredis.ReplyError values.

        What is sent in one turn of the event loop goes over one connection, in order, and each future fails by itself: with
        StoreTimeout past the deadline, with StoreUnavailable when Redis is gone; it may have executed the commands all the
        same. Raises StoreUnavailable at once when there is no connection.
        """
        return self._send(b"".join(commands), len(commands), within)

    async def ping(self) -> None:
        """Raise StoreUnavailable unless Redis answers within the deadline."""
        replies = await self.send([encode_command(b"PING")])
        if isinstance(replies[0], hiredis.ReplyError):
            _refuse(replies, [b"PING"])

    def _send(self, commands: bytes, count: int, within: float | None = None) -> "asyncio.Future[Replies]":
        connection = self._filling
        if connection is None or not connection.filling:
            connections = self._open
            if not connections:
                raise StoreUnavailable(self._last_error)
            connection = self._filling = connections[next(self._turn) // TURNS % len(connections)]
        future = connection.send(commands, count, self.read_timeout if within is None else within)
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(self.read_timeout, self._expire)
        return future

    def _expire(self) -> None:
        """The one timer of all reads: fail those that are overdue, sleep until the next that may be."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        expired = sum([connection.expire(now) for connection in tuple(self._open)])
        if expired:
            self._observer.store_timed_out(expired)
        deadlines = [deadline for connection in self._open if (deadline := connection.next_deadline) is not None]
        self._sweep = loop.call_at(min(deadlines), self._expire) if deadlines else None

    async def _keep_connected(self) -> None:
        backoff = FIRST_BACKOFF_SECONDS
        while True:
            try:
                connection = await connect(self.address, self._connect_timeout, self.read_timeout)
                await self._stay(connection)
                backoff = FIRST_BACKOFF_SECONDS
            except StoreUnavailable as error:
                if self._last_error != str(error):
                    logger.warning("%s", error)
                self._last_error = str(error)
                self.tried.set()
            # Jitter, so that many workers don't come back to a restarted Redis at the same moment.
            await asyncio.sleep(backoff * random.uniform(0.5, 1.0))  # noqa: S311 - not a secret
            backoff = min(backoff * 2, LONGEST_BACKOFF_SECONDS)

    async def _stay(self, connection: Connection) -> None:
        """Serve reads from `connection` until it is lost."""
        self._open.append(connection)
        self._observer.store_connected()
        self.tried.set()
        try:
            await connection.closed
        finally:
            self._open.remove(connection)
            self._observer.store_disconnected()
            self._last_error = f"The connection to Redis at {self.address} was lost."
            connection.close("The service is shutting down.")


def check_rows(rows: Sequence[HashRow], keys: Iterable[bytes]) -> None:
    """Raise StoreUnavailable or UnreadableValue if a row of a read is an error of Redis's instead. Hot."""
    if hiredis.ReplyError in set(map(type, rows)):
        _refuse(rows, keys)


def _refuse(replies: Sequence[Any], keys: Iterable[bytes]) -> NoReturn:
    """Redis answers with errors while it loads its data, after a failover, and for a key that isn't a hash."""
    for reply, key in zip(replies, keys, strict=True):
        if isinstance(reply, hiredis.ReplyError) and str(reply).startswith("WRONGTYPE"):
            raise UnreadableValue(f"What Redis has under the key {key!r} isn't a hash.")
    first = next(reply for reply in replies if isinstance(reply, hiredis.ReplyError))
    raise StoreUnavailable(f"Redis answered with an error: {first}")
