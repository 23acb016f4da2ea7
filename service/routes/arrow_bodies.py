"""Rows as an Arrow IPC stream, for producers of thousands of them."""

import base64
import contextlib
import re
import struct
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from service.errors import InvalidRequest, MalformedRequest, Problem, RequestTooLarge
from service.keys import shorten

ARROW = "application/vnd.apache.arrow.stream"
# How a stream of Arrow's begins (its format's "Encapsulated message format"): such a body is never JSON.
ARROW_START = b"\xff\xff\xff\xff"
# What Arrow has for a zone, where it isn't the name of one.
_OFFSET = re.compile(r"(?P<sign>[+-])(?P<hours>\d\d):(?P<minutes>\d\d)")
# Kinds of messages that hold buffers, by pyarrow's names; and numbers of fields in Message.fbs.
_BATCHES = ("record batch", "dictionary")
_MESSAGE_HEADER, _DICTIONARY_DATA, _BATCH_COMPRESSION = 2, 1, 3
# Values, and bytes of texts, that a stream may unfold to: a few bytes of nulls, or of references to one long text, may stand
# for a billion. A JSON body of the size that is allowed by default has room for two million values.
MOST_UNFOLDED = 16 * 1024 * 1024


def read_arrow(data: bytes, check_rows: Callable[[int], None]) -> tuple[Mapping[str, Sequence[Any]], int]:
    """The columns of an Arrow IPC stream as Python values, bytes as base64 as in JSON.

    Raises MalformedRequest, InvalidRequest naming the column and the row of what Python can't hold, and what `check_rows`
    raises for the number of rows. pyarrow is loaded when it is first needed (0.2 s, 40 MB), so this belongs into a thread.
    """
    import pyarrow as pa

    try:
        _refuse_compression(data)
        table = pa.ipc.open_stream(data).read_all()
        check_rows(table.num_rows)  # before anything looks at them: a few bytes may stand for a billion nulls
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, struct.error) as error:
        raise MalformedRequest.because(f"The body isn't an Arrow stream: {str(error).splitlines()[0]}") from error
    repeated = [name for name, times in Counter(table.column_names).items() if times > 1]
    if repeated:
        raise InvalidRequest(Problem(f"Column {shorten(name)} is there twice.", shorten(name)) for name in repeated)
    columns = list(zip(table.column_names, table.columns, strict=True))
    if sum(_unfolded(name, chunk) for name, column in columns for chunk in column.chunks) > MOST_UNFOLDED:
        raise RequestTooLarge.because(f"The Arrow stream unfolds to more than {MOST_UNFOLDED} values and bytes of text.")
    return {name: _as_json(_as_python(name, column)) for name, column in columns}, table.num_rows


def _refuse_compression(data: bytes) -> None:
    """Raise InvalidRequest for compressed buffers: what they unfold to is only known when it fills the memory."""
    import pyarrow as pa

    for message in pa.ipc.MessageReader.open_stream(data):
        if message.type in _BATCHES and _is_compressed(bytes(message.metadata), message.type):
            raise InvalidRequest.because("The Arrow stream is compressed, which isn't taken here: write it uncompressed.")


def _is_compressed(metadata: bytes, kind: str) -> bool:
    """Whether the field `compression` of a message's RecordBatch is set (Apache Arrow, format/Message.fbs)."""
    message = _table(metadata, 0)
    header = _field(metadata, message, _MESSAGE_HEADER)
    batch = _table(metadata, header)
    if kind == "dictionary":
        batch = _table(metadata, _field(metadata, batch, _DICTIONARY_DATA))
    return bool(_field(metadata, batch, _BATCH_COMPRESSION))


def _table(data: bytes, place: int) -> int:
    """Where the table is that an offset at `place` points to (https://flatbuffers.dev/internals)."""
    return place + int(struct.unpack_from("<I", data, place)[0])


def _field(data: bytes, table: int, number: int) -> int:
    """Where a table's field is; 0 if it isn't set."""
    vtable = table - int(struct.unpack_from("<i", data, table)[0])
    (size,) = struct.unpack_from("<H", data, vtable)
    place = 4 + 2 * number
    offset = int(struct.unpack_from("<H", data, vtable + place)[0]) if place < size else 0
    return table + offset if offset else 0


def _unfolded(name: str, array: Any) -> int:
    """How many values, and bytes of texts, an array becomes in Python; raises InvalidRequest for kinds that don't tell."""
    import pyarrow as pa
    import pyarrow.compute as pc

    types, kind = pa.types, array.type
    if isinstance(kind, pa.BaseExtensionType):
        return _unfolded(name, array.storage)
    if types.is_primitive(kind) or types.is_null(kind) or types.is_decimal(kind) or types.is_fixed_size_binary(kind):
        return len(array)
    if types.is_string(kind) or types.is_binary(kind) or types.is_large_string(kind) or types.is_large_binary(kind):
        return len(array) + (pc.sum(pc.binary_length(array)).as_py() or 0)
    if types.is_string_view(kind) or types.is_binary_view(kind):
        # A view is 16 bytes, of which the first four are its length.
        lengths = memoryview(array.buffers()[1]).cast("B").cast("i")[4 * array.offset :: 4]
        return len(array) + sum(lengths[: len(array)])
    if types.is_dictionary(kind) and (types.is_string(kind.value_type) or types.is_large_string(kind.value_type)):
        return len(array) + (pc.sum(pc.binary_length(array.dictionary).take(array.indices)).as_py() or 0)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return len(array) + _unfolded(name, array.flatten())
    if types.is_map(kind):
        return len(array) + _unfolded(name, array.keys) + _unfolded(name, array.items)
    if types.is_struct(kind):
        return len(array) + sum(_unfolded(name, field) for field in array.flatten())
    raise InvalidRequest.because(f"{shorten(name)} is a column of Arrow's type {kind}, which isn't taken here.", shorten(name))


def _as_python(name: str, column: Any) -> list[Any]:
    import pyarrow as pa

    unreadable = (pa.ArrowException, ValueError, KeyError, OverflowError)
    try:
        if pa.types.is_timestamp(column.type):
            with contextlib.suppress(pa.ArrowInvalid):  # there are nanoseconds, which only pandas has a type for
                return _moments(column.cast(pa.timestamp("us")), column.type.tz)
        values: list[Any] = column.to_pylist(maps_as_pydicts="strict")
    except unreadable:
        for row, scalar in enumerate(column):
            try:
                scalar.as_py(maps_as_pydicts="strict")
            except unreadable as error:
                raise InvalidRequest.because(f"{shorten(name)} can't be read: {error}.", shorten(name), row) from error
        raise
    return values


def _moments(column: Any, zone: str | None) -> list[datetime | None]:
    """Datetimes of microseconds in UTC. pyarrow itself would load pandas for a zone: a second in which nobody is served."""
    moments: list[datetime | None] = column.to_pylist()
    if zone is None:
        return moments
    offset = _OFFSET.fullmatch(zone)
    if offset is None:
        there: tzinfo = ZoneInfo(zone)
    else:
        minutes = int(offset["hours"]) * 60 + int(offset["minutes"])
        there = timezone(timedelta(minutes=-minutes if offset["sign"] == "-" else minutes))
    return [None if moment is None else moment.replace(tzinfo=UTC).astimezone(there) for moment in moments]


def _as_json(column: list[Any]) -> list[Any]:
    if bytes in set(map(type, column)):
        return [base64.b64encode(value).decode() if type(value) is bytes else value for value in column]
    return column
