"""Expectations about the type of each value, which GX answers from the dtype unless the column holds Python objects."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from service.suites.arguments import TypeArguments, TypeListArguments
from service.suites.column import Column
from service.suites.column_maps import ColumnMapCheck
from service.suites.dtypes import OBJECT, Dtype
from service.suites.errors import MetricError
from service.suites.frame import Frame
from service.suites.outcomes import Outcome, Tally
from service.suites.type_names import TypeNames, resolve


@dataclass(slots=True)
class TypeTally(Tally):
    """Counts of values, or the dtype that answers for all of them."""

    dtype: Dtype | None = None


class TypeCheck(ColumnMapCheck):
    """About the type of each value."""

    names: TypeNames | None

    def begin(self) -> TypeTally:
        """See Check."""
        return TypeTally()

    def take(self, state: Any, frame: Frame, offset: int) -> None:
        """See Check."""
        if self.column not in frame.names:
            # GX looks for a column of this very name, and takes the first that it finds.
            raise MetricError("list index out of range")
        dtype = frame.column(self.column).dtype
        if self.asks_values(dtype):
            super().take(state, frame, offset)
        else:
            state.dtype = dtype

    def conclude(self, state: Any) -> Outcome:
        """By the dtype, or by enough of the values."""
        if state.dtype is None:
            return super().conclude(state)
        return Outcome(self, self.fits(state.dtype), {"observed_value": state.dtype.scalar})

    @abstractmethod
    def asks_values(self, dtype: Dtype) -> bool:
        """Whether the values decide in a column of this dtype."""

    @abstractmethod
    def fits(self, dtype: Dtype) -> bool:
        """Whether the dtype is right, where the values aren't asked."""

    @abstractmethod
    def unresolved(self) -> str:
        """What GX says when none of the names is a type."""

    def unexpected(self, column: Column) -> Sequence[int]:
        """See ColumnMapCheck."""
        if self.names is None or not self.names.any_resolved:
            raise MetricError(self.unresolved())
        python = self.names.python
        fine = {kind for kind in column.types if issubclass(kind, python)}
        if fine == column.types:
            return ()
        return [index for index, value in enumerate(column.present) if type(value) not in fine]


class OfType(TypeCheck):
    """expect_column_values_to_be_of_type."""

    model = TypeArguments

    def __init__(self, expectation: Any, arguments: Any, condition: Any) -> None:
        super().__init__(expectation, arguments, condition)
        self.names = resolve([arguments.type_])

    def asks_values(self, dtype: Dtype) -> bool:
        """See TypeCheck."""
        return dtype is OBJECT and self.arguments.type_ not in ("object", "object_", "O")

    def fits(self, dtype: Dtype) -> bool:
        """See TypeCheck."""
        return dtype is OBJECT or (self.names is not None and self.names.are_class_of(dtype))

    def unresolved(self) -> str:
        """See TypeCheck."""
        return f"Unrecognized numpy/python type: {self.arguments.type_}"

    def rule(self) -> str:
        """See Check."""
        return f"{self.column} must be of type {self.arguments.type_}"


class InTypeList(TypeCheck):
    """expect_column_values_to_be_in_type_list."""

    model = TypeListArguments

    def __init__(self, expectation: Any, arguments: Any, condition: Any) -> None:
        super().__init__(expectation, arguments, condition)
        names = arguments.type_list
        self.names = None if names is None else resolve(names)

    def asks_values(self, dtype: Dtype) -> bool:
        """See TypeCheck."""
        return dtype is OBJECT and self.names is not None

    def fits(self, dtype: Dtype) -> bool:
        """See TypeCheck."""
        return self.names is None or self.names.equal(dtype)

    def unresolved(self) -> str:
        """See TypeCheck."""
        return f"No recognized numpy/python type in list: {self.arguments.type_list}"

    def rule(self) -> str:
        """See Check."""
        return f"the type of {self.column} must be one of {', '.join(self.arguments.type_list or ())}"
