"""Feast types as Arrow types, as `feast.types` has them. This module imports pyarrow (0.2 s, 40 MB)."""

import pyarrow as pa

_SCALARS = {
    "BYTES": pa.binary(),
    "PDF_BYTES": pa.binary(),
    "IMAGE_BYTES": pa.binary(),
    "STRING": pa.string(),
    "INT32": pa.int32(),
    "INT64": pa.int64(),
    "FLOAT": pa.float32(),
    "DOUBLE": pa.float64(),
    "BOOL": pa.bool_(),
    "UNIX_TIMESTAMP": pa.timestamp("us", tz="UTC"),
}


def arrow_type(value_type: str) -> pa.DataType:
    """The Arrow type of a Feast type, by its name in feast.value_type.ValueType; a string where there is none."""
    if value_type in _SCALARS:
        return _SCALARS[value_type]
    for suffix in ("_LIST", "_SET"):
        if value_type.endswith(suffix):
            return pa.list_(_SCALARS.get(value_type.removesuffix(suffix), pa.string()))
    return pa.string()
