"""One pipelined connection to Redis: bytes of commands in, parsed replies out, in order."""

import asyncio
from collections import deque
from typing import Any, cast

import hiredis

from service.errors import StoreTimeout, StoreUnavailable
from service.store.address import RedisAddress
from service.store.command import encode_command

Replies = list[Any]


# What the parser gives when it has no whole reply.
_INCOMPLETE = object()
# A connection whose oldest batch is so many times its patience old has a backlog that will not be answered in time; it is
# closed, and the backlog goes with it.
LONGEST_BACKLOG = 3


class Pending:
    """A batch of commands whose replies are awaited; `deadline` is in the loop's seconds."""

    __slots__ = ("count", "deadline", "future", "replies", "sent")

    def __init__(self, count: int, future: "asyncio.Future[Replies]", sent: float, deadline: float) -> None:
        self.count = count
        self.future = future
        self.sent = sent
        self.deadline = deadline
        self.replies: Replies = []


class Connection(asyncio.Protocol):
    """Replies come back in the order of the commands, so a queue of pending batches is all the state there is.

    A batch that ran out of time stays in the queue, its replies are thrown away when they come.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, patience: float) -> None:
        """`patience` are the seconds after which silence means that the other side is gone."""
        self._loop = loop
        self._patience = patience
        self._reader = hiredis.Reader(notEnoughData=_INCOMPLETE)
        self._transport: asyncio.Transport | None = None
        self._last_received = 0.0
        self._unsent: list[bytes] = []
        self.pending: deque[Pending] = deque()
        self.closed: asyncio.Future[None] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's doesn't inherit from it

    @property
    def filling(self) -> bool:
        """Whether commands wait for the end of this turn of the event loop; more of them cost no further write."""
        return bool(self._unsent)

    def send(self, commands: bytes, count: int, timeout: float) -> "asyncio.Future[Replies]":
        """Send `count` commands; the future gives their replies. Hot.

        What is sent in one turn of the event loop, by however many requests, goes out in one write.
        """
        if self._transport is None:
            raise StoreUnavailable("The connection to Redis is closed.")
        now = self._loop.time()
        future: asyncio.Future[Replies] = self._loop.create_future()
        self.pending.append(Pending(count, future, now, now + timeout))
        if not self._unsent:
            self._loop.call_soon(self.flush)
        self._unsent.append(commands)
        return future

    def flush(self) -> None:
        """Write what was sent in this turn of the event loop: for those who know that it is at its end."""
        unsent, self._unsent = self._unsent, []
        if unsent and self._transport is not None:
            self._transport.write(unsent[0] if len(unsent) == 1 else b"".join(unsent))

    def data_received(self, data: bytes) -> None:
        """Hand each complete batch of replies to whoever waits for it."""
        self._last_received = self._loop.time()
        pending = self.pending
        try:
            self._reader.feed(data)
            gets = self._reader.gets
            while pending:
                batch = pending[0]
                replies = batch.replies
                replies += [gets() for _ in range(batch.count - len(replies))]
                if replies[-1] is _INCOMPLETE:
                    del replies[replies.index(_INCOMPLETE) :]
                    return
                pending.popleft()
                if not batch.future.done():
                    batch.future.set_result(replies)
            unasked = gets()
            if unasked is not _INCOMPLETE:  # it would be taken for the answer to what is asked next
                self.close(f"Redis said what wasn't asked: {unasked}")
        except hiredis.ProtocolError as error:
            self.close(f"What Redis sent isn't its protocol: {error}")

    def expire(self, now: float) -> int:
        """Fail the batches whose deadline has passed; close when Redis is silent or far behind.

        Gives the number of batches that timed out.
        """
        expired = 0
        silent = behind = False
        for batch in self.pending:
            if batch.deadline > now:
                break
            waited = now - batch.sent
            silent = silent or (self._last_received < batch.sent and waited >= self._patience)
            behind = behind or waited > LONGEST_BACKLOG * self._patience
            if not batch.future.done():
                batch.future.set_exception(StoreTimeout("Redis didn't answer within the deadline."))
                expired += 1
        if silent or behind:
            self.close("Redis stopped answering." if silent else "Redis answers more slowly than it is asked.")
        return expired

    @property
    def next_deadline(self) -> float | None:
        """When the oldest batch that is still waited for runs out of time."""
        for batch in self.pending:
            if not batch.future.done():
                return batch.deadline
        return None

    def close(self, reason: str) -> None:
        """Close at once and fail whatever is pending."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()
        self._fail(reason)

    def connection_lost(self, error: Exception | None) -> None:
        """Called by the event loop when the connection is gone, from whichever side."""
        self._transport = None
        self._fail(f"The connection to Redis was lost: {error}" if error else "Redis closed the connection.")

    def _fail(self, reason: str) -> None:
        while self.pending:
            future = self.pending.popleft().future
            if not future.done():
                future.set_exception(StoreUnavailable(reason))
        if not self.closed.done():
            self.closed.set_result(None)


async def connect(address: RedisAddress, within: float, patience: float) -> Connection:
    """Open, authenticate and select; raises StoreUnavailable with Redis's own words.

    `within` and `patience` (see Connection) in seconds.
    """
    loop = asyncio.get_running_loop()
    connection = Connection(loop, patience)
    try:
        async with asyncio.timeout(within):
            await _open(loop, connection, address)
            await _handshake(connection, address, within)
    except TimeoutError as error:
        connection.close("Connecting took too long.")
        raise StoreUnavailable(f"Redis at {address} didn't accept the connection within {within:g} s.") from error
    except StoreUnavailable:
        connection.close("Connecting failed.")
        raise
    except Exception as error:  # the network's, TLS's, a host name that isn't one
        connection.close("Connecting failed.")
        raise StoreUnavailable(f"Redis at {address} can't be reached: {error}") from error
    return connection


async def _open(loop: asyncio.AbstractEventLoop, connection: Connection, address: RedisAddress) -> None:
    context = address.tls.context() if address.tls else None
    if address.unix_socket:
        await loop.create_unix_connection(lambda: connection, address.unix_socket, ssl=context)
    else:
        await loop.create_connection(lambda: connection, address.host, address.port, ssl=context)


async def _handshake(connection: Connection, address: RedisAddress, within: float) -> None:
    commands: list[tuple[str, tuple[bytes, ...]]] = [("introduce itself", (b"CLIENT", b"SETNAME", b"feature-service"))]
    if address.db:
        commands.insert(0, (f"select db {address.db}", (b"SELECT", b"%d" % address.db)))
    if address.password is not None or address.username is not None:
        username = [address.username.encode()] if address.username is not None else []
        commands.insert(0, ("log in", (b"AUTH", *username, (address.password or "").encode())))
    replies = await connection.send(b"".join(encode_command(*words) for _, words in commands), len(commands), within)
    for (purpose, words), reply in zip(commands, replies, strict=True):
        # An ACL user may lack CLIENT, which only names the connection in CLIENT LIST.
        if isinstance(reply, hiredis.ReplyError) and not (words[0] == b"CLIENT" and str(reply).startswith("NOPERM")):
            raise StoreUnavailable(f"Redis at {address} refused to {purpose}: {reply}")
