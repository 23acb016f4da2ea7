"""Substrait plans, run by pyarrow on tables of the inputs. This module imports pyarrow, so only what runs plans imports it."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.substrait

from service.codec.arrow_types import arrow_type


def run_plan(plan: bytes, columns: Mapping[str, tuple[Sequence[Any], str]]) -> Mapping[str, Sequence[Any]]:
    """The columns that a plan gives, as Python values; `columns` are its inputs, each with its Feast type."""

    def provide(names: Sequence[str], schema: pa.Schema) -> pa.Table:
        arrays = [pa.array(columns[name][0], type=arrow_type(columns[name][1])) for name in schema.names]
        return pa.table(dict(zip(schema.names, arrays, strict=True))).cast(schema)

    found = pa.substrait.run_query(pa.py_buffer(plan), table_provider=provide).read_all()
    return {name: column.to_pylist() for name, column in zip(found.column_names, found.columns, strict=True)}
