"""A function bound to one plan: its inputs in the plan's order, its outputs checked against the view's schema."""

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from service.codec.encoders import ColumnEncoder, Unencodable, encoder_for
from service.codec.values import ColumnCodec, codec_for
from service.errors import ComputationFailed, UnreadableValue
from service.transforms.alarm import OverBudget
from service.transforms.functions import Function
from service.transforms.modes import MODES, InputSpec, Misfit, Values

# What a call gives for each output: a column of values as a codec decodes them, and whether none of them is null.
Output = tuple[Sequence[Any], bool]


class FunctionRaised(Exception):
    """A function raised; as a string the name of what it raised, which is the cause."""


class Call:
    """A function, the layout of its inputs and the outputs that are wanted. One for each computation of a plan."""

    def __init__(self, function: Function, inputs: Sequence[InputSpec], outputs: Sequence[str]) -> None:
        """`outputs` are names of the view's features; raises ComputationFailed for a function that couldn't be loaded."""
        types = {feature.name: feature.value_type for feature in function.features}
        self.function = function
        self._outputs = [_Output(name, types[name], encoder_for(types[name]), codec_for(types[name])) for name in outputs]
        self._mode = MODES[function.mode](function.require(), inputs, outputs)

    def __call__(self, columns: Values, rows: int) -> list[Output]:
        """The outputs for columns in the order of `inputs`, a value a row. Hot.

        Raises FunctionRaised, ComputationFailed where outputs don't fit the schema, and UnreadableValue where inputs don't fit
        what a function gets.
        """
        function = self.function
        try:
            prepared = self._mode.prepare(columns, rows)
        except Exception as error:  # numpy, pandas and pyarrow raise what they like
            raise UnreadableValue(
                f"On-demand feature view {function.view}: values of its inputs aren't of the types that their views give them."
            ) from error
        try:
            given = self._call(prepared, rows)
            return [_check(output, given[output.name], rows) for output in self._outputs]
        except Misfit as misfit:
            raise ComputationFailed(function.view, function.name, misfit.what, misfit.row) from None

    def _call(self, prepared: Any, rows: int) -> Mapping[str, Sequence[Any]]:
        try:
            return self._mode.call(prepared, rows)
        except (OverBudget, Misfit):
            raise
        except BaseException as error:  # SystemExit, too, and what libraries derive from BaseException
            raise FunctionRaised(type(error).__name__) from error

    def find_row(self, columns: Values, rows: int) -> int | None:
        """A row with which the function raises even if it is alone, found by halving; None if it then doesn't."""
        first, last = 0, rows
        while last - first > 1:
            middle = (first + last) // 2
            if self._raises(columns, first, middle):
                last = middle
            else:
                first = middle
        return first if self._raises(columns, first, last) else None

    def _raises(self, columns: Values, first: int, last: int) -> bool:
        rows = last - first
        try:
            self._call(self._mode.prepare([column[first:last] for column in columns], rows), rows)
        except FunctionRaised:
            return True
        except Misfit:
            return False
        return False


class _Output(NamedTuple):
    """A feature that is wanted of a function: how its values are written and read."""

    name: str
    value_type: str
    encoder: ColumnEncoder
    codec: ColumnCodec


def _check(output: _Output, values: Sequence[Any], rows: int) -> Output:
    """A column through its type's bytes, so that it is what it would be if it had been stored. NaN is null, as in Feast."""
    if len(values) != rows:
        raise Misfit(f"gives {len(values)} values of {output.name} for {rows} rows")
    try:
        encoded = output.encoder.encode(values)
    except Unencodable:
        values = [_plain(value, output.value_type == "UNIX_TIMESTAMP") for value in values]
        try:
            encoded = output.encoder.encode(values)
        except Unencodable:
            raise _misfit(output.name, output.encoder, values) from None
    (column,), complete = output.codec.decode([encoded])
    return column, complete


def _plain(value: Any, in_seconds: bool) -> Any:
    """A value without numpy's and pandas' own types, if these are about; NaN, NaT and NA as None.

    `in_seconds` says that Feast keeps no fractions of the times, which it drops when it stores them.
    """
    if value is None or (isinstance(value, float) and value != value):
        return None
    if "service.transforms.frames" in sys.modules:
        value = sys.modules["service.transforms.frames"].plain(value)
    elif hasattr(value, "tolist"):
        value = value.astype("datetime64[us]").tolist() if value.dtype.kind == "M" else value.tolist()
    return value.replace(microsecond=0) if in_seconds and isinstance(value, datetime) else value


def _misfit(name: str, encoder: ColumnEncoder, values: Sequence[Any]) -> Misfit:
    """Which row has what no column of the type holds. What it has isn't said: it may be a customer's data."""
    for row, value in enumerate(values):
        problem = encoder.problem(value)
        if problem is not None:
            wanted, _, _ = problem.partition(", not ")
            return Misfit(f"gives a {type(value).__name__} for {name}, which {wanted}", row)
    return Misfit(f"gives values of {name} that can't be stored")
