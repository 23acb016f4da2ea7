"""A worker's end of offline pushes: a validated batch is durable before the client is answered."""

from collections.abc import Mapping, Sequence
from typing import Any

import hiredis

from service.errors import InvalidRequest, StoreUnavailable
from service.metrics import Metrics
from service.offline.entry import Entry, Keys, encode_columns
from service.store import RedisStore
from service.store.command import encode_command


class OfflineQueue:
    """Adds batches to the stream that `service.offline.process` empties."""

    def __init__(self, store: RedisStore, project: str, metrics: Metrics) -> None:
        self._store = store
        self._keys = Keys.of(project)
        self._metrics = metrics

    async def add(
        self, push_source: str, columns: Mapping[str, Sequence[Any]], request_id: str, within: float | None = None
    ) -> str:
        """Keep a batch, and give the id under which Redis has confirmed it.

        `columns` are of equal length, by the names that the client gave them: JSON values, bytes, datetimes. Times are
        datetimes or ISO 8601 strings; without an offset they are UTC. An integer that stands for a time is only taken for
        a feature, as seconds since 1970. `within` are the seconds that Redis may take.

        Raises InvalidRequest for what can't be kept (an integer of more than 64 bits), StoreUnavailable when Redis hasn't
        confirmed: it may have kept the batch all the same, and a retry makes rows that point-in-time joins see once.
        """
        rows = len(next(iter(columns.values()), ()))
        entry = Entry(b"*", push_source, rows, request_id, _encode(columns))
        command = encode_command(b"XADD", self._keys.stream, b"*", *entry.fields())
        (reply,) = await self._store.send([command], within)
        if isinstance(reply, hiredis.ReplyError):
            raise StoreUnavailable(f"Redis refused to keep an offline push: {reply}")
        self._metrics.count("offline_rows_queued", push_source, amount=rows)
        entry_id: bytes = reply
        return entry_id.decode()


def _encode(columns: Mapping[str, Sequence[Any]]) -> bytes:
    try:
        return encode_columns(columns)
    except (OverflowError, UnicodeEncodeError, TypeError):
        for name, column in columns.items():
            for row, value in enumerate(column):
                try:
                    encode_columns({name: [value]})
                except (OverflowError, UnicodeEncodeError, TypeError) as error:
                    raise InvalidRequest.because(f"{name} can't be kept for the offline store: {error}.", name, row) from error
        raise
