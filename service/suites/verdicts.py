"""Whether a figure lies within bounds, as GX decides it.

Source: `_validate_metric_value_between` of BatchExpectation in GX's expectations/expectation.py.
"""

from datetime import date, datetime
from typing import Any

from service.suites.column_statistics import Figure
from service.suites.comparison import Interval
from service.suites.errors import MetricError
from service.suites.instants import Timestamp, nanoseconds_of, read_with_dateutil
from service.suites.nulls import NotATime, is_null


def judge(figure: Figure, interval: Interval) -> tuple[bool, Any]:
    """The verdict, and the figure as GX reports it; raises what GX raises when the two don't compare."""
    value, bounds = figure.value, (interval.low, interval.high)
    if figure.kind in ("Timestamp", "Timedelta", "NaTType"):
        return _judge_time(figure, interval)
    if value is None or _is_missing(value):
        return False, None
    if any(isinstance(bound, datetime) for bound in bounds) and not isinstance(value, datetime):
        value = _parse(figure)
    if any(isinstance(bound, date) for bound in bounds) and not isinstance(value, date):
        value = _parse(figure).date()
    # numpy compares its integers with a float as floats.
    compared = float(value) if figure.kind in ("numpy.int64", "numpy.uint64") else value
    # Both are asked, and either may raise.
    above, below = interval.is_above(compared), interval.is_below(compared)
    return bool(above and below), value


def _is_missing(value: Any) -> bool:
    if isinstance(value, list):
        # pandas answers for each item, and GX takes the answer as one.
        if not value:
            raise MetricError(
                "The truth value of an empty array is ambiguous. Use `array.size > 0` to check that an array is not empty."
            )
        if len(value) > 1:
            raise MetricError("The truth value of an array with more than one element is ambiguous. Use a.any() or a.all()")
        return is_null(value[0])
    return is_null(value)


def _parse(figure: Figure) -> datetime:
    try:
        return read_with_dateutil(figure.value)
    except TypeError:
        kind = f"<class '{figure.kind}'>"
        message = f'Could not parse "metric_value" of {figure.value} (of type "{kind}) into datetime representation.'
        raise MetricError(message) from None


def _judge_time(figure: Figure, interval: Interval) -> tuple[bool, Any]:
    """The verdict on a timestamp, or on a duration, which compares with nothing that a suite can say."""
    value = figure.value
    for bound, symbol in ((interval.low, interval.above), (interval.high, interval.below)):
        if bound is None:
            continue
        if figure.kind == "Timedelta" or not isinstance(bound, date):
            raise MetricError(f"'{symbol}' not supported between instances of '{figure.kind}' and '{type(bound).__name__}'")
        if not isinstance(bound, datetime):
            raise MetricError(
                "Cannot compare Timestamp with datetime.date. Use ts == pd.Timestamp(date) or ts.date() == date instead."
            )
        zone = value.zone if isinstance(value, Timestamp) else getattr(value, "tzinfo", bound.tzinfo)
        if (zone is None) != (bound.tzinfo is None):
            raise MetricError("can't compare offset-naive and offset-aware datetimes")
    if figure.kind == "Timedelta":
        raise MetricError("a Timedelta cannot be serialized")
    if isinstance(value, NotATime):
        return interval.low is None and interval.high is None, value
    exact = Interval(
        None if interval.low is None else nanoseconds_of(interval.low),
        None if interval.high is None else nanoseconds_of(interval.high),
        strict_low=interval.above == ">",
        strict_high=interval.below == "<",
    )
    return exact.holds(value.nanoseconds if isinstance(value, Timestamp) else nanoseconds_of(value)), value
