"""Maps, structs and lists of lists into Feast's protobuf Value: what they hold has no declared type, so it is inferred.

Source: feast/type_map.py, `_python_dict_to_map_proto`, `python_type_to_feast_value_type` and their neighbours. What Feast
can't infer (an empty list, a list of several types) or would lose (NaN, of which it makes null) is refused.
"""

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from service.codec.collection_encoders import Fill, fill_collection
from service.codec.map_keys import fill_key
from service.codec.refusals import Unencodable, describe
from service.codec.scalar_encoders import UNFIT
from service.codec.scalar_inputs import ACCEPTED

# Messages within messages: protobuf's parsers take no more, so what is nested deeper could be written but never read.
DEEPEST = 100

# In this order: a bool is an int, too.
_INFERRED: tuple[tuple[type, str], ...] = (
    (bool, "BOOL"),
    (int, "INT64"),
    (float, "DOUBLE"),
    (str, "STRING"),
    (bytes, "BYTES"),
    (date, "UNIX_TIMESTAMP"),  # datetimes are dates
    (UUID, "UUID"),
    (Decimal, "DECIMAL"),
)
_LISTS: dict[str, Fill] = {item_type: fill_collection(item_type, "list") for _, item_type in _INFERRED}


def fill_map(field: str) -> Fill:
    """Fills `map_val` or `struct_val` from an object, or from JSON text of one, which is what Feast's SDK sends."""

    def fill(value: Any, content: Any) -> None:
        _fill_map(getattr(value, field), _parsed(content), 2)
        getattr(value, field).SetInParent()

    return fill


def fill_map_list(field: str) -> Fill:
    """Fills `map_list_val` or `struct_list_val` from a list of objects; either may be JSON text. Feast's SDK sends texts."""

    def fill(value: Any, content: Any) -> None:
        maps = _parsed(content)
        if not isinstance(maps, list):
            raise Unencodable(describe(content))
        _fill_map_list(getattr(value, field), maps, 2, _parsed)
        getattr(value, field).SetInParent()

    return fill


def fill_nested(field: str) -> Fill:
    """Fills `list_val` or `set_val` from a list of lists, of any depth.

    Feast stores an empty inner list as a null, and its SDK then sends that; so nulls stand for lists, not for scalars.
    """

    def fill(value: Any, content: Any) -> None:
        _fill_nested(getattr(value, field), content, 2)
        getattr(value, field).SetInParent()

    return fill


def fill_scalar_map(value: Any, content: Any) -> None:
    """Fills `scalar_map_val` from an object; see `service.codec.map_keys` for what its keys may be."""
    entries = value.scalar_map_val.val

    def entry_value(key: Any) -> Any:
        entry = entries.add()
        fill_key(entry.key, key)
        entry.value.SetInParent()
        return entry.value

    _fill_entries(content, entry_value, 4)
    value.scalar_map_val.SetInParent()


def _fill_map(target: Any, content: Any, depth: int) -> None:
    """`depth` is the number of messages from the outermost Value to `target`, both included; so in all functions here."""

    def entry_value(key: Any) -> Any:
        if not isinstance(key, str):
            raise Unencodable(f"an object with a key that is {describe(key)}")
        return target.val[key]

    _fill_entries(content, entry_value, depth + 2)  # an entry of a map is a message, too


def _fill_entries(content: Any, entry_value: Callable[[Any], Any], depth: int) -> None:
    """Fills the Value that `entry_value` makes for each key."""
    if not isinstance(content, dict):
        raise Unencodable(describe(content))
    for key, item in content.items():
        value = entry_value(key)
        try:
            _fill_inferred(value, item, depth)
        except Unencodable as refusal:
            raise refusal.within(str(key)) from None


def _fill_map_list(target: Any, content: list[Any], depth: int, parsed: Callable[[Any], Any] = lambda item: item) -> None:
    for position, item in enumerate(content):
        try:
            _fill_map(target.val.add(), parsed(item), depth + 1)
        except Unencodable as refusal:
            raise refusal.within(position) from None


def _fill_nested(target: Any, content: Any, depth: int) -> None:
    if not isinstance(content, list):
        raise Unencodable(describe(content))
    for position, item in enumerate(content):
        inner = target.val.add()
        try:
            if item is None or item == []:
                continue
            if not isinstance(item, list):
                raise Unencodable(describe(item))
            if all(innermost is None or isinstance(innermost, list) for innermost in item):
                _check_depth(depth + 2)
                _fill_nested(inner.list_val, item, depth + 2)
            else:
                _fill_inferred(inner, item, depth + 1)
        except Unencodable as refusal:
            raise refusal.within(position) from None


def _fill_inferred(target: Any, content: Any, depth: int) -> None:
    """A Value of whatever type the content has; left empty for null."""
    if content is None:
        return
    if isinstance(content, dict):
        _check_depth(depth + 1)
        _fill_map(target.map_val, content, depth + 1)
        target.map_val.SetInParent()
    elif isinstance(content, list):
        _fill_inferred_list(target, content, depth)
    else:
        item_type = _inferred_type(content)
        try:
            setattr(target, f"{item_type.lower()}_val", ACCEPTED[item_type].read(content))
        except UNFIT:
            raise Unencodable(describe(content)) from None


def _fill_inferred_list(target: Any, content: list[Any], depth: int) -> None:
    if not content:
        raise Unencodable("an empty list, whose type can't be told")
    _check_depth(depth + 1)
    if isinstance(content[0], dict):
        _fill_map_list(target.map_list_val, content, depth + 1)
        return
    item_types = set(map(_inferred_type, content))
    if len(item_types) > 1:
        raise Unencodable("a list of items of different types")
    _LISTS[item_types.pop()](target, content)


def _inferred_type(content: Any) -> str:
    for kind, item_type in _INFERRED:
        if isinstance(content, kind):
            return item_type
    raise Unencodable(describe(content))


def _parsed(content: Any) -> Any:
    """JSON text parsed, with Python's NaN, as Feast parses it; anything else as it is."""
    if not isinstance(content, str):
        return content
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise Unencodable(f"{describe(content)}, which isn't JSON") from None


def _check_depth(depth: int) -> None:
    if depth > DEEPEST:
        raise Unencodable("something that is nested too deeply")
