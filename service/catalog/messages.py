"""What the definitions process and the workers say to each other over their Unix socket: length-prefixed msgpack."""

import asyncio
import struct

import msgspec

# A registry of 1,000 views of 50 features is about 3 MB; this bound only catches a stream gone astray.
LONGEST_MESSAGE_BYTES = 1 << 30
_length = struct.Struct("<I")


class Snapshot(msgspec.Struct, tag=True, frozen=True):
    """New definitions (an encoded CatalogDefinition) and their listing, read at `checked_at` (Unix seconds)."""

    checked_at: float
    body: bytes
    listing: bytes

    def to_bytes(self) -> bytes:
        """For keeping it in a file."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def parse(cls, data: bytes) -> "Snapshot":
        """What `to_bytes` gave."""
        return msgspec.msgpack.decode(data, type=cls)


class Unchanged(msgspec.Struct, tag=True, frozen=True):
    """The registry was read at `checked_at` and defines what it defined before."""

    checked_at: float


class Failed(msgspec.Struct, tag=True, frozen=True):
    """The registry could not be read; what was read before stays in force."""

    reason: str


class Refresh(msgspec.Struct, tag=True, frozen=True):
    """A worker asks for the registry to be read now."""

    number: int


class Refreshed(msgspec.Struct, tag=True, frozen=True):
    """The answer to a Refresh, sent behind the Snapshot or Unchanged that it led to; `reason` is set if it failed."""

    number: int
    reason: str | None = None


Message = Snapshot | Unchanged | Failed | Refresh | Refreshed
_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


def frame(message: Message) -> bytes:
    """A message as it goes over the socket."""
    body = msgspec.msgpack.encode(message)
    return _length.pack(len(body)) + body


async def receive(reader: asyncio.StreamReader) -> Message:
    """The next message; raises asyncio.IncompleteReadError at the end of the stream."""
    (length,) = _length.unpack(await reader.readexactly(_length.size))
    if length > LONGEST_MESSAGE_BYTES:
        raise ConnectionError(f"A message of {length} bytes can't be meant.")
    return _decoder.decode(await reader.readexactly(length))
