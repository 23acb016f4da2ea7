"""Who may do what only one process may do, over all workers and all replicas of the service: a key in Redis that expires."""

import asyncio
import secrets

import hiredis

from service.errors import FeatureServiceError, StoreUnavailable
from service.store.command import encode_command
from service.store.redis import RedisStore

# KEYS: the lease. ARGV: the holder's token, milliseconds.
_EXTEND = b"if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0"
_RELEASE = b"if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"
# Renewals in the time that the lease lasts: two may be lost.
RENEWALS = 3


class LeaseLost(FeatureServiceError):
    """Another process does the work, or may: this one must neither write nor acknowledge any more."""


class Lease:
    """Taken, renewed while it is needed, given up. Each taking has a token of its own, so that none can be mistaken."""

    def __init__(self, store: RedisStore, key: bytes, seconds: float, purpose: str) -> None:
        """`seconds` are how long it lasts without a renewal; `purpose` says in messages what it is for."""
        self.token = b""
        self.key = key
        self._store = store
        self._seconds = seconds
        self._milliseconds = b"%d" % round(seconds * 1000)
        self._purpose = purpose
        self._until = 0.0

    @property
    def held(self) -> bool:
        """Whether no one else can have it yet, as far as this process's clock tells."""
        return asyncio.get_running_loop().time() < self._until

    async def take(self) -> bool:
        """Whether it was free, and is held now; raises StoreUnavailable."""
        self.token = secrets.token_hex(16).encode()
        began = asyncio.get_running_loop().time()
        (reply,) = await self._store.send([encode_command(b"SET", self.key, self.token, b"NX", b"PX", self._milliseconds)])
        if isinstance(reply, hiredis.ReplyError):
            raise StoreUnavailable(f"Redis refuses the lease of {self._purpose}: {reply}")
        self._until = began + self._seconds if reply == b"OK" else 0.0
        return self.held

    async def confirm(self) -> None:
        """Extend it; raises LeaseLost when it isn't held any more, StoreUnavailable when Redis can't be asked."""
        began = asyncio.get_running_loop().time()
        (reply,) = await self._store.send([self._script(_EXTEND, self._milliseconds)])
        if isinstance(reply, hiredis.ReplyError):  # after a failover, for one: it isn't lost before it has run out
            raise StoreUnavailable(f"Redis refuses the lease of {self._purpose}: {reply}")
        if reply != 1:
            self._until = 0.0
            raise LeaseLost(f"This process doesn't hold the lease of {self._purpose} any more.")
        self._until = began + self._seconds

    async def keep(self) -> None:
        """Renew it again and again, until it is lost."""
        while True:
            await asyncio.sleep(self._seconds / RENEWALS)
            try:
                await self.confirm()
            except LeaseLost:
                return
            except StoreUnavailable:
                continue  # it runs out by itself unless Redis comes back in time

    async def give_up(self) -> None:
        """Let the next one have it at once; raises StoreUnavailable, and then it runs out by itself."""
        self._until = 0.0
        await self._store.send([self._script(_RELEASE)])

    def _script(self, script: bytes, *arguments: bytes) -> bytes:
        return encode_command(b"EVAL", script, b"1", self.key, self.token, *arguments)
