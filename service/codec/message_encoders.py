"""Everything that isn't a scalar, as Feast stores it: through its protobuf Value, one message a row."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from typing import Any

from service.codec.collection_encoders import ITEM_TYPES, Fill, fill_collection
from service.codec.map_encoders import fill_map, fill_map_list, fill_nested, fill_scalar_map
from service.codec.messages import value_module
from service.codec.moments import to_zoned
from service.codec.refusals import Unencodable, describe
from service.codec.scalar_encoders import UNFIT
from service.codec.scalar_inputs import ACCEPTED


class MessageEncoder:
    """A Feast type that is stored as a message: fills one of them for each value."""

    def __init__(self, value_type: str, wanted: str, fill: Fill) -> None:
        """`wanted` says what a value must be; `fill` puts it into an empty Value, or raises Unencodable."""
        self._wanted = f"{wanted} ({value_type})"
        self._fill = fill
        self._new_value = value_module().Value

    def encode(self, column: Sequence[Any]) -> list[bytes]:
        """Serialized Values, empty for null; maps sorted by key, where Feast leaves the order to chance. Raises Unencodable."""
        return [b"" if value is None else self._encode(value) for value in column]

    def problem(self, value: Any) -> str | None:
        """None if the value fits (null does), else what would be right and what came."""
        if value is None:
            return None
        try:
            self._encode(value)
        except Unencodable as refusal:
            return f"must be {self._wanted}, not {refusal}"
        return None

    def _encode(self, content: Any) -> bytes:
        value = self._new_value()
        try:
            self._fill(value, content)
            encoded: bytes = value.SerializeToString(deterministic=True)
        except UNFIT:
            raise Unencodable(describe(content)) from None
        return encoded


def _fill_zoned(value: Any, content: Any) -> None:
    seconds, zone = to_zoned(content)
    value.zoned_timestamp_val.SetInParent()
    value.zoned_timestamp_val.unix_timestamp = seconds
    value.zoned_timestamp_val.zone = zone


# What a value of each type must be, and what makes the function that fills a Value with it.
MESSAGES: dict[str, tuple[str, Callable[[], Fill]]] = {
    "MAP": ("an object", lambda: fill_map("map_val")),
    "STRUCT": ("an object", lambda: fill_map("struct_val")),
    "MAP_LIST": ("a list of objects", lambda: fill_map_list("map_list_val")),
    "STRUCT_LIST": ("a list of objects", lambda: fill_map_list("struct_list_val")),
    "SCALAR_MAP": ("an object whose keys are numbers, true, false, UUIDs or times", lambda: fill_scalar_map),
    "VALUE_LIST": ("a list of lists", lambda: fill_nested("list_val")),
    "VALUE_SET": ("a list of lists", lambda: fill_nested("set_val")),
    "ZONED_TIMESTAMP": ("a time in whole seconds as an ISO 8601 string", lambda: _fill_zoned),
}
MESSAGES |= {
    f"{item_type}_{suffix.upper()}": (
        f"a list, each item {ACCEPTED[item_type].wanted}",
        partial(fill_collection, item_type, suffix),
    )
    for item_type, suffix in [*product(ITEM_TYPES, ("list", "set")), ("JSON", "list")]
}
