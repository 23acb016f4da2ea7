"""A Python value in the form that it has in the server's JSON, the same that answers have.

Times become ISO 8601 with their offset, bytes base64, decimals and UUIDs their text, sets and arrays lists. What is missing
(None, NaN, pandas' NaT and NA) is null; a NaN or an infinity that is meant, in a list or alone, is its name. numpy and
pandas aren't imported: their values say themselves what they are.
"""

import math
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from feature_client.errors import Problem

# Types whose values are as JSON has them.
_PLAIN = frozenset({str, int, bool, type(None)})
NAIVE = (
    "has a time without an offset, which could mean any zone: give it one, "
    "as `.replace(tzinfo=UTC)` does, or `.dt.tz_localize('UTC')` of pandas."
)


class Unwritable(ValueError):
    """The value has no form in JSON; the message says why, as in `<column> has ...`."""


def column_in_json(name: str, column: Sequence[Any]) -> tuple[Sequence[Any], list[Problem]]:
    """The values of a column, and what is wrong with those that have no form. Hot for what JSON has already."""
    kinds = set(map(type, column))
    if kinds <= _PLAIN or (kinds == {float} and all(map(math.isfinite, column))):
        return column, []
    values, problems = [], []
    for row, value in enumerate(column):
        try:
            values.append(in_json(value))
        except Unwritable as reason:
            problems.append(Problem(f"{name} {reason}", name, row))
    return values, problems


def in_json(value: Any, missing: Any = None) -> Any:
    """A value in JSON's form; raises Unwritable. `missing` is what NaN is: null where it stands alone."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind.__name__ in ("NAType", "NaTType"):  # datetimes in pandas' eyes, and not to be compared
        return None
    if isinstance(value, float):
        return _float_in_json(value, missing)
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise Unwritable(NAIVE)
        return value.isoformat()
    if isinstance(value, Decimal):
        return missing if value.is_nan() else str(value)
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes | bytearray | memoryview):
        return b64encode(value).decode()
    return _nested_in_json(value, missing)


def _float_in_json(value: float, missing: Any) -> float | str | None:
    if math.isfinite(value):
        return float(value)
    if math.isnan(value):
        return None if missing is None else str(missing)
    return "Infinity" if value > 0 else "-Infinity"


def _nested_in_json(value: Any, missing: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: in_json(item, "NaN") for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [in_json(item, "NaN") for item in value]
    if type(value).__name__ == "datetime64":  # numpy's have no zone
        if value != value:  # NaT alone isn't equal to itself
            return None
        raise Unwritable(NAIVE)
    if hasattr(value, "tolist"):  # numpy's scalars and arrays
        return in_json(value.tolist(), missing)
    if isinstance(value, int | str):  # members of enumerations, which json writes as their values
        return value
    raise Unwritable(f"has a value of type {type(value).__qualname__}, which JSON can't hold.")
