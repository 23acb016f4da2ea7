"""Bounds, and how pandas and GX compare values with them."""

import operator
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from service.suites.dtypes import Dtype
from service.suites.errors import MetricError
from service.suites.instants import is_comparable


class Interval:
    """Two bounds, either of which may be missing or exclusive."""

    def __init__(self, low: Any, high: Any, *, strict_low: bool = False, strict_high: bool = False) -> None:
        self.low = low
        self.high = high
        self._above = operator.gt if strict_low else operator.ge
        self._below = operator.lt if strict_high else operator.le

    @property
    def above(self) -> str:
        """The operator between a value and the lower bound."""
        return ">" if self._above is operator.gt else ">="

    @property
    def below(self) -> str:
        """The operator between a value and the upper bound."""
        return "<" if self._below is operator.lt else "<="

    def is_above(self, value: Any) -> bool:
        """Whether the value is above the lower bound; raises TypeError when the two don't compare."""
        return self.low is None or self._above(value, self.low)

    def is_below(self, value: Any) -> bool:
        """Whether the value is below the upper bound; raises TypeError when the two don't compare."""
        return self.high is None or self._below(value, self.high)

    def holds(self, value: Any) -> bool:
        """Whether the value lies within; raises TypeError when it doesn't compare with a bound. Hot."""
        low, high = self.low, self.high
        return (low is None or self._above(value, low)) and (high is None or self._below(value, high))

    def outside(self, values: Sequence[Any]) -> list[int]:
        """Indices of the values that don't lie within."""
        holds = self.holds
        return [index for index, value in enumerate(values) if not holds(value)]

    def defect(self) -> str | None:
        """Why no value can be compared with these bounds, as GX says it."""
        try:
            if self.low is not None and self.high is not None and self.low > self.high:
                return "min_value cannot be greater than max_value"
        except TypeError as error:
            return str(error)
        return None

    def __str__(self) -> str:
        words = []
        if self.low is not None:
            words.append(f"{'greater than' if self._above is operator.gt else 'at least'} {_plain(self.low)}")
        if self.high is not None:
            words.append(f"{'less than' if self._below is operator.lt else 'at most'} {_plain(self.high)}")
        return " and ".join(words) or "anything"


def interval_of(arguments: Any) -> Interval:
    """The bounds among an expectation's arguments."""
    return Interval(
        arguments.min_value,
        arguments.max_value,
        strict_low=getattr(arguments, "strict_min", False),
        strict_high=getattr(arguments, "strict_max", False),
    )


def check_bounds(interval: Interval, dtype: Dtype) -> None:
    """Raise as pandas does when a column of timestamps is compared with something else."""
    for bound in (interval.low, interval.high):
        if bound is not None and not (isinstance(bound, datetime) and is_comparable(bound, dtype)):
            raise MetricError(f"Invalid comparison between dtype={dtype.name} and {type(bound).__name__}")


def _plain(bound: Any) -> str:
    """A bound as people write it: GX has made a float of every number."""
    return f"{bound:.15g}" if isinstance(bound, float) else str(bound)
