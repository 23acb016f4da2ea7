"""A Parquet file as `pandas.read_parquet` of pandas 2.3 reads it.

Source of what becomes of each type: `Table.to_pandas` in pyarrow's documentation, and the `pandas` key of a schema's metadata.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from service.files.arrays import from_numpy, null_mask, to_numpy
from service.files.errors import UnreadableFile
from service.files.forms import Form, Kind, is_bytes, is_text, zone_of
from service.files.source import PARQUET_MAGIC, Batch
from service.suites.dtypes import BOOL, FLOAT64, INT64, NAIVE_DATETIME, OBJECT, UINT64, Dtype, datetime_dtype
from service.suites.nulls import NAT

BATCH_ROWS = 1 << 16
# How much of a column is read from the disk at a time.
BUFFER_BYTES = 1 << 20
_NANOSECONDS_A_MICROSECOND = 1000
# Dtypes in pandas' metadata that it restores as numpy's; others are its own, such as Int64 or category.
_NUMPY = re.compile(r"object|bool|u?int\d+|float\d+|datetime64\[\w+\]|str|empty|bytes|date")
# So much of a file without a byte beyond ASCII is text.
_TEXT_SAMPLE = 1000
_FLOAT32 = Dtype("float32", "float32")


class ParquetSource:
    """One Parquet file."""

    def __init__(self, path: Path) -> None:
        """Raises UnreadableFile."""
        self.path = path
        self._file = self._open()
        self._schema = self._file.schema_arrow
        metadata = self._pandas_metadata()
        self._own_dtypes = {
            column["field_name"]: column["numpy_type"]
            for column in metadata.get("columns", ())
            if column.get("field_name") is not None and not _NUMPY.fullmatch(str(column["numpy_type"]))
        }
        # Columns that become the frame's index aren't columns of the frame.
        index = {name for name in metadata.get("index_columns", ()) if isinstance(name, str)}
        self.names = [name for name in self._schema.names if name not in index]
        for name, count in Counter(self._schema.names).items():
            if count > 1:
                raise UnreadableFile(f"{path} has {count} columns called {name!r}; give each a name of its own.")

    def _open(self) -> Any:
        try:
            return parquet.ParquetFile(self.path, pre_buffer=False, buffer_size=BUFFER_BYTES)
        except (pa.ArrowException, OSError) as error:
            raise UnreadableFile(f"{self.path} {_what_is_wrong(self.path)}.") from error

    def _pandas_metadata(self) -> Mapping[str, Any]:
        text = (self._schema.metadata or {}).get(b"pandas")
        metadata: Mapping[str, Any] = json.loads(text) if text else {}
        levels = metadata.get("column_indexes", ())
        if len(levels) > 1 or any(level["pandas_type"] not in ("unicode", "string", "empty", "mixed") for level in levels):
            raise UnreadableFile(f"{self.path}: the names of its columns weren't texts in pandas; rename them to texts.")
        return metadata

    @property
    def hint(self) -> None:
        """Nothing: a Parquet file is what it says."""
        return None

    def census(self, names: Sequence[str]) -> tuple[int, Mapping[str, Form]]:
        """See Source. Reads columns only where their types and statistics don't tell what pandas makes of them."""
        nulls = {name: self._has_nulls(name) for name in names}
        types = {name: self._schema.field(name).type for name in names}
        asked = [name for name in names if _depends_on_values(types[name], nulls[name])]
        fine = set()
        for batch in self.batches(asked) if asked else ():
            for name in asked:
                array = batch.arrays[name]
                nulls[name] = bool(nulls[name] or array.null_count)
                if name not in fine and pa.types.is_timestamp(types[name]) and _has_nanoseconds(array):
                    fine.add(name)
        forms = {name: self._form(name, types[name], nulls=bool(nulls[name])) for name in names}
        for name in fine:
            described = f"{forms[name].described} with single nanoseconds"
            forms[name] = replace(forms[name], kind=Kind.FOREIGN, described=described)
        return self._file.metadata.num_rows, forms

    def batches(self, names: Sequence[str]) -> Iterator[Batch]:
        """See Source."""
        if not names:
            # Nothing has to be read to count rows.
            yield Batch(self._file.metadata.num_rows, {})
            return
        try:
            for batch in self._file.iter_batches(batch_size=BATCH_ROWS, columns=list(names), use_threads=False):
                yield Batch(batch.num_rows, {name: batch.column(name) for name in names})
        except (pa.ArrowException, OSError) as error:
            message = str(error).partition("\n")[0].rstrip(".")
            raise UnreadableFile(f"{self.path} is damaged: {message}.") from error
        if not self._file.metadata.num_rows:
            yield Batch(0, {name: pa.nulls(0, self._schema.field(name).type) for name in names})

    def _has_nulls(self, name: str) -> bool | None:
        """Whether there are nulls in a column; None when the file doesn't tell without being read."""
        metadata = self._file.metadata
        place = next((at for at in range(metadata.num_columns) if metadata.schema.column(at).path == name), None)
        if place is None:
            return None
        counts = []
        for group in range(metadata.num_row_groups):
            statistics = metadata.row_group(group).column(place).statistics
            if statistics is None or not statistics.has_null_count:
                return None
            counts.append(statistics.null_count)
        return any(counts)

    def _form(self, name: str, kind: pa.DataType, *, nulls: bool) -> Form:
        if name in self._own_dtypes:
            return Form(OBJECT, f"of pandas' own dtype {self._own_dtypes[name]}", kind=Kind.FOREIGN)
        form = _form_of(kind, nulls=nulls)
        named = "category" if pa.types.is_dictionary(kind) else str(kind)
        return form or Form(OBJECT, f"of type {named}", kind=Kind.FOREIGN)


def _depends_on_values(kind: pa.DataType, nulls: bool | None) -> bool:
    """Whether the values of a column have to be looked at to know its form."""
    if pa.types.is_timestamp(kind):
        return bool(kind.unit == "ns")
    return nulls is None and bool(pa.types.is_integer(kind) or pa.types.is_boolean(kind))


def _form_of(kind: pa.DataType, *, nulls: bool) -> Form | None:
    described = f"of type {kind}"
    if pa.types.is_integer(kind):
        return _integer_form(kind, described, nulls=nulls)
    if pa.types.is_float64(kind):
        return Form(FLOAT64, described, math.nan, convert=_nan_is_null)
    if pa.types.is_float32(kind):
        return Form(_FLOAT32, described, math.nan, Kind.SINGLE, convert=_nan_is_null)
    if pa.types.is_boolean(kind):
        return Form(OBJECT if nulls else BOOL, described)
    if pa.types.is_timestamp(kind):
        return _timestamp_form(kind, described)
    if is_text(kind) or is_bytes(kind) or pa.types.is_date32(kind) or pa.types.is_null(kind):
        return Form(OBJECT, described)
    return None


def _integer_form(kind: pa.DataType, described: str, *, nulls: bool) -> Form:
    if nulls:
        return Form(FLOAT64, f"{described} with nulls", math.nan, convert=_as_doubles)
    wide = {"int64": INT64, "uint64": UINT64}.get(str(kind))
    return Form(wide, described) if wide else Form(Dtype(str(kind), str(kind)), described, kind=Kind.NARROW)


def _timestamp_form(kind: pa.DataType, described: str) -> Form | None:
    zone = None if kind.tz is None else zone_of(kind.tz)
    if kind.tz is not None and zone is None:
        return None
    if kind.unit == "ns":
        dtype, how = NAIVE_DATETIME if zone is None else datetime_dtype(str(zone)), Kind.PLAIN
    else:
        named = f"datetime64[{kind.unit}]" if zone is None else f"datetime64[{kind.unit}, {zone}]"
        dtype, how = Dtype(named, "datetime64" if zone is None else "Timestamp"), Kind.COARSE
    return Form(dtype, described, NAT, how, zone)


def _nan_is_null(array: Any) -> Any:
    """As doubles, which hold the same values, and NaN as pandas takes it: for a null."""
    doubles = pc.cast(array, pa.float64())
    if not pc.any(pc.is_nan(doubles), min_count=0).as_py():
        return doubles
    return from_numpy(to_numpy(doubles), pa.float64(), null_mask(doubles) | np.isnan(to_numpy(doubles)))


def _as_doubles(array: Any) -> Any:
    return pc.cast(array, pa.float64(), safe=False)


def _has_nanoseconds(array: Any) -> bool:
    return bool(np.any(to_numpy(array.drop_null()) % _NANOSECONDS_A_MICROSECOND))


def _what_is_wrong(path: Path) -> str:
    """Why a file isn't read as Parquet: what it lacks at its beginning and end."""
    with path.open("rb") as file:
        beginning = file.read(BUFFER_BYTES)
        file.seek(max(path.stat().st_size - len(PARQUET_MAGIC), 0))
        ends = file.read() == PARQUET_MAGIC
    if not beginning.startswith(PARQUET_MAGIC):
        looks_like_csv = b"," in beginning and beginning[:_TEXT_SAMPLE].isascii() and b"\0" not in beginning
        return "isn't a Parquet file" + (": it looks like CSV, and then its name should end in .csv" if looks_like_csv else "")
    return "is damaged: its footer can't be read" if ends else "isn't whole: the end of the file is missing"
