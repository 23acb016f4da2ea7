"""A scenario: one kind of request, enough different bodies of it, and what it is called."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any

import orjson

from loadtest.stamps import Stamp

BODIES = 256  # enough to touch most of 10,000 keys at 100 a body; small enough to be built in advance
SEED = 20240501
JSON_HEADERS = (("Content-Type", "application/json"),)


class Group(StrEnum):
    """What a scenario's requests do; each has a table of its own."""

    READS = "reads"
    ON_DEMAND = "on-demand"
    PUSHES = "pushes"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One line of the report. `label` names it in the picture, beside others of its group.

    `target` is the ratio to stock that is aimed at, in requests/s and in CPU per request; None when there is none.
    `stamp` fills the event times in of each body when it is sent; None for bodies that are sent as they are.
    `derived` names the features that are computed: stock answers 1970 for their event times.
    """

    name: str
    title: str
    label: str
    group: Group
    path: str
    bodies: tuple[bytes, ...]
    method: str = "POST"
    headers: tuple[tuple[str, str], ...] = JSON_HEADERS
    target: float | None = None
    stamp: Stamp | None = None
    derived: tuple[str, ...] = ()


def online_features(
    entities: int, features: int, ids: Sequence[int], join_key: str, what: dict[str, Any], target: float | None = None
) -> Scenario:
    """Return a read of `features` features of `entities` different random ids a body; `what` names the features.

    The bodies depend on the arguments only: the generator has a fixed seed.
    """
    random = Random(f"{SEED} {entities} {features}")
    bodies = tuple(orjson.dumps({**what, "entities": {join_key: random.sample(ids, entities)}}) for _ in range(BODIES))
    return Scenario(
        name=f"{entities}x{features}",
        title=f"{entities} {'entity' if entities == 1 else 'entities'} x {features} features",
        label=f"{entities} x {features}",
        group=Group.READS,
        path="/get-online-features",
        bodies=bodies,
        target=target,
    )


def push(source: str, columns: dict[str, list[Any]], rows: int, bodies: int = BODIES, target: float | None = None) -> Scenario:
    """Return an online push of `rows` different random rows a body, out of the columns of many.

    `columns` are those of the push source without its times, which are stamped when a body is sent: `event_timestamp`, and
    `created_timestamp`, without which stock answers 500. The bodies depend on the arguments only.
    """
    random = Random(f"{SEED} push {rows}")
    stamp = Stamp(rows)
    times = {
        "event_timestamp": [stamp.event_time(row) for row in range(rows)],
        "created_timestamp": [stamp.created_time()] * rows,
    }

    def body() -> bytes:
        chosen = random.sample(range(len(next(iter(columns.values())))), rows)
        picked = {name: [column[row] for row in chosen] for name, column in columns.items()}
        return orjson.dumps({"push_source_name": source, "df": picked | times, "to": "online"})

    return Scenario(
        name=f"push-{rows}",
        title=f"push of {rows:,} {'row' if rows == 1 else 'rows'}",
        label=f"{rows:,} {'row' if rows == 1 else 'rows'}",
        group=Group.PUSHES,
        path="/push",
        bodies=tuple(body() for _ in range(bodies)),
        target=target,
        stamp=stamp,
    )
