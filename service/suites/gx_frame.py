"""The data frame that a request means: what GX judges, and what `service.suites.frame` answers for without pandas."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from service.suites.gx_messages import Refused, described


def reference_frame(columns: Mapping[str, Sequence[Any]], datetime_columns: Sequence[str]) -> Any:
    """The reference frame of a request: pandas.DataFrame of its columns, event times parsed to UTC. Raises Refused."""
    import pandas as pd  # type: ignore[import-untyped]

    try:
        frame = pd.DataFrame(dict(columns))
    except ValueError as error:
        raise Refused(f"The columns make no data frame: {described(error)}.", "columns") from error
    for name in datetime_columns:
        try:
            frame[name] = pd.Series([_moment(value) for value in columns[name]], dtype="datetime64[ns, UTC]")
        except (ValueError, TypeError, KeyError) as error:
            raise Refused(f"The column {name} isn't one of datetimes: {described(error)}.", "columns") from error
    return frame


def _moment(value: str | datetime | None) -> Any:
    """A timestamp in UTC, which is meant where no offset is given.

    One by one: pandas.to_datetime(format="ISO8601") of pandas 2.3 gives a string without an offset that of the one before it.
    """
    import pandas as pd

    if value is None:
        return pd.NaT
    if isinstance(value, str):
        datetime.fromisoformat(value)  # refuses what pandas would guess at: "now", "5/6/2026"
    elif not isinstance(value, datetime):
        raise TypeError(f"{value!r} is neither an ISO string nor a datetime")
    moment = pd.Timestamp(value)
    return moment.tz_localize("UTC") if moment.tzinfo is None else moment.tz_convert("UTC")
