"""What became of materializations, as Redis keeps it for all workers and replicas. Knows no Feast, starts nothing.

Keys begin with `feature-service:`; Feast's begin with the number of a row's join keys, four bytes, so they never meet. Whether
a materialization runs is said by the lease alone: a status that says "running" without it is of a process that died.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import hiredis
import msgspec

from service.errors import StoreUnavailable
from service.store import RedisStore
from service.store.command import encode_command

State = Literal["running", "done", "failed", "interrupted"]
# How long a status is kept after it was last written, and how many are listed.
KEPT_SECONDS = 7 * 24 * 3600
LISTED = 20
DIED = "The process that ran it, or its whole pod, ended in the middle. What it had written stays; materialize again."


@dataclass(frozen=True, slots=True)
class Keys:
    """The Redis keys of one project."""

    lease: bytes
    # Before an id: that materialization's status, as JSON.
    status: bytes
    # The newest ids, the newest first.
    ids: bytes
    # The id of the materialization that is to end, because another one is to take its place.
    override: bytes
    # Each view with the Unix time at which it was last materialized to its end.
    times: bytes

    @classmethod
    def of(cls, project: str) -> "Keys":
        """Of a project, by its name."""
        base = f"feature-service:{project}:materialization"
        return cls(*(f"{base}{suffix}".encode() for suffix in ("-lease", ":", "-ids", "-override", "-times")))


class ViewStatus(msgspec.Struct):
    """How far a view is. `rows` are those that were written, of `of`; None where Feast doesn't tell."""

    view: str
    state: Literal["waiting", "running", "done", "skipped"] = "waiting"
    start: datetime | None = None
    end: datetime | None = None
    rows: int | None = None
    of: int | None = None
    seconds: float | None = None
    # Unix time.
    done_at: float | None = None


class Failure(msgspec.Struct):
    """Why it isn't done: a kind of service.materialization.job, or "interrupted"; the view that was being written."""

    kind: str
    message: str
    view: str | None = None


class Status(msgspec.Struct, kw_only=True):
    """One materialization, from its acceptance on. `start` is None where each view has one of its own (incremental)."""

    id: str
    state: State = "running"
    incremental: bool
    start: datetime | None
    end: datetime
    feature_views: list[str]
    full_feature_names: bool = False
    disable_event_timestamp: bool = False
    version: str | None = None
    rows: int = 0
    # Unix times.
    started_at: float
    told_at: float
    ended_at: float | None = None
    views: list[ViewStatus] = []
    error: Failure | None = None

    @property
    def seconds(self) -> float:
        """How long it ran, or has been running; of one that died, up to its last sign of life."""
        until = self.ended_at or (time.time() if self.state == "running" else self.told_at)
        return max(0.0, until - self.started_at)

    @property
    def current(self) -> str | None:
        """The view that is being written."""
        return next((view.view for view in self.views if view.state == "running"), None)

    def apply(self, event: Mapping[str, Any]) -> ViewStatus | None:
        """Take what the child tells; gives the view that it has done with."""
        if event["event"] == "started":
            self.views = [
                ViewStatus(each["view"], start=_time(each["start"]), end=_time(each["end"])) for each in event["views"]
            ]
            self.feature_views = [view.view for view in self.views]
            return None
        view = self._view(event["view"])
        if event["event"] == "view_started":
            view.state = "running"
        elif event["event"] == "progress":
            view.state, view.rows, view.of = "running", event["rows"], event["of"]
        else:
            view.state = "skipped" if event["skipped"] else "done"
            view.start, view.end = _time(event["start"]), _time(event["end"])
            view.rows, view.seconds = event["rows"], event["seconds"]
            view.done_at = None if event["skipped"] else time.time()
        self.rows = sum(each.rows or 0 for each in self.views)
        return view if event["event"] == "view_done" else None

    def finish(self, failure: Failure | None) -> None:
        """It has ended, well if there is no failure."""
        self.ended_at = time.time()
        self.error = failure
        self.state = "done" if failure is None else "interrupted" if failure.kind == "interrupted" else "failed"

    def _view(self, name: str) -> ViewStatus:
        found = next((view for view in self.views if view.view == name), None)
        if found is None:
            found = ViewStatus(name)
            self.views.append(found)
        return found


class Statuses:
    """What Redis has of a project's. Every method raises StoreUnavailable."""

    def __init__(self, store: RedisStore, keys: Keys) -> None:
        self._store = store
        self._keys = keys

    async def begin(self, status: Status) -> None:
        """Put a new one before all others."""
        status.told_at = time.time()
        ids = self._keys.ids
        await self._send(
            self._set(status),
            encode_command(b"LPUSH", ids, status.id.encode()),
            encode_command(b"LTRIM", ids, b"0", b"%d" % (LISTED - 1)),
            encode_command(b"EXPIRE", ids, b"%d" % KEPT_SECONDS),
        )

    async def put(self, status: Status) -> bool:
        """Keep it as it is now; whether it is to end, because another is to take its place."""
        status.told_at = time.time()
        times = [text for view in status.views if view.done_at for text in (view.view.encode(), b"%f" % view.done_at)]
        marks = [encode_command(b"HSET", self._keys.times, *times)] if times else []
        *_, override = await self._send(self._set(status), *marks, encode_command(b"GET", self._keys.override))
        return bool(override == status.id.encode())

    async def override(self, holder: str, seconds: float) -> None:
        """Ask the one that runs to end; it is asked for so many seconds."""
        await self._send(encode_command(b"SET", self._keys.override, holder.encode(), b"PX", b"%d" % round(seconds * 1000)))

    async def holder(self) -> str | None:
        """The id of the one that runs."""
        (token,) = await self._send(encode_command(b"GET", self._keys.lease))
        return token and str(token, "ascii")

    async def get(self, name: str) -> Status | None:
        """One by its id; None where there is none, or not any more."""
        return (await self._read([name]))[0]

    async def listed(self) -> list[Status]:
        """The newest, the newest first."""
        (ids,) = await self._send(encode_command(b"LRANGE", self._keys.ids, b"0", b"-1"))
        return [status for status in await self._read([each.decode() for each in ids]) if status is not None]

    async def times(self) -> dict[str, float]:
        """When each view was last materialized, in Unix time."""
        (found,) = await self._send(encode_command(b"HGETALL", self._keys.times))
        return {view.decode(): float(moment) for view, moment in zip(found[::2], found[1::2], strict=True)}

    async def _read(self, ids: Sequence[str]) -> list[Status | None]:
        # One command, so that lease and statuses are of one moment.
        keys = [self._keys.status + name.encode() for name in ids]
        ((token, *found),) = await self._send(encode_command(b"MGET", self._keys.lease, *keys))
        return [None if each is None else _settled(_decoder.decode(each), token) for each in found]

    def _set(self, status: Status) -> bytes:
        key = self._keys.status + status.id.encode()
        return encode_command(b"SET", key, _encoder.encode(status), b"EX", b"%d" % KEPT_SECONDS)

    async def _send(self, *commands: bytes) -> list[Any]:
        replies = await self._store.send(commands)
        for reply in replies:
            if isinstance(reply, hiredis.ReplyError):
                raise StoreUnavailable(f"Redis refuses what is kept of materializations: {reply}")
        return list(replies)


def _settled(status: Status, token: bytes | None) -> Status:
    if status.state == "running" and token != status.id.encode():
        status.state, status.error = "interrupted", Failure("interrupted", DIED, status.current)
    return status


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Status)
