"""An offline push as it lies in the stream, and the names of what belongs to it in Redis."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(dict[str, list[Any]])


@dataclass(frozen=True, slots=True)
class Keys:
    """The Redis keys of one project."""

    stream: bytes
    dead: bytes
    lease: bytes
    # A random name that is kept beside the stream: ids of another Redis's stream mustn't be taken for ids of this one.
    identity: bytes

    @classmethod
    def of(cls, project: str) -> "Keys":
        """Of a project, by its name."""
        stream = f"feature-service:{project}:offline"
        return cls(*(f"{stream}{suffix}".encode() for suffix in ("", "-dead", "-lease", "-identity")))


@dataclass(slots=True)
class Entry:
    """One push. `id` is the stream's; `columns` are as `encode_columns` wrote them, read only when they are written.

    `attempts` counts refusals by the offline store, for `reason` the last time; `alone` says that its own rows are to blame for
    them. `written` names the destinations that have its rows already.
    """

    id: bytes
    source: str
    rows: int
    request_id: str
    columns: bytes
    attempts: int = 0
    alone: bool = False
    reason: str = ""
    written: set[str] = field(default_factory=set)

    @property
    def milliseconds(self) -> int:
        """When Redis took it, since 1970."""
        return int(self.id.partition(b"-")[0])

    @property
    def order(self) -> tuple[int, int]:
        """The id as it is compared."""
        return id_order(self.id)

    def fields(self) -> list[bytes]:
        """The stream entry's fields and values, alternating."""
        return [
            b"source", self.source.encode(), b"rows", b"%d" % self.rows, b"request", self.request_id.encode(),
            b"columns", self.columns,
        ]  # fmt: skip

    @classmethod
    def parse(cls, entry_id: bytes, fields: Sequence[bytes]) -> "Entry":
        """From Redis's reply. What isn't an entry of ours is read as a push to no source, and refused when it is written."""
        found = dict(zip(fields[::2], fields[1::2], strict=False))
        source, request_id = (found.get(name, b"").decode(errors="replace") for name in (b"source", b"request"))
        rows = found.get(b"rows", b"")
        return cls(entry_id, source, int(rows) if rows.isdigit() else 0, request_id, found.get(b"columns", b""))


def id_order(entry_id: bytes) -> tuple[int, int]:
    """A stream id, `milliseconds-number`, as it is compared."""
    milliseconds, _, number = entry_id.partition(b"-")
    return int(milliseconds), int(number)


def encode_columns(columns: Mapping[str, Sequence[Any]]) -> bytes:
    """Columns of JSON values as msgpack, which keeps NaN, infinities, bytes and datetimes apart from text and null.

    Raises OverflowError, UnicodeEncodeError or TypeError for what msgpack can't hold.
    """
    return _encoder.encode(columns)


def decode_columns(data: bytes) -> dict[str, list[Any]]:
    """What `encode_columns` wrote; datetimes with an offset come back in UTC. Raises ValueError."""
    return _decoder.decode(data)
