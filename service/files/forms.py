"""What pandas makes of a column of a file: its dtype, how it holds a null, and how to get there from what Arrow reads."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, timedelta, timezone, tzinfo
from enum import Enum
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa

from service.suites.dtypes import Dtype


class Kind(Enum):
    """How far the dtype is from those that JSON leads to, for which the checks of `service.suites` are exact."""

    PLAIN = "plain"
    # Integers of fewer than 64 bits.
    NARROW = "narrow"
    # float32.
    SINGLE = "single"
    # Timestamps that count something else than nanoseconds.
    COARSE = "coarse"
    # What only pandas can hold.
    FOREIGN = "foreign"


def as_it_is(array: Any) -> Any:
    """Of columns that Arrow reads as pandas has them."""
    return array


@dataclass(frozen=True, slots=True)
class Form:
    """What pandas makes of a column.

    `null` is what stands for a null (each null of a float64 is a NaN of its own), `convert` makes of the array that was read
    one whose values are those of pandas. `described` says what the column is, for somebody who has to change it.
    """

    dtype: Dtype
    described: str
    null: Any = None
    kind: Kind = Kind.PLAIN
    zone: tzinfo | None = None
    convert: Callable[[Any], Any] = as_it_is


def zone_of(name: str) -> tzinfo | None:
    """The timezone that Arrow calls by this name, a place or an offset; None when this machine doesn't know it."""
    if name.upper() == "UTC":
        return UTC
    if name[:1] in "+-" and len(name) == len("+hh:mm"):
        offset = timedelta(hours=int(name[1:3]), minutes=int(name[4:6]))
        return timezone(-offset if name[0] == "-" else offset)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return None


def is_text(kind: pa.DataType) -> bool:
    """Whether Arrow holds it as text, whatever the width of its offsets."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def is_bytes(kind: pa.DataType) -> bool:
    """Whether Arrow holds it as bytes."""
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
