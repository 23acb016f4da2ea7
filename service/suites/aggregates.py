"""Expectations about one figure of a whole column."""

from collections.abc import Callable
from functools import partial
from typing import Any

from service.suites.averages import Deviation, Mean, Median, Sum
from service.suites.checks import Check
from service.suites.column_statistics import DistinctCount, Extreme, Statistic, UniqueProportion
from service.suites.comparison import interval_of
from service.suites.frame import Frame, RowFilter
from service.suites.outcomes import Outcome
from service.suites.verdicts import judge
from service.suites.whole_arguments import AggregateArguments, FloatBounds, IntegerBounds


class AggregateCheck(Check[Statistic]):
    """About one figure of a column."""

    statistic: Callable[[], Statistic]
    name: str

    def __init__(self, expectation: Any, arguments: Any, condition: RowFilter | None) -> None:
        super().__init__(expectation, arguments, condition)
        self._column: str = arguments.column
        self._interval = interval_of(arguments)

    def begin(self) -> Statistic:
        """See Check."""
        return self.statistic()

    def take(self, state: Statistic, frame: Frame, offset: int) -> None:
        """See Check."""
        state.observe(frame.find(self._column, self.condition))

    def conclude(self, state: Statistic) -> Outcome:
        """The figure lies within the bounds."""
        success, observed = judge(state.figure(), self._interval)
        return Outcome(self, success, {"observed_value": observed})

    def rule(self) -> str:
        """See Check."""
        return f"the {self.name} of {self._column} must be {self._interval}"


class Minimum(AggregateCheck):
    """expect_column_min_to_be_between."""

    model = AggregateArguments
    statistic = partial(Extreme, greatest=False)
    name = "least value"


class Maximum(AggregateCheck):
    """expect_column_max_to_be_between."""

    model = AggregateArguments
    statistic = partial(Extreme, greatest=True)
    name = "greatest value"


class MeanBetween(AggregateCheck):
    """expect_column_mean_to_be_between."""

    model = AggregateArguments
    statistic = Mean
    name = "mean"


class MedianBetween(AggregateCheck):
    """expect_column_median_to_be_between."""

    model = AggregateArguments
    statistic = Median
    name = "median"


class SumBetween(AggregateCheck):
    """expect_column_sum_to_be_between."""

    model = AggregateArguments
    statistic = Sum
    name = "sum"


class DeviationBetween(AggregateCheck):
    """expect_column_stdev_to_be_between."""

    model = FloatBounds
    statistic = Deviation
    name = "standard deviation"


class DistinctCountBetween(AggregateCheck):
    """expect_column_unique_value_count_to_be_between."""

    model = IntegerBounds
    statistic = DistinctCount
    name = "number of different values"


class UniqueProportionBetween(AggregateCheck):
    """expect_column_proportion_of_unique_values_to_be_between."""

    model = FloatBounds
    statistic = UniqueProportion
    name = "proportion of different values"
