"""A view with a feature of every Feast type, and rows of random values of them."""

from random import Random

from feast.protos.feast.types.Value_pb2 import Value

from tests.parity.values import FEAST_TYPES, field_of, random_value

from .definitions import view

# A timestamp of microseconds has no room for later seconds; one says that there is none.
_LAST_SECOND = (2**63 - 1) // 10**6
_NO_SECOND = -(2**63)

TYPES = {f"f{number}": feast_type for number, feast_type in enumerate(FEAST_TYPES)}
VALUE_TYPES = {name: feast_type.to_value_type().name for name, feast_type in TYPES.items()}
EVERYTHING = view("everything", VALUE_TYPES)
ROWS = 40


def random_row(rng: Random) -> dict[str, Value]:
    """A value of each type, null for one in ten."""
    return {name: _draw(name, rng) for name in TYPES}


def _draw(name: str, rng: Random) -> Value:
    """Until it is of its type, and a time that Arrow has room for."""
    while True:
        value = random_value(TYPES[name], rng)
        which = value.WhichOneof("val")
        if which in (None, "null_val"):
            return value
        if which == field_of(TYPES[name]) and all(map(_has_room, _seconds(value, which))):
            return value


def _seconds(value: Value, which: str) -> list[int]:
    if which == "unix_timestamp_val":
        return [value.unix_timestamp_val]
    if which in ("unix_timestamp_list_val", "unix_timestamp_set_val"):
        return list(getattr(value, which).val)
    return []


def _has_room(second: int) -> bool:
    return second == _NO_SECOND or abs(second) <= _LAST_SECOND
