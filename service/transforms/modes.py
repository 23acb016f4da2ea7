"""How a function is called in each of Feast's modes: columns in, a column for each output back.

What Feast hands over is in feast/on_demand_feature_view.py and feast/transformation: columns under their short and their full
names, as a dict of lists, a dict of one row's values, a pandas frame or an Arrow table.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

Columns = Sequence[Sequence[Any]]


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

    def __call__(self, columns: Columns, rows: int) -> Mapping[str, Sequence[Any]]:
        """Each output that is wanted, a value a row. Raises Misfit, and whatever the function raises. Hot."""


class PythonMode:
    """A dict of lists to a dict of lists."""

    def __init__(self, function: Callable[..., Any], inputs: Sequence[InputSpec], outputs: Sequence[str]) -> None:
        self._function = function
        self._inputs = [(spec.names, spec.value_type in ("FLOAT", "DOUBLE")) for spec in inputs]
        self._outputs = outputs

    def __call__(self, columns: Columns, rows: int) -> Mapping[str, Sequence[Any]]:
        """One call for all rows."""
        given: dict[str, Any] = {}
        for (names, is_float), column in zip(self._inputs, columns, strict=True):
            # A function may change its lists, so these are its own. NaN is null, as in a training set.
            values = [None if value != value else value for value in column] if is_float else list(column)
            for name in names:
                given[name] = values
        found = _require_outputs(self._function(given), self._outputs)
        return {name: _to_list(name, found[name]) for name in self._outputs}


class SingletonMode:
    """A dict of one row's values to a dict of its outputs."""

    def __init__(self, function: Callable[..., Any], inputs: Sequence[InputSpec], outputs: Sequence[str]) -> None:
        self._function = function
        self._names = [name for spec in inputs for name in spec.names]
        self._columns = [index for index, spec in enumerate(inputs) for _ in spec.names]
        self._outputs = outputs

    def __call__(self, columns: Columns, rows: int) -> Mapping[str, Sequence[Any]]:
        """One call for each row."""
        given: dict[str, list[Any]] = {name: [] for name in self._outputs}
        for values in zip(*[columns[index] for index in self._columns], strict=True):
            row = {name: None if value != value else value for name, value in zip(self._names, values, strict=True)}
            found = _require_outputs(self._function(row), self._outputs)
            for name, column in given.items():
                column.append(found[name])
        return given


class PandasMode:
    """A frame to a frame."""

    def __init__(self, function: Callable[..., Any], inputs: Sequence[InputSpec], outputs: Sequence[str]) -> None:
        from service.transforms.frames import FrameBuilder, to_values

        self._function = function
        self._frame = FrameBuilder([spec.names for spec in inputs], [spec.value_type for spec in inputs])
        self._to_values = to_values
        self._outputs = outputs

    def __call__(self, columns: Columns, rows: int) -> Mapping[str, Sequence[Any]]:
        """One call for all rows."""
        found = self._function(self._frame(columns, rows))
        if not hasattr(found, "columns"):
            raise Misfit(f"gives a {type(found).__name__} where a pandas.DataFrame is wanted")
        for name in self._outputs:
            if name not in found.columns:
                raise Misfit(f"doesn't give {name}")
        return {name: self._to_values(found, name) for name in self._outputs}


class SubstraitMode:
    """An Arrow table to an Arrow table, by a plan that pyarrow runs."""

    def __init__(self, function: bytes, inputs: Sequence[InputSpec], outputs: Sequence[str]) -> None:
        from service.transforms.tables import run_plan

        self._plan = function
        self._run = run_plan
        self._inputs = inputs
        self._outputs = outputs

    def __call__(self, columns: Columns, rows: int) -> Mapping[str, Sequence[Any]]:
        """One run for all rows."""
        named = {
            name: (column, spec.value_type) for spec, column in zip(self._inputs, columns, strict=True) for name in spec.names
        }
        found = self._run(self._plan, named)
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
        listed: list[Any] = values.tolist()
        return listed
    raise Misfit(f"gives a {type(values).__name__} for {name} where a list is wanted")
