"""Decoded values as Python has them, where that isn't what JSON has: bytes instead of base64, datetimes instead of seconds."""

from base64 import b64decode
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from service.codec.messages import NULL_TIMESTAMP

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BYTES = ("BYTES", "PDF_BYTES", "IMAGE_BYTES")
_COLLECTIONS = ("_LIST", "_SET")

# What is raised for values that aren't of their type, or times beyond the year 9999.
NOT_NATIVE = (OverflowError, TypeError, ValueError)
# What a column of values is turned by.
Native = Callable[[Sequence[Any]], Sequence[Any]]


def native_for(value_type: str) -> Native:
    """What makes Python's values of what a codec of that Feast type decodes; raises one of NOT_NATIVE."""
    item_type, is_collection = value_type, False
    for suffix in _COLLECTIONS:
        if value_type.endswith(suffix):
            item_type, is_collection = value_type.removesuffix(suffix), True
    convert: Callable[[Any], Any]
    if item_type in _BYTES:
        convert = b64decode
    elif item_type == "UNIX_TIMESTAMP":
        convert = to_datetime
    else:
        return _as_it_is
    if is_collection:
        return lambda column: [None if items is None else [_item(convert, item) for item in items] for items in column]
    return lambda column: [_item(convert, value) for value in column]


def _as_it_is(column: Sequence[Any]) -> Sequence[Any]:
    return column


def to_datetime(seconds: int) -> datetime | None:
    """A time in UTC, None for what Feast stores in a list for NaT; raises OverflowError outside the years 1 to 9999."""
    if seconds == NULL_TIMESTAMP:
        return None
    return _EPOCH + timedelta(seconds=seconds)


def _item(convert: Callable[[Any], Any], value: Any) -> Any:
    return None if value is None else convert(value)
