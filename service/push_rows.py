"""Pushed columns to typed rows: every value checked and encoded, every value that doesn't fit named with its row. No I/O."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.codec.encoders import Unencodable
from service.codec.event_times import EventTimes, event_time_problem, parse_event_times
from service.codec.timestamps import format_timestamp
from service.errors import InvalidRequest, Problem
from service.keys import DUMMY_JOIN_KEY, DUMMY_VALUE, JoinKey
from service.push_plan import PushPlan

_NANOSECONDS = 1_000_000_000
# Feast's SDK sends a time of creation that is null among others as pandas calls it: str(pandas.NaT).
_NO_TIME = (None, "NaT")
# The id of views without an entity, as JoinKey.encode gives it.
_DUMMY_ID = JoinKey(DUMMY_JOIN_KEY, "STRING").encode([DUMMY_VALUE], DUMMY_JOIN_KEY)

Columns = Mapping[str, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows as they were pushed. `positions` are their places in the request; `unit` is what its integer times count.

    `latest` is the last nanosecond (since 1970) that an event time may have: one for all of a request, however often its rows
    are looked at.
    """

    columns: Columns
    positions: Sequence[int]
    unit: str | None
    latest: int

    def __len__(self) -> int:
        return len(self.positions)

    def without(self, rows: Mapping[int, object]) -> "Batch":
        """The rows whose places in this batch aren't in `rows`."""
        kept = [row for row in range(len(self)) if row not in rows]
        columns = {name: [column[row] for row in kept] for name, column in self.columns.items()}
        return Batch(columns, [self.positions[row] for row in kept], self.unit, self.latest)

    def row(self, row: int) -> dict[str, Any]:
        """One row as an object."""
        return {name: column[row] for name, column in self.columns.items()}


@dataclass(frozen=True, slots=True)
class TypedRows:
    """Rows ready to be written: the keys of each group, event times, and a column of bytes for each of the plan's features.

    `created` are the times at which the rows were made, where they were pushed; the online store has no place for them.
    """

    keys: Sequence[Sequence[bytes]]
    times: EventTimes
    values: Sequence[Sequence[bytes]]
    created: Sequence[datetime | None] | None


def type_rows(plan: PushPlan, batch: Batch) -> tuple[TypedRows | None, dict[int, list[Problem]]]:
    """The typed rows, or by row what is wrong with them, counted from the batch's start. Hot as long as nothing is."""
    reading = _Reading(plan, batch)
    ids = [reading.ids(key) for key in plan.join_keys]
    times = reading.times()
    values = [reading.values(feature.name, feature.encoder) for feature in plan.features]
    created = reading.created()
    if reading.problems or times is None:
        return None, reading.problems
    keys = [
        group.encoder.encode([ids[index] for index in group.inputs] if group.inputs else [_DUMMY_ID * len(batch)])
        for group in plan.groups
    ]
    return TypedRows(keys, times, values, created), {}


class _Reading:
    """One pass over the columns of a batch, and what was found wrong with its rows."""

    def __init__(self, plan: PushPlan, batch: Batch) -> None:
        self._plan = plan
        self._batch = batch
        self._layout = plan.layout(tuple(batch.columns))
        self.problems: dict[int, list[Problem]] = {}

    def ids(self, key: JoinKey) -> list[bytes]:
        given = self._layout[key.name]
        try:
            return key.encode(self._batch.columns[given], given)
        except InvalidRequest:
            self._explain(given, key.problem)
            return []

    def times(self) -> EventTimes | None:
        given = self._layout[self._plan.event_time]
        unit, latest = self._batch.unit, self._batch.latest
        try:
            times = parse_event_times(self._batch.columns[given], unit)
        except Unencodable:
            self._explain(given, lambda value: event_time_problem(value, unit))
            return None
        if max(times.nanoseconds) > latest:
            limit = format_timestamp(latest // _NANOSECONDS, 0)
            for row, moment in enumerate(times.nanoseconds):
                if moment > latest:
                    said = f"{given} lies in the future, beyond {limit}: every later push to its key would be taken for stale."
                    self._add(row, given, said)
        return times

    def values(self, name: str, encoder: Any) -> list[bytes]:
        given = self._layout[name]
        try:
            encoded: list[bytes] = encoder.encode(self._batch.columns[given])
        except Unencodable:
            self._explain(given, encoder.problem)
            return []
        return encoded

    def created(self) -> Sequence[datetime | None] | None:
        """Nulls stay nulls, also in pandas' word for them; None where there is no such column."""
        given = self._layout.get(self._plan.created)
        if given is None:
            return None
        unit = self._batch.unit
        column = self._batch.columns[given]
        present = [value for value in column if value not in _NO_TIME]
        try:
            times = iter(parse_event_times(present, unit).datetimes())
        except Unencodable:
            self._explain(given, lambda value: None if value in _NO_TIME else event_time_problem(value, unit))
            return None
        return [None if value in _NO_TIME else next(times) for value in column]

    def _explain(self, given: str, problem: Callable[[Any], str | None]) -> None:
        """Look at each value of a column in which one doesn't fit."""
        for row, value in enumerate(self._batch.columns[given]):
            said = problem(value)
            if said is not None:
                self._add(row, given, f"{given} {said}.")

    def _add(self, row: int, given: str, message: str) -> None:
        self.problems.setdefault(row, []).append(Problem(message, given, self._batch.positions[row]))


def frame_columns(plan: PushPlan, batch: Batch, typed: TypedRows) -> dict[str, Sequence[Any]]:
    """The columns that a suite sees, as they came: each under its feature's or join key's name, times as UTC datetimes."""
    names = {given: name for name, given in plan.layout(tuple(batch.columns)).items()}
    times = _times(plan, typed)
    return {names[given]: times.get(names[given], column) for given, column in batch.columns.items()}


def source_columns(plan: PushPlan, batch: Batch, typed: TypedRows) -> dict[str, Sequence[Any]]:
    """The columns that the offline store gets: under the names that they came with, times under the batch source's."""
    times = _times(plan, typed)
    given = {column: name for name, column in plan.layout(tuple(batch.columns)).items() if name in times}
    return {given.get(column, column): times.get(given.get(column, column), values) for column, values in batch.columns.items()}


def _times(plan: PushPlan, typed: TypedRows) -> dict[str, Sequence[Any]]:
    times: dict[str, Sequence[Any]] = {plan.event_time: typed.times.datetimes()}
    return times if typed.created is None else {**times, plan.created: typed.created}


def parse_times(plan: PushPlan, columns: Columns, unit: str | None) -> dict[str, Sequence[Any]]:
    """Any columns as a suite would see them in a push to the plan's target, as far as they are there.

    Raises InvalidRequest for times that can't be read.
    """
    found: dict[str, Sequence[Any]] = {}
    problems: list[Problem] = []
    for given, column in columns.items():
        name = plan.aliases.get(given, given)
        if name not in (plan.event_time, plan.created):
            found[name] = column
            continue
        absent = _NO_TIME if name == plan.created else (None,)
        present = [value for value in column if value not in absent]
        try:
            times = iter(parse_event_times(present, unit).datetimes())
            found[name] = [None if value in absent else next(times) for value in column]
        except Unencodable:
            said = [(row, event_time_problem(value, unit)) for row, value in enumerate(column) if value not in absent]
            problems += [Problem(f"{given} {problem}.", given, row) for row, problem in said if problem is not None]
    if problems:
        raise InvalidRequest(problems)
    return found
