"""Lists and sets of scalars into Feast's protobuf Value.

Source: feast/type_map.py, `_convert_list_values_to_proto` and `_python_set_to_proto_values`; but a null in a list, which
Feast makes a zero or an empty string, is refused.
"""

import struct
from collections.abc import Callable, Sequence
from typing import Any

from service.codec.messages import value_module
from service.codec.refusals import Unencodable, describe
from service.codec.scalar_encoders import UNFIT
from service.codec.scalar_inputs import ACCEPTED

# What an empty Value is filled by. Raises Unencodable.
Fill = Callable[[Any, Any], None]

ITEM_TYPES = (
    "BYTES", "STRING", "INT32", "INT64", "DOUBLE", "FLOAT", "BOOL", "UNIX_TIMESTAMP", "UUID", "TIME_UUID", "DECIMAL",
)  # fmt: skip


def fill_collection(item_type: str, suffix: str) -> Fill:
    """Fills a list (`suffix` is "list") or a set ("set") of a scalar type; a set keeps the first of equal items, in order."""
    field = f"{item_type.lower()}_{suffix}_val"
    accepted = ACCEPTED[item_type]

    def write(value: Any, items: Sequence[Any]) -> None:
        if item_type == "FLOAT":
            _check_floats(items)
        collection = getattr(value, field)
        collection.val.extend(dict.fromkeys(items) if suffix == "set" else items)
        collection.SetInParent()  # an empty list is one all the same

    def fill(value: Any, content: Any) -> None:
        if not isinstance(content, list):
            raise Unencodable(describe(content))
        try:
            write(value, content if accepted.kinds.issuperset(map(type, content)) else list(map(accepted.read_listed, content)))
        except (Unencodable, *UNFIT):
            raise refusal(content) from None

    def refusal(content: Sequence[Any]) -> Unencodable:
        """What is wrong with the first item that doesn't fit."""
        for position, item in enumerate(content):
            try:
                write(value_module().Value(), [accepted.read_listed(item)])
            except Unencodable as of_item:
                return of_item.within(position)
            except UNFIT:
                return Unencodable(describe(item)).within(position)
        return Unencodable(describe(content))

    return fill


def _check_floats(items: Sequence[float]) -> None:
    """Raises OverflowError where a number is beyond a float32; protobuf would make it infinite."""
    struct.pack(f"<{len(items)}f", *items)
