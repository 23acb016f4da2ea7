"""Substrait plans, run by pyarrow on tables of the inputs. This module imports pyarrow, so only what runs plans imports it."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.substrait

from service.codec.arrow_types import arrow_type


def make_arrays(columns: Mapping[str, tuple[Sequence[Any], str]]) -> Mapping[str, Any]:
    """Columns, each with its Feast type, as Arrow arrays."""
    return {name: pa.array(list(column), type=arrow_type(value_type)) for name, (column, value_type) in columns.items()}


def run_plan(plan: bytes, arrays: Mapping[str, Any]) -> Mapping[str, Sequence[Any]]:
    """The columns that a plan makes of those that it asks for by name, as Python values."""

    def provide(_: Sequence[str], schema: pa.Schema) -> pa.Table:
        return pa.table({name: arrays[name] for name in schema.names}).cast(schema)

    found = pa.substrait.run_query(pa.py_buffer(plan), table_provider=provide).read_all()
    return {name: column.to_pylist() for name, column in zip(found.column_names, found.columns, strict=True)}
