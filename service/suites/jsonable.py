"""Python values as GX writes them into results."""

from datetime import date, time
from decimal import Decimal
from enum import Enum
from typing import Any

from service.suites.nulls import NotATime


def to_json(value: Any) -> Any:
    """A value as JSON can hold it; infinities stay what they are, as in GX.

    Source: `convert_to_json_serializable` in GX's util.py.
    """
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return None if value != value else value
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_json(item) for item in value]
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, NotATime):
        return "NaT"
    if isinstance(value, Decimal):
        return float(value)
    return str(value)
