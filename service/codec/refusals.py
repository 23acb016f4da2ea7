"""Why a value isn't taken, in words: what came, for messages of the form `must be ..., not {what came}`."""

import json
import math
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from service import keys


class Unencodable(Exception):
    """A value that isn't what its column holds; as a string it says what came, and where in a list or an object."""

    def __init__(self, came: str, path: str = "") -> None:
        """`path` leads to what is described, as `["a"][0]`."""
        super().__init__(came, path)
        self._came = came
        self._path = path

    def within(self, step: int | str) -> "Unencodable":
        """The same of an item of a list or an object, at the position or key `step`."""
        name = keys.shorten(step) if isinstance(step, str) else step
        return Unencodable(self._came, f"[{json.dumps(name, ensure_ascii=False)}]{self._path}")

    def __str__(self) -> str:
        if not self._path:
            return self._came
        return f"{'a list' if self._path[1].isdigit() else 'an object'} whose item {keys.shorten(self._path)} is {self._came}"


def describe(value: Any) -> str:
    """A value as JSON or Arrow have it, in a few words: its kind and, where it is short, the value."""
    if is_nan(value):
        return "NaN; null is written null"
    if isinstance(value, float) and math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, str) and not _is_unicode(value):
        return "a string that holds half a character"
    if isinstance(value, datetime | date):
        return f"the time {value.isoformat()}" if isinstance(value, datetime) else f"the date {value.isoformat()}"
    if isinstance(value, Decimal | UUID):
        return f"the {'decimal' if isinstance(value, Decimal) else 'UUID'} {keys.shorten(str(value))}"
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if value is None or isinstance(value, bool | str | int | float | list | dict):
        return keys.describe(value)
    return f"a {type(value).__name__}"


def is_nan(value: Any) -> bool:
    """Whether it is a float or a decimal that is no number; a signalling decimal can't even be compared."""
    return value.is_nan() if isinstance(value, Decimal) else isinstance(value, float) and math.isnan(value)


def _is_unicode(text: str) -> bool:
    """Whether it has no lone surrogate, as JSON's escapes can make."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
