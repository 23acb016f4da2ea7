"""Columns of decoded values as Arrow arrays, buffer by buffer. This module imports pyarrow (0.2 s, 40 MB).

`pa.array` would do, but its first call loads pandas where that is installed: as much again, for nothing.
"""

import struct
from base64 import b64decode
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from service.codec.arrow_types import arrow_type
from service.codec.messages import NULL_TIMESTAMP
from service.codec.values import jsonable

_MICROSECONDS = 1_000_000
# What seconds a timestamp of microseconds in 64 bits has room for.
_LAST_SECOND = (2**63 - 1) // _MICROSECONDS
# Arrow's offsets into texts and lists have 32 bits.
MOST_BYTES = 2**31 - 1

Flags: TypeAlias = npt.NDArray[np.bool_]
# From the values of a column, None where `valid` (None for all) says so, to its array. The types are those that occur, none
# where that is known to be the right one.
_Build = Callable[[Sequence[Any], Flags | None, set[type]], Any]


class Unfit(Exception):
    """A value that the column's Arrow type doesn't hold as it is: after a change of the schema, say."""


def array_of(value_type: str, values: Sequence[Any], is_uniform: bool = False, is_complete: bool = False) -> Any:
    """The array of a column of decoded values (service.codec.values) of a Feast type, null for None; raises Unfit. Hot.

    Numbers may be packed in the type's own format (service.codec.packed_numbers). `is_uniform`: all values are known to be
    of the type; `is_complete`: none is None. What is known needn't be looked for.
    """
    is_packed = isinstance(values, memoryview)
    kinds: set[type] = set() if is_uniform or is_packed else set(map(type, values))
    kinds.discard(type(None))
    valid = None
    if not is_complete and not is_packed and None in values:
        valid = np.array([value is not None for value in values], np.bool_)
    return _builder(value_type)(values, valid, kinds)


def fits(value_type: str, value: Any) -> bool:
    """Whether an array of that type has room for it."""
    try:
        array_of(value_type, [value])
    except Unfit:
        return False
    return True


def _builder(value_type: str) -> _Build:
    found = _BUILDERS.get(value_type)
    if found is None:
        kind = arrow_type(value_type)
        item_type = value_type.removesuffix("_LIST").removesuffix("_SET")
        found = _lists(item_type, kind) if pa.types.is_list(kind) else _texts
        _BUILDERS[value_type] = found
    return found


def _floats(kind: Any, number: type) -> _Build:
    def build(values: Sequence[Any], valid: Flags | None, kinds: set[type]) -> Any:
        """Integers are taken where a float is the same number."""
        if isinstance(values, memoryview):
            return _array(kind, len(values), valid, pa.py_buffer(values))
        filled = _filled(values, valid, 0.0)
        if not kinds <= {float} and not _are_doubles(filled, kinds):
            raise Unfit
        wide = np.frombuffer(_pack("d", filled), np.float64)
        if number is np.float64:
            return _array(kind, len(filled), valid, pa.py_buffer(wide))
        with np.errstate(over="ignore"):
            data: npt.NDArray[Any] = wide.astype(number)
        if not _are_same(data, wide):
            raise Unfit
        return _array(kind, len(filled), valid, pa.py_buffer(data))

    return build


def _are_same(narrow: npt.NDArray[Any], wide: npt.NDArray[Any]) -> bool:
    """NaN is the same as NaN."""
    return bool((narrow == wide).all()) or np.array_equal(narrow, wide, equal_nan=True)


def _are_doubles(values: Sequence[Any], kinds: set[type]) -> bool:
    """Whether numbers, integers among them, are the same as doubles."""
    return kinds <= {float, int} and all(int(float(value)) == value for value in values if type(value) is int)


def _integers(kind: Any, letter: str) -> _Build:
    def build(values: Sequence[Any], valid: Flags | None, kinds: set[type]) -> Any:
        return _array(kind, len(values), valid, pa.py_buffer(_numbers(values, valid, kinds, letter)))

    return build


def _numbers(values: Sequence[Any], valid: Flags | None, kinds: set[type], letter: str) -> bytes | memoryview:
    if isinstance(values, memoryview):
        return values
    if not kinds <= {int}:
        raise Unfit
    try:
        return _pack(letter, _filled(values, valid, 0))
    except struct.error as error:  # out of range
        raise Unfit from error


def _pack(letter: str, numbers: Sequence[Any]) -> bytes:
    """Numbers in one of struct's formats: three times faster than numpy makes an array of them."""
    return struct.pack(f"<{len(numbers)}{letter}", *numbers)


def _timestamps(values: Sequence[Any], valid: Flags | None, kinds: set[type]) -> Any:
    """Seconds to microseconds; what Feast stores for a missing time is null."""
    seconds = np.frombuffer(_numbers(values, valid, kinds, "q"), np.int64)
    missing = seconds == NULL_TIMESTAMP
    if missing.any():
        seconds = np.where(missing, 0, seconds)
        valid = ~missing if valid is None else valid & ~missing
    if seconds.size and (seconds.max() > _LAST_SECOND or seconds.min() < -_LAST_SECOND):
        raise Unfit
    return _array(arrow_type("UNIX_TIMESTAMP"), len(values), valid, pa.py_buffer(seconds * _MICROSECONDS))


def _booleans(values: Sequence[Any], valid: Flags | None, kinds: set[type]) -> Any:
    if not kinds <= {bool}:
        raise Unfit
    flags = np.frombuffer(bytes(_filled(values, valid, False)), np.bool_)
    return _array(pa.bool_(), len(values), valid, pa.py_buffer(_bits(flags)))


def _strings(values: Sequence[Any], valid: Flags | None, kinds: set[type]) -> Any:
    if not kinds <= {str}:
        raise Unfit
    filled = _filled(values, valid, "")
    together = "".join(filled)
    if together.isascii():
        return _variable(pa.string(), filled, together.encode(), valid)
    encoded = [value.encode() for value in filled]
    return _variable(pa.string(), encoded, b"".join(encoded), valid)


def _texts(values: Sequence[Any], valid: Flags | None, kinds: set[type]) -> Any:
    """Types that Arrow has no equal of: texts as they are, everything else as its JSON."""
    if kinds <= {str}:
        return _strings(values, valid, kinds)
    texts = [value if value is None or type(value) is str else orjson.dumps(jsonable(value)).decode() for value in values]
    return _strings(texts, valid, {str})


def _binaries(values: Sequence[Any], valid: Flags | None, kinds: set[type]) -> Any:
    """Of base64."""
    if not kinds <= {str}:
        raise Unfit
    try:
        decoded = [b64decode(value, validate=True) for value in _filled(values, valid, "")]
    except ValueError as error:
        raise Unfit from error
    return _variable(pa.binary(), decoded, b"".join(decoded), valid)


def _lists(item_type: str, kind: Any) -> _Build:
    def build(values: Sequence[Any], valid: Flags | None, kinds: set[type]) -> Any:
        if not kinds <= {list}:
            raise Unfit
        filled = _filled(values, valid, ())
        items = array_of(item_type if item_type in _BUILDERS else "", list(chain.from_iterable(filled)))
        return _array(kind, len(filled), valid, pa.py_buffer(_offsets(filled, len(items))), children=[items])

    return build


def _variable(kind: Any, parts: Sequence[Any], data: bytes, valid: Flags | None) -> Any:
    """Texts or bytes: `parts` for their lengths, `data` all of them together."""
    return _array(kind, len(parts), valid, pa.py_buffer(_offsets(parts, len(data))), pa.py_buffer(data))


def _offsets(parts: Sequence[Any], total: int) -> npt.NDArray[np.int32]:
    if total > MOST_BYTES:
        raise Unfit
    offsets = np.zeros(len(parts) + 1, np.int32)
    np.cumsum(np.fromiter(map(len, parts), np.int32, len(parts)), out=offsets[1:])
    return offsets


def _filled(values: Sequence[Any], valid: Flags | None, filler: Any) -> Sequence[Any]:
    return values if valid is None else [filler if value is None else value for value in values]


def _array(kind: Any, rows: int, valid: Flags | None, *buffers: Any, children: Sequence[Any] | None = None) -> Any:
    validity = None if valid is None else pa.py_buffer(_bits(valid))
    return pa.Array.from_buffers(kind, rows, [validity, *buffers], children=children)


def _bits(flags: Flags) -> npt.NDArray[np.uint8]:
    return np.packbits(flags, bitorder="little")


_BUILDERS: dict[str, _Build] = {
    "INT32": _integers(pa.int32(), "i"),
    "INT64": _integers(pa.int64(), "q"),
    "FLOAT": _floats(pa.float32(), np.float32),
    "DOUBLE": _floats(pa.float64(), np.float64),
    "BOOL": _booleans,
    "UNIX_TIMESTAMP": _timestamps,
    "STRING": _strings,
    "BYTES": _binaries,
    "PDF_BYTES": _binaries,
    "IMAGE_BYTES": _binaries,
}
