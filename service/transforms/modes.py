"""How a function is called in each of Feast's modes: columns to what it gets, and what it gives to a column for each output.

What Feast hands over is in feast/on_demand_feature_view.py and feast/transformation: columns under their short and their full
names, as a dict of lists, a dict of one row's values, a pandas frame or an Arrow table.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from service.codec.values import codec_for

Values = Sequence[Sequence[Any]]


class InputSpec(NamedTuple):
    """A column that a function gets: its names there, its Feast type."""

    names: tuple[str, ...]
    value_type: str


class Misfit(Exception):
    """What a function gives isn't what its view promises; `row` is None where no single row is meant."""

    def __init__(self, what: str, row: int | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.row = row


class Mode(Protocol):
    """A function bound to the layout of its inputs."""

    def prepare(self, columns: Values, rows: int) -> Any:
        """What the function gets; it may change it without harm to anybody else. Hot."""

    def call(self, prepared: Any, rows: int) -> Mapping[str, Sequence[Any]]:
        """Each output that is wanted, a value a row. Raises Misfit, and whatever the function raises. Hot."""


class PythonMode:
    """A dict of lists to a dict of lists."""

    def __init__(self, function: Callable[..., Any], inputs: Sequence[InputSpec], outputs: Sequence[str]) -> None:
        self._function = function
        self._inputs = [(spec.names, _Own(spec.value_type)) for spec in inputs]
        self._outputs = outputs

    def prepare(self, columns: Values, rows: int) -> dict[str, Any]:
        """A list for each input, which stands under all its names."""
        given: dict[str, Any] = {}
        for (names, own), column in zip(self._inputs, columns, strict=True):
            values = own(column)
            for name in names:
                given[name] = values
        return given

    def call(self, prepared: dict[str, Any], rows: int) -> Mapping[str, Sequence[Any]]:
        """One call for all rows."""
        found = _require_outputs(self._function(prepared), self._outputs)
        return {name: _to_list(name, found[name]) for name in self._outputs}


class SingletonMode:
    """A dict of one row's values to a dict of its outputs."""

    def __init__(self, function: Callable[..., Any], inputs: Sequence[InputSpec], outputs: Sequence[str]) -> None:
        self._function = function
        self._columns = PythonMode(function, inputs, outputs)
        self._outputs = outputs

    def prepare(self, columns: Values, rows: int) -> list[dict[str, Any]]:
        """A dict for each row."""
        given = self._columns.prepare(columns, rows)
        return [dict(zip(given, values, strict=True)) for values in zip(*given.values(), strict=True)]

    def call(self, prepared: list[dict[str, Any]], rows: int) -> Mapping[str, Sequence[Any]]:
        """One call for each row."""
        given: dict[str, list[Any]] = {name: [] for name in self._outputs}
        for row in prepared:
            found = _require_outputs(self._function(row), self._outputs)
            for name, column in given.items():
                column.append(found[name])
        return given


class PandasMode:
    """A frame to a frame."""

    def __init__(self, function: Callable[..., Any], inputs: Sequence[InputSpec], outputs: Sequence[str]) -> None:
        from service.transforms.frames import FrameBuilder, to_values

        self._function = function
        self.prepare = FrameBuilder([spec.names for spec in inputs], [spec.value_type for spec in inputs])
        self._to_values = to_values
        self._outputs = outputs

    def call(self, prepared: Any, rows: int) -> Mapping[str, Sequence[Any]]:
        """One call for all rows."""
        found = self._function(prepared)
        if not hasattr(found, "columns"):
            raise Misfit(f"gives a {type(found).__name__} where a pandas.DataFrame is wanted")
        for name in self._outputs:
            if name not in found.columns:
                raise Misfit(f"doesn't give {name}")
        if not found.columns.is_unique:
            raise Misfit("gives columns of one name")
        return {name: self._to_values(found, name) for name in self._outputs}


class SubstraitMode:
    """An Arrow table to an Arrow table, by a plan that pyarrow runs."""

    def __init__(self, function: bytes, inputs: Sequence[InputSpec], outputs: Sequence[str]) -> None:
        from service.transforms.tables import make_arrays, run_plan

        self._plan = function
        self._run = run_plan
        self._make = make_arrays
        self._inputs = inputs
        self._outputs = outputs

    def prepare(self, columns: Values, rows: int) -> Mapping[str, Any]:
        """An array for each name."""
        named = zip(self._inputs, columns, strict=True)
        return self._make({name: (column, spec.value_type) for spec, column in named for name in spec.names})

    def call(self, prepared: Mapping[str, Any], rows: int) -> Mapping[str, Sequence[Any]]:
        """One run for all rows."""
        found = self._run(self._plan, prepared)
        for name in self._outputs:
            if name not in found:
                raise Misfit(f"doesn't give {name}")
        return found


MODES: Mapping[str, Callable[[Any, Sequence[InputSpec], Sequence[str]], Mode]] = {
    "python": PythonMode,
    "singleton": SingletonMode,
    "pandas": PandasMode,
    "substrait": SubstraitMode,
}


class _Own:
    """Makes a list of a column that is the function's own, whatever is in it: others have the same values."""

    def __init__(self, value_type: str) -> None:
        self._codec = codec_for(value_type)
        self._is_float = value_type in ("FLOAT", "DOUBLE")

    def __call__(self, column: Sequence[Any]) -> list[Any]:
        """Hot. NaN is null, as in a training set; lists and maps are copied, which a function may change in place."""
        values = list(column) if self._codec.is_uniform else [copy.deepcopy(value) for value in column]
        return [None if value != value else value for value in values] if self._is_float else values


def _require_outputs(found: Any, outputs: Sequence[str]) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise Misfit(f"gives a {type(found).__name__} where a dict is wanted")
    for name in outputs:
        if name not in found:
            raise Misfit(f"doesn't give {name}")
    return found


def _to_list(name: str, values: Any) -> Sequence[Any]:
    if isinstance(values, list | tuple):
        return values
    if hasattr(values, "tolist"):  # numpy's arrays and pandas' series
        # Of nanoseconds numpy would give the numbers.
        listed: list[Any] = (values.astype("datetime64[us]") if _is_numpy_time(values) else values).tolist()
        return listed
    raise Misfit(f"gives a {type(values).__name__} for {name} where a list is wanted")


def _is_numpy_time(values: Any) -> bool:
    dtype = getattr(values, "dtype", None)
    return getattr(dtype, "kind", "") == "M" and type(values).__module__ == "numpy"
