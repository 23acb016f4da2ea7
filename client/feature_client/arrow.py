"""Arrow streams: frames on their way to the server, answers on their way back. Loads pyarrow and pandas when first needed."""

import importlib
import io
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from feature_client.errors import InvalidRequest, Problem
from feature_client.frames import check_frame
from feature_client.values import NAIVE

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped]
    import pyarrow as pa

MEDIA_TYPE = "application/vnd.apache.arrow.stream"
# Values of a frame from which on several threads make it.
THREADED_VALUES = 200_000


def required(module: str, extra: str) -> Any:
    """A module of an extra; raises ImportError saying what to install."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(f"This needs {module}: pip install 'feature-service-client[{extra}]'", name=module) from error


def is_installed() -> bool:
    """Whether pyarrow is."""
    return find_spec("pyarrow") is not None


def table_of(rows: Any) -> "pa.Table":
    """What hands itself over as an Arrow stream, as a table; raises InvalidRequest for times without a zone."""
    pa = required("pyarrow", "arrow")
    table = pa.table(rows)
    naive = [field.name for field in table.schema if pa.types.is_timestamp(field.type) and field.type.tz is None]
    if naive:
        raise InvalidRequest.of(Problem(f"{name} {NAIVE}", name) for name in naive)
    return table


def plain_table(frame: "pd.DataFrame") -> "pa.Table | None":
    """A frame of pandas as a table, if it means to the server what its JSON would: no columns but numbers, texts and times.

    None where a column is anything else: texts and numbers mixed, lists (a NaN of which would become null), decimals
    (whose digits would change), nanoseconds (which the server takes from JSON only).
    """
    pa = required("pyarrow", "arrow")
    check_frame(frame)
    try:
        table = pa.Table.from_pandas(frame, preserve_index=False)
        fields = [_micros(field, pa) for field in table.schema]
        if not all(_is_plain(field.type, pa.types) for field in fields):
            return None
        return table.cast(pa.schema(fields))
    except pa.ArrowException:
        return None


def _micros(field: Any, pa: Any) -> Any:
    """A column of times in microseconds; casting to it fails where that would lose digits."""
    if pa.types.is_timestamp(field.type):
        return field.with_type(pa.timestamp("us", field.type.tz))
    return field


def _is_plain(kind: Any, types: Any) -> bool:
    if types.is_timestamp(kind):
        return kind.tz is not None
    if types.is_dictionary(kind):
        kind = kind.value_type
        return bool(types.is_string(kind) or types.is_large_string(kind))
    tests = (types.is_integer, types.is_floating, types.is_boolean, types.is_string, types.is_large_string, types.is_null)
    return any(test(kind) for test in tests)


def stream_of(table: "pa.Table") -> bytes:
    """The table as an uncompressed IPC stream."""
    pa = required("pyarrow", "arrow")
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def read_table(content: bytes) -> "pa.Table":
    """The table of an answer; raises ArrowInvalid, a ValueError, where it isn't one."""
    pa = required("pyarrow", "arrow")
    return pa.ipc.open_stream(content).read_all()


def read_frame(content: bytes) -> "pd.DataFrame":
    """The same as a frame. Integers and booleans are pandas' nullable ones: an int64 beside a null must not become a float."""
    pa, pd = required("pyarrow", "pandas"), required("pandas", "pandas")
    nullable = {
        pa.int32(): pd.Int32Dtype(),
        pa.int64(): pd.Int64Dtype(),
        pa.bool_(): pd.BooleanDtype(),
    }
    table = read_table(content)
    # pyarrow's threads take longer to wake than a thousand rows to convert.
    return table.to_pandas(types_mapper=nullable.get, use_threads=table.num_rows * table.num_columns > THREADED_VALUES)
