"""Feast's protobuf Value, for the types that have no fast reader: collections, maps, structs, zoned timestamps.

The generated module is loaded from the installed Feast by its path: importing it by name would run the whole
Feast package (seconds, and 130 MB), which the serving process keeps out.
"""

import functools
import importlib.util
import re
import sys
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from google.protobuf.message import DecodeError

from service.errors import ConfigurationError

# feast/type_map.py, NULL_TIMESTAMP_INT_VALUE: what Feast stores for NaT inside a message.
NULL_TIMESTAMP = -(2**63)

_VALUE_MODULE = "feast.protos.feast.types.Value_pb2"


@functools.cache
def value_module() -> ModuleType:
    """Feast's Value_pb2, without importing Feast."""
    if _VALUE_MODULE in sys.modules:
        return sys.modules[_VALUE_MODULE]
    package = importlib.util.find_spec("feast")
    if package is None or not package.submodule_search_locations:
        raise ConfigurationError("Feast isn't installed; its protobuf definitions are needed to read values.")
    path = Path(package.submodule_search_locations[0], *_VALUE_MODULE.split(".")[1:]).with_suffix(".py")
    spec = importlib.util.spec_from_file_location("service_feast_value_pb2", path)
    if spec is None or spec.loader is None:
        raise ConfigurationError(f"Feast's protobuf definitions can't be loaded from {path}.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def parse_value(raw: bytes) -> Any:
    """A serialized Value as what its JSON answer holds, None for null. Floats stay floats, NaN included.

    Raises ValueError when it isn't a Value.

    Bytes become base64, timestamps seconds since the epoch, sets and lists lists, maps and structs objects.
    """
    try:
        value = value_module().Value.FromString(raw)
    except DecodeError as error:
        raise ValueError(str(error)) from error
    return _native(value)


def _native(value: Any) -> Any:
    which = value.WhichOneof("val")
    if which is None:
        return None
    convert = _CONVERSIONS.get(which)
    if convert is not None:
        return convert(getattr(value, which))
    content = getattr(value, which)
    return list(content.val) if which.endswith(("_list_val", "_set_val")) else content


def _base64(data: bytes) -> str:
    return b64encode(data).decode("ascii")


def _base64s(collection: Any) -> list[str]:
    return [_base64(item) for item in collection.val]


def _values(repeated: Any) -> list[Any]:
    return [_native(item) for item in repeated.val]


def _object(message: Any) -> dict[str, Any]:
    return {name: _native(item) for name, item in message.val.items()}


def _objects(messages: Any) -> list[dict[str, Any]]:
    return [_object(message) for message in messages.val]


def _scalar_map(message: Any) -> dict[str, Any]:
    """A map whose keys aren't strings: JSON wants strings, so a key is written as its value would be.

    Stock answers null here ("not yet supported").
    """
    return {_key_text(entry.key): _native(entry.value) for entry in message.val}


def _key_text(key: Any) -> str:
    which = key.WhichOneof("key")
    content = getattr(key, which) if which else None
    if isinstance(content, bytes):
        return _base64(content)
    if isinstance(content, bool):
        return "true" if content else "false"
    return "null" if content is None else str(content)


def _zoned(message: Any) -> str | int | None:
    """ISO 8601 in the stored zone; the seconds themselves where they lie outside the years 1 to 9999."""
    if message.unix_timestamp == NULL_TIMESTAMP:
        return None
    try:
        return datetime.fromtimestamp(message.unix_timestamp, tz=_zone(message.zone)).isoformat()
    except (ValueError, OverflowError, OSError):
        return int(message.unix_timestamp)


@functools.lru_cache(maxsize=1024)
def _zone(name: str) -> tzinfo:
    """An IANA name, `UTC` or an offset such as `UTC-07:00`; empty means UTC."""
    if name in ("", "UTC", "GMT"):
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        match = re.fullmatch(r"(?:UTC|GMT)?([+-])(\d{2}):?(\d{2})", name.strip())
    if match is None:
        return UTC
    offset = timedelta(hours=int(match[2]), minutes=int(match[3]))
    return timezone(-offset if match[1] == "-" else offset)


_CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "null_val": lambda _: None,
    "bytes_val": _base64,
    "bytes_list_val": _base64s,
    "bytes_set_val": _base64s,
    "list_val": _values,
    "set_val": _values,
    "map_val": _object,
    "struct_val": _object,
    "map_list_val": _objects,
    "struct_list_val": _objects,
    "scalar_map_val": _scalar_map,
    "zoned_timestamp_val": _zoned,
}
