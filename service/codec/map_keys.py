"""Keys of Feast's ScalarMap: typed, and never strings.

Source: feast/type_map.py, `_python_value_to_map_key_proto`. JSON has string keys only, so a string is read as what
`json.dumps` and this server's answers make of a key: `true`, `1`, `2.5`, a UUID, a time. Keys of bytes and decimals can't be
told apart from these in JSON; Arrow has them as what they are.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from service.codec.moments import to_seconds
from service.codec.refusals import Unencodable, describe
from service.codec.scalar_encoders import UNFIT
from service.codec.scalar_inputs import to_listed_decimal, to_uuid

_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:e[+-]?\d+)?|NaN|-?Infinity", re.ASCII)
_UUID_LENGTH = 36  # with its hyphens
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def fill_key(target: Any, key: Any) -> None:
    """Fills an empty MapKey; raises Unencodable."""
    try:
        typed = _typed(key) if isinstance(key, str) else key
        if isinstance(typed, bool):
            target.bool_key = typed
        elif isinstance(typed, int):
            target.int64_key = typed
        elif isinstance(typed, float):
            target.double_key = typed
        elif isinstance(typed, bytes):
            target.bytes_key = typed
        elif isinstance(typed, datetime):
            target.unix_timestamp_key = to_seconds(typed)
        elif isinstance(typed, UUID):
            target.uuid_key = to_uuid(typed)
        elif isinstance(typed, Decimal):
            target.decimal_key = to_listed_decimal(typed)
        else:
            raise Unencodable(describe(key))
    except (Unencodable, *UNFIT):
        raise Unencodable(f"an object with a key that is {describe(key)}") from None


def _typed(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    if _NUMBER.fullmatch(text):
        return json.loads(text)
    if len(text) == _UUID_LENGTH:
        return UUID(to_uuid(text))
    return _EPOCH + timedelta(seconds=to_seconds(text))
