"""Two servers' answers to one request, held against each other and against what was written.

Values and event times must be stock's. Names, their order and the statuses are held against the request and the rows,
since stock answers PRESENT for everything and in any order; where stock gives a value that is too old, ours is null.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from feast.feature_view import DUMMY_ENTITY_ID
from feast.type_map import NULL_TIMESTAMP_INT_VALUE

from .world import Column, World

EPOCH_TEXT = "1970-01-01T00:00:00Z"


@dataclass(frozen=True)
class Vector:
    """One name's part of an answer, a row each."""

    values: list[Any]
    statuses: list[str]
    event_timestamps: list[str]


class Answer:
    """A successful answer of /get-online-features, parsed."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        """`body` as {"results": [...], "metadata": {"feature_names": [...]}}."""
        self.names: list[str] = body["metadata"]["feature_names"]
        self.vectors = [Vector(**result) for result in body["results"]]
        self.view_metadata: list[dict[str, Any]] | None = body["metadata"].get("feature_view_metadata")

    def __getitem__(self, name: str) -> Vector:
        """The vector of a name."""
        return self.vectors[self.names.index(name)]


def collision(response: httpx.Response) -> set[str] | None:
    """The names that an answer says would be given twice, in Feast's words; None when it says something else."""
    body = response.json()
    if isinstance(body, str) and body.startswith("{"):  # Feast's error bodies: a string that holds JSON
        body = {"detail": json.loads(body)["message"]}
    detail = body.get("detail", "") if isinstance(body, dict) else ""
    match = re.match(r"Duplicate features named (.*) found\.\nTo resolve this collision, ", detail)
    # Stock cuts a feature's name at its first colon.
    return {name.partition(":")[0] for name in match[1].split(", ")} if match else None


def differences(world: World, body: Mapping[str, Any], stock: Answer, ours: Answer) -> Iterator[str]:
    """Everything in which our answer isn't what it should be, in words; nothing when all is well."""
    columns, full = world.columns(body), body.get("full_feature_names", False)
    shown = [name for name in body["entities"] if name != DUMMY_ENTITY_ID]
    expected_names = shown + [column.name(full) for column in columns]
    if ours.names != expected_names:
        yield f"names are {ours.names}, should be {expected_names}"
        return
    if sorted(stock.names) != sorted(ours.names):
        yield f"stock names {stock.names}, we {ours.names}"
        return
    rows = len(next(iter(body["entities"].values())))
    for name in shown:
        yield from _unequal(name, ours[name], stock[name])
    for column in columns:
        yield from _unequal(column.name(full), ours[column.name(full)], _expected(world, body, column, stock, rows))
    yield from _metadata_differences(body, columns, stock, ours)


def _expected(world: World, body: Mapping[str, Any], column: Column, stock: Answer, rows: int) -> Vector:
    """Stock's values and times for one feature, with true statuses and without values that are too old."""
    theirs = stock[column.name(body.get("full_feature_names", False))]
    values, statuses = [], []
    for position in range(rows):
        value, status = theirs.values[position], "PRESENT"
        row = world.row(column, body["entities"], position)
        stored = row and row.values.get(column.feature)
        if row and expired(row.event_time, column.view.ttl):
            value, status = None, "OUTSIDE_MAX_AGE"
        elif stored is None:  # no row, or one from before the view had this feature
            status = "NOT_FOUND"
        elif stored.WhichOneof("val") == "scalar_map_val":
            value = SCALAR_MAP
        elif value is None or stored.unix_timestamp_val == NULL_TIMESTAMP_INT_VALUE:  # NaT, which stock answers as a number
            value, status = None, "NULL_VALUE"
        values.append(value)
        statuses.append(status)
    return Vector(values, statuses, theirs.event_timestamps)


def expired(event_time: datetime, ttl: timedelta | None) -> bool:
    """Whether a row is older than its view allows; a ttl of zero is forever."""
    return bool(ttl) and datetime.now(UTC) - event_time > ttl


def _unequal(name: str, ours: Vector, expected: Vector) -> Iterator[str]:
    for part in ("values", "statuses", "event_timestamps"):
        mine, theirs = getattr(ours, part), getattr(expected, part)
        if len(mine) != len(theirs):
            yield f"{name}: {len(mine)} {part}, should be {len(theirs)}"
        for position, (one, other) in enumerate(zip(mine, theirs, strict=False)):
            if not same(one, other):
                yield f"{name}, row {position}: {part} has {one!r}, should be {other!r}"


def _metadata_differences(body: Mapping[str, Any], columns: Sequence[Column], stock: Answer, ours: Answer) -> Iterator[str]:
    mine, theirs = ours.view_metadata, stock.view_metadata
    if body.get("feature_service") and mine is not None and theirs is not None:
        # Stock forgets the version of a view that it reads through a service.
        mine, theirs = ([{"name": entry["name"]} for entry in entries] for entries in (mine, theirs))
    if mine != theirs:
        yield f"view metadata is {mine}, should be {theirs}"


class _ScalarMap:
    """Stands for the object that we answer where stock gives up and answers null."""

    def __repr__(self) -> str:
        return "an object"


SCALAR_MAP = _ScalarMap()


def same(one: Any, other: Any) -> bool:
    """Whether two parsed JSON values are the same, 1 and 1.0 and -0.0 told apart, the order of an object's keys not."""
    if other is SCALAR_MAP:
        return isinstance(one, dict)
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
