"""What pandas takes for missing."""

from typing import Any


class NotATime:
    """pandas.NaT, which stands for a null among timestamps: it equals nothing and is neither before nor after anything."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return False

    def __lt__(self, other: object) -> bool:
        return False

    __le__ = __gt__ = __ge__ = __lt__

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "NaT"


NAT = NotATime()


def is_null(value: Any) -> bool:
    """Whether pandas takes the value for missing."""
    return value is None or isinstance(value, NotATime) or (type(value) is float and value != value)
