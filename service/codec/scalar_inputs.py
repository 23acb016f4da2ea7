"""What clients may send for each Feast scalar, and the one Python value that it then is.

Values are what a JSON parser gives, and what Arrow's `to_pylist()` gives beside that: bytes, datetimes, Decimals, UUIDs.
Each function takes one value and raises Unencodable when it isn't of the type; nothing is coerced. Feast itself would
store 3.7 as 3, true as 1, any list as null, an unreadable time as 1970.
"""

import binascii
import json
import math
import re
from base64 import b64decode
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from service.codec.moments import to_seconds
from service.codec.refusals import Unencodable, describe, is_nan

# Up to here every integer is a double of its own, so that a float stands for one integer only.
_EXACT_FLOATS = 2**53
# Names of numbers that JSON lacks, as answers have them.
_NAMED_FLOATS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_UUID = re.compile(r"[0-9a-f]{8}(-?)[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_DECIMAL = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:E[+-]?\d+)?|Inf(?:inity)?|NaN)", re.IGNORECASE | re.ASCII)
# Python reads no longer integers from a text; orjson, which does, isn't asked about longer texts.
_LONGEST_INTEGER = 4300


def to_integer(value: Any) -> int:
    """An integer; or a float that is one, up to 2**53, since pandas makes floats of integers beside which a null stands."""
    if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT_FLOATS:
        return int(value)
    return to_listed_integer(value)


def to_listed_integer(value: Any) -> int:
    """An integer of a list: pandas leaves these alone, and Feast refuses floats among them."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise Unencodable(describe(value))


def to_float(value: Any) -> float:
    """As `to_listed_float`, but for NaN, which Feast stores as null where it stands alone."""
    number = to_listed_float(value)
    if math.isnan(number):
        raise Unencodable(describe(number))
    return number


def to_listed_float(value: Any) -> float:
    """A float, an integer or decimal that a double holds exactly, or "NaN", "Infinity", "-Infinity" as answers have them."""
    if isinstance(value, float):
        return value
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return _exact_float(value)
    if isinstance(value, str) and value in _NAMED_FLOATS:
        return _NAMED_FLOATS[value]
    raise Unencodable(describe(value))


def _exact_float(value: int | Decimal) -> float:
    """A decimal counts as held when the shortest text of its double is that decimal again."""
    if is_nan(value):
        return math.nan
    try:
        number = float(value)
        if number == value or (isinstance(value, Decimal) and Decimal(repr(number)) == value):
            return number
    except OverflowError:
        pass  # larger than any double: refused below
    raise Unencodable(f"{describe(value)}, which a 64-bit float can't hold exactly")


def to_bool(value: Any) -> bool:
    """True or false, not 1 or 0."""
    if isinstance(value, bool):
        return value
    raise Unencodable(describe(value))


def to_text(value: Any) -> str:
    """A string."""
    if isinstance(value, str):
        return value
    raise Unencodable(describe(value))


def to_bytes(value: Any) -> bytes:
    """Bytes, or their base64 with its padding, as answers have it."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        try:
            return b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            pass  # not base64, or not even ASCII: refused below
    raise Unencodable(describe(value))


def to_epoch_seconds(value: Any) -> int:
    """Seconds since 1970 as an integer (see `to_integer`), or a time without a fraction of a second."""
    if isinstance(value, int | float):
        return to_integer(value)
    return to_seconds(value)


def to_listed_epoch_seconds(value: Any) -> int:
    """As `to_epoch_seconds`, without floats."""
    return to_listed_integer(value) if isinstance(value, int | float) else to_seconds(value)


def to_uuid(value: Any) -> str:
    """A UUID's text, as it was written: Feast keeps that."""
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, str) and _UUID.fullmatch(value):
        return value
    raise Unencodable(describe(value))


def to_decimal(value: Any) -> str:
    """As `to_listed_decimal`, but for NaN, which means null where it stands alone."""
    text = to_listed_decimal(value)
    if text[-1] in "nN":
        raise Unencodable(describe(math.nan))
    return text


def to_listed_decimal(value: Any) -> str:
    """A decimal's text, as it was written: Feast keeps that. JSON's own numbers would lose digits on their way here."""
    text = str(value) if isinstance(value, Decimal) else value
    if isinstance(text, str) and _DECIMAL.fullmatch(text):
        try:
            Decimal(text)
        except InvalidOperation:
            raise Unencodable(f"{describe(value)}, whose exponent is too large") from None
        return text
    raise Unencodable(describe(value))


def to_json_text(value: Any) -> str:
    """JSON: a string is taken as JSON text, all else is written as Feast does. NaN alone means null, and is refused."""
    if value is None or is_nan(value):
        raise Unencodable(describe(value))
    return to_listed_json_text(value)


def to_listed_json_text(value: Any) -> str:
    """As `to_json_text`, with null and NaN: these are values among others in a list."""
    try:
        if not isinstance(value, str):
            return json.dumps(value)
        if not (len(value) <= _LONGEST_INTEGER and _is_strict_json(value)):
            json.loads(value)  # takes NaN and Infinity, too, as Feast does
    except TypeError:
        raise Unencodable(f"{describe(value)} with something that JSON can't express") from None
    except (ValueError, RecursionError):
        raise Unencodable(describe(value)) from None
    return value


def _is_strict_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


class Accepted(NamedTuple):
    """What stands for a scalar: in words, as `read` takes it alone, and as `read_listed` takes it in a list or set.

    Columns and lists of nothing but `kinds` need no reading.
    """

    wanted: str
    kinds: frozenset[type]
    read: Callable[[Any], Any]
    read_listed: Callable[[Any], Any]


_BYTES = Accepted("a string of base64", frozenset({bytes}), to_bytes, to_bytes)
_UUIDS = Accepted("a UUID", frozenset(), to_uuid, to_uuid)
_INTEGERS, _FLOATS = frozenset({int}), frozenset({float})
# By the names in feast.value_type.ValueType.
ACCEPTED = {
    "INT32": Accepted("an integer that fits 32 bits", _INTEGERS, to_integer, to_listed_integer),
    "INT64": Accepted("an integer that fits 64 bits", _INTEGERS, to_integer, to_listed_integer),
    "FLOAT": Accepted("a number that fits a 32-bit float", _FLOATS, to_float, to_listed_float),
    "DOUBLE": Accepted("a number that fits a 64-bit float", _FLOATS, to_float, to_listed_float),
    "BOOL": Accepted("true or false", frozenset({bool}), to_bool, to_bool),
    "STRING": Accepted("a string", frozenset({str}), to_text, to_text),
    "BYTES": _BYTES,
    "PDF_BYTES": _BYTES,
    "IMAGE_BYTES": _BYTES,
    "UNIX_TIMESTAMP": Accepted(
        "a time in whole seconds, as seconds since 1970 or an ISO 8601 string",
        _INTEGERS,
        to_epoch_seconds,
        to_listed_epoch_seconds,
    ),
    "UUID": _UUIDS,
    "TIME_UUID": _UUIDS,
    "DECIMAL": Accepted("a decimal number as a string", frozenset(), to_decimal, to_listed_decimal),
    "JSON": Accepted("a JSON value, or JSON text as a string", frozenset(), to_json_text, to_listed_json_text),
}
