"""Texts as the numbers and booleans that `pandas.read_csv` makes of them; None where it wouldn't.

Arrow converts most of them, at the speed of C; what it takes and pandas doesn't (hexadecimal integers, "NAN") is looked for,
and what it doesn't take is converted by Python. Floats are the nearest ones, as with `float_precision="round_trip"`. Source:
`_try_int64`, `_try_double` and `_try_bool_flex` in pandas 2.3's _libs/parsers.pyx, and its src/parser/tokenizer.c.
"""

import math
import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from service.files.arrays import from_numpy, null_mask, to_numpy
from service.suites.dtypes import INT64_MIN

# What pandas takes for space around a number.
SPACE = " \t\n\v\f\r"
_SPACE = rf"[{SPACE}]*"
_INTEGER = re.compile(rf"{_SPACE}[+-]?[0-9]+{_SPACE}")
_DIGITS = re.compile(rf"{_SPACE}([+-]?[0-9]+)({_SPACE}\Z)?")
_NUMBER = re.compile(rf"{_SPACE}[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?{_SPACE}|[+-]?inf(?:inity)?", re.IGNORECASE)
_BOOLEANS = frozenset(["true", "false", None])


def characters(texts: Any) -> bytes:
    """All characters of an array of texts, one text behind the other."""
    data = texts.buffers()[2]
    if data is None or not len(texts):
        return b""
    offsets = memoryview(texts.buffers()[1]).cast("i")
    return bytes(memoryview(data)[offsets[texts.offset] : offsets[texts.offset + len(texts)]])


def integer(text: str) -> int | None:
    """One integer of any size."""
    return int(text) if _INTEGER.fullmatch(text) else None


def leading_integer(text: str) -> tuple[int | None, bool]:
    """The integer that a text begins with, and whether that is all of it."""
    match = _DIGITS.match(text)
    return (int(match[1]), match[2] is not None) if match else (None, False)


def as_integers(texts: Any, kind: Any) -> Any | None:
    """All of the texts as int64 or uint64; nulls stay null."""
    try:
        integers = pc.cast(texts, kind)
    except pa.ArrowInvalid:
        return _by_python(texts, integer, kind)
    held = characters(texts)
    return _by_python(texts, integer, kind) if b"x" in held or b"X" in held else integers


def as_integers_beside_nulls(texts: Any) -> Any | None:
    """All of the texts as integers that have become float64; what stands for a null until then is one behind it, too."""
    integers = as_integers(texts, pa.int64())
    if integers is None:
        return None
    numbers = to_numpy(integers)
    return from_numpy(numbers.astype(np.float64), pa.float64(), null_mask(integers) | (numbers == INT64_MIN))


def as_floats(texts: Any) -> Any | None:
    """All of the texts as float64; nulls stay null."""
    try:
        floats = pc.cast(texts, pa.float64())
    except pa.ArrowInvalid:
        return _by_python(texts, _number, pa.float64())
    return floats if pc.all(pc.is_finite(floats), min_count=0).as_py() else _by_python(texts, _number, pa.float64())


def as_booleans(texts: Any) -> Any | None:
    """All of the texts as booleans; nulls stay null."""
    lowered = pc.ascii_lower(texts)
    return pc.cast(lowered, pa.bool_()) if _BOOLEANS.issuperset(lowered.unique().to_pylist()) else None


def _number(text: str) -> float | None:
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    # What is too large for a float isn't one to pandas, unless it is called infinite.
    return None if math.isinf(value) and "n" not in text.lower() else value


def _by_python(texts: Any, convert: Any, kind: Any) -> Any | None:
    nulls = null_mask(texts)
    values = [convert(text) for text in texts.drop_null().to_pylist()]
    if None in values:
        return None
    numbers = np.zeros(len(texts), kind.to_pandas_dtype())
    try:
        numbers[~nulls] = values
    except OverflowError:
        return None
    return from_numpy(numbers, kind, nulls)
