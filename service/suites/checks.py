"""What a compiled expectation is: a check that takes in frames, and then concludes.

A single frame is taken in once; a file in batches, each with the number of the row that it starts at. What has to be
remembered from one batch to the next is the check's state: for most a few numbers, whatever the number of rows.
"""

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any, Generic, TypeVar

from service.suites.arguments import Arguments
from service.suites.expectation import Expectation
from service.suites.frame import Frame, RowFilter
from service.suites.jsonable import to_json
from service.suites.outcomes import Outcome

State = TypeVar("State")


class Check(ABC, Generic[State]):
    """One compiled expectation."""

    model: type[Arguments]

    def __init__(self, expectation: Expectation, arguments: Any, condition: RowFilter | None) -> None:
        """`arguments` is an instance of `model`; raises Uncompilable for what can't be evaluated exactly here."""
        self.expectation = expectation
        self.arguments = arguments
        self.condition = condition

    @abstractmethod
    def begin(self) -> State:
        """The state of an evaluation that has seen nothing yet."""

    @abstractmethod
    def take(self, state: State, frame: Frame, offset: int) -> None:
        """Take in a frame whose first row is row `offset` of the whole; raises whatever GX's metric would raise. Hot."""

    @abstractmethod
    def conclude(self, state: State) -> Outcome:
        """The outcome of all that was taken in; raises whatever GX would raise. Hot."""

    @abstractmethod
    def rule(self) -> str:
        """What would be right, as the beginning of a sentence: 'age must be at least 0'."""

    @cached_property
    def configuration(self) -> dict[str, Any]:
        """GX's expectation_config, without the batch's id."""
        arguments = self.arguments
        configuration: dict[str, Any] = {
            "type": self.expectation.type,
            "kwargs": to_json(arguments.kwargs()),
            "meta": to_json(arguments.meta or {}),
            "severity": arguments.severity.value,
        }
        for name in ("id", "notes", "description"):
            value = getattr(arguments, name)
            if value is not None:
                configuration[name] = value
        return configuration
