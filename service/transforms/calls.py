"""A function bound to one plan: its inputs in the plan's order, its outputs checked against the view's schema."""

import sys
from collections.abc import Sequence
from typing import Any

from service.codec.encoders import ColumnEncoder, Unencodable, encoder_for
from service.codec.values import ColumnCodec, codec_for
from service.errors import ComputationFailed
from service.transforms.functions import Function
from service.transforms.modes import MODES, Columns, InputSpec, Misfit

# What a call gives for each output: a column of values as a codec decodes them, and whether none of them is null.
Output = tuple[Sequence[Any], bool]


class Call:
    """A function, the layout of its inputs and the outputs that are wanted. One for each computation of a plan."""

    def __init__(self, function: Function, inputs: Sequence[InputSpec], outputs: Sequence[str]) -> None:
        """`outputs` are names of the view's features; raises ComputationFailed for a function that couldn't be loaded."""
        types = {feature.name: feature.value_type for feature in function.features}
        self.function = function
        self._outputs: list[tuple[str, ColumnEncoder, ColumnCodec]] = [
            (name, encoder_for(types[name]), codec_for(types[name])) for name in outputs
        ]
        self._run = MODES[function.mode](function.require(), inputs, outputs)

    def __call__(self, columns: Columns, rows: int) -> list[Output]:
        """The outputs for columns in the order of `inputs`, a value a row. Hot.

        Raises ComputationFailed where they don't fit the schema, and whatever the function raises.
        """
        try:
            given = self._run(columns, rows)
            return [_check(name, encoder, codec, given[name], rows) for name, encoder, codec in self._outputs]
        except Misfit as misfit:
            raise ComputationFailed(self.function.view, self.function.name, misfit.what, misfit.row) from None

    def find_row(self, columns: Columns, rows: int) -> int | None:
        """A row with which the function fails even if it is alone, found by halving; None if it then doesn't."""
        first, last = 0, rows
        while last - first > 1:
            middle = (first + last) // 2
            if self._fails(columns, first, middle):
                last = middle
            else:
                first = middle
        return first if self._fails(columns, first, last) else None

    def _fails(self, columns: Columns, first: int, last: int) -> bool:
        try:
            self._run([column[first:last] for column in columns], last - first)
        except Misfit:
            return False
        except Exception:  # whatever it is: that it fails is what is asked
            return True
        return False


def _check(name: str, encoder: ColumnEncoder, codec: ColumnCodec, values: Sequence[Any], rows: int) -> Output:
    """A column through its type's bytes, so that it is what it would be if it had been stored. NaN is null, as in Feast."""
    if len(values) != rows:
        raise Misfit(f"gives {len(values)} values of {name} for {rows} rows")
    try:
        encoded = encoder.encode(values)
    except Unencodable:
        values = [_plain(value) for value in values]
        try:
            encoded = encoder.encode(values)
        except Unencodable:
            raise _misfit(name, encoder, values) from None
    (column,), complete = codec.decode([encoded])
    return column, complete


def _plain(value: Any) -> Any:
    """A value without numpy's and pandas' own types, if these are about; NaN, NaT and NA as None."""
    if value is None or (isinstance(value, float) and value != value):
        return None
    if "service.transforms.frames" in sys.modules:
        return sys.modules["service.transforms.frames"].plain(value)
    return value.tolist() if hasattr(value, "tolist") else value


def _misfit(name: str, encoder: ColumnEncoder, values: Sequence[Any]) -> Misfit:
    """Which row has what no column of the type holds. What it has isn't said: it may be a customer's data."""
    for row, value in enumerate(values):
        problem = encoder.problem(value)
        if problem is not None:
            wanted, _, _ = problem.partition(", not ")
            return Misfit(f"gives a {type(value).__name__} for {name}, which {wanted}", row)
    return Misfit(f"gives values of {name} that can't be stored")
