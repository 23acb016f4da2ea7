"""The online store: bytes in, bytes out. Knows Redis, knows nothing of features."""

from service.store.address import RedisAddress, parse_address
from service.store.command import HashRead
from service.store.redis import HashRow, RedisStore, StoreObserver, check_rows
from service.store.writes import HashWrite, RowWriter, WriteReport

__all__ = [
    "HashRead",
    "HashRow",
    "HashWrite",
    "RedisAddress",
    "RedisStore",
    "RowWriter",
    "StoreObserver",
    "WriteReport",
    "check_rows",
    "parse_address",
]
