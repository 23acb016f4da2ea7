"""What a worker and its GX processes say to each other: length-prefixed, requests as pickles, answers as JSON.

Rows have to arrive as they are: NaN and infinities, which msgspec's and orjson's JSON turn into null, and integers beyond 64
bits, which msgpack refuses and other JSON decoders round. Python's own json carries them, but holds the worker's event loop
for 27 ms to encode 10,000 rows of 10 columns, where pickling takes 1.2 ms. Both ends run the same code on one machine, and
no class but a few of values is allowed in what is unpickled, so all that it can build is values.

Answers come from the other side of a library, and are small: they are JSON, with NaN and infinities as Python writes them.
"""

import io
import json
import pickle
import struct
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

LENGTH = struct.Struct("<I")
# A body is a few megabytes at most; this bound only catches a stream gone astray.
LONGEST_MESSAGE_BYTES = 1 << 30
# What a request may hold beside that which pickle knows by itself.
VALUE_CLASSES: dict[tuple[str, str], type] = {
    (value.__module__, value.__name__): value for value in (date, datetime, time, timedelta, timezone, Decimal, UUID)
}


class Refused(Exception):
    """A request that GX can't answer as it stands; `field` says which part of it is meant."""

    def __init__(self, reason: str, field: str) -> None:
        super().__init__(reason)
        self.field = field


def frame_request(kind: str, **arguments: Any) -> bytes:
    """A request as it goes over the socket; `arguments` are plain values: dicts, lists, strings, numbers, times, None."""
    return _frame(pickle.dumps((kind, arguments), protocol=5))


def parse_request(body: bytes) -> tuple[str, dict[str, Any]]:
    """What `frame_request` was given; raises pickle.UnpicklingError if it holds anything but values."""
    kind, arguments = _PlainUnpickler(io.BytesIO(body)).load()
    return kind, arguments


def frame_answer(answer: dict[str, Any]) -> bytes:
    """An answer as it goes over the socket. Of what JSON doesn't know, numpy's scalars become Python's, other things text."""
    return _frame(json.dumps(answer, default=_plain).encode())


def parse_answer(body: bytes) -> dict[str, Any]:
    """What `frame_answer` was given."""
    answer: dict[str, Any] = json.loads(body)
    return answer


def receive(stream: io.BufferedIOBase) -> bytes | None:
    """The next message's body, waiting for it; None at the end of the stream."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    length = checked_length(head)
    body = stream.read(length)
    return body if len(body) == length else None


def checked_length(head: bytes) -> int:
    """The length that a message's head gives; raises ConnectionError where it can't be meant."""
    (length,) = LENGTH.unpack(head)
    if length > LONGEST_MESSAGE_BYTES:
        raise ConnectionError(f"A message of {length} bytes can't be meant.")
    return int(length)


def described(error: Exception) -> str:
    """An exception in one line; of pydantic's, each field with what is wrong with it."""
    details = getattr(error, "errors", None)
    if not callable(details):
        first_line, _, _ = str(error).partition("\n")
        return f"{type(error).__name__}: {first_line}".rstrip(".")
    wrong: dict[str, str] = {}
    for detail in details():
        # Most fields may be a $PARAMETER instead, which pydantic then misses, too; what it missed first is what was meant.
        wrong.setdefault(".".join(map(str, detail["loc"])), detail["msg"])
    return ", ".join(f"{field}: {message}" for field, message in wrong.items()).rstrip(".")


def _plain(value: Any) -> Any:
    # GX leaves some in its results, even in `success`: a numpy.bool that became text would always be true.
    return value.item() if hasattr(value, "item") else str(value)


def _frame(body: bytes) -> bytes:
    return LENGTH.pack(len(body)) + body


class _PlainUnpickler(pickle.Unpickler):
    """Builds plain values only: a pickle that names any other class or function is refused."""

    def find_class(self, module: str, name: str) -> Any:
        """Called for whatever pickle doesn't know by itself."""
        try:
            return VALUE_CLASSES[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} isn't a plain value.") from None
