"""What is stored of pushed rows, against what was pushed: the newest of each key, and the same bytes by both servers."""

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson

from loadtest.answers import EXAMPLES_KEPT, Comparison
from loadtest.scenario import Scenario
from loadtest.stamps import Stamp
from loadtest.wrk import CONNECTIONS, Load

Sent = Sequence[tuple[int, int]]


class StoredRow(msgspec.Struct, frozen=True):
    """One row as Feast reads it: event time in microseconds since 1970, values by feature, and the hash's bytes."""

    event_us: int
    values: dict[str, Any]
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class PushedRow:
    """One row as it was pushed. Whether it arrived is `sure` unless the request was under way when the load ended."""

    event_us: int
    values: Mapping[str, Any]
    sure: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """What a sample of pushed keys holds; `a + b` is both together.

    `older` keys hold a row that was pushed before the newest one: that got lost. `wrong` ones hold nothing that was pushed.
    """

    keys: int = 0
    older: int = 0
    wrong: int = 0
    examples: tuple[str, ...] = ()

    def __add__(self, other: "Kept") -> "Kept":
        """Return the sum of both."""
        examples = (self.examples + other.examples)[:EXAMPLES_KEPT]
        return Kept(self.keys + other.keys, self.older + other.older, self.wrong + other.wrong, examples)


def sure_requests(load: Load, stamp: Stamp) -> int:
    """Return how many of a run's requests, from the first, were surely answered when it ended.

    Each connection has one request under way. The last 8 may not even have been sent, and none but those of the last
    moments can be among the unanswered: twice the longest time that an answer took is more than that.
    """
    if not load.sent:
        return 0
    end = load.sent[-1][1] - 2 * load.max_us / stamp.tick_us
    return sum(tick < end for _, tick in load.sent[:-CONNECTIONS])


def pushed_rows(scenario: Scenario, sent: Sent, sure: int, join_key: str, ids: Iterable[int]) -> dict[int, list[PushedRow]]:
    """Return all rows that were pushed to some keys, in the order of sending; the first `sure` requests surely arrived."""
    if scenario.stamp is None:
        raise ValueError(f"{scenario.name}: rows without event times of their own can't be told apart")
    wanted = set(ids)
    bodies = {}
    for body in {body for body, _ in sent}:
        columns = orjson.loads(scenario.bodies[body])["df"]
        places = [(one, row) for row, one in enumerate(columns[join_key]) if one in wanted]
        features = [name for name, column in columns.items() if name != join_key and not _is_time(column, scenario)]
        bodies[body] = [(one, row, {name: columns[name][row] for name in features}) for one, row in places]
    found: dict[int, list[PushedRow]] = {one: [] for one in wanted}
    for number, (body, tick) in enumerate(sent):
        for one, row, values in bodies[body]:
            found[one].append(PushedRow(scenario.stamp.event_us(tick, row), values, number < sure))
    return found


def check_kept(pushed: Mapping[int, Sequence[PushedRow]], stored: Mapping[int, StoredRow | None]) -> Kept:
    """Return whether each key holds the newest of its rows. Keys to which nothing was surely pushed don't count."""
    keys = older = wrong = 0
    examples = []
    for one, rows in pushed.items():
        sure = [row.event_us for row in rows if row.sure]
        if not sure:
            continue
        keys += 1
        row = stored[one]
        meant = [each for each in rows if row is not None and each.event_us == row.event_us]
        if row is None or not any(same_values(each.values, row.values) for each in meant):
            wrong += 1
            newest = max(rows, key=lambda each: each.event_us)
            examples.append(f"{one} holds {row and (row.event_us, row.values)}, the newest row pushed to it is {newest}")
        elif row.event_us < max(sure):
            older += 1
            examples.append(f"{one} holds a row that is {max(sure) - row.event_us} us older than the newest one")
    return Kept(keys, older, wrong, tuple(examples[:EXAMPLES_KEPT]))


def same_values(pushed: Mapping[str, Any], stored: Mapping[str, Any]) -> bool:
    """Return whether a row holds what was pushed: the same features, floats to the 32 bits that the sample's have."""
    return pushed.keys() == stored.keys() and all(_float32(pushed[name]) == _float32(stored[name]) for name in pushed)


def compare_stored(stock: Mapping[int, StoredRow | None], ours: Mapping[int, StoredRow | None], bodies: int) -> Comparison:
    """Compare the hashes of the same keys after the same pushes through both servers: a cell is a field of a hash."""
    cells, different, missing = 0, [], []
    for one, row in stock.items():
        theirs, mine = (row.fields if row else {}), (found.fields if (found := ours[one]) else {})
        cells += len(theirs)
        if theirs.keys() != mine.keys():
            missing.append(f"{one}: stock has the fields {sorted(theirs)}, ours {sorted(mine)}")
        different += [
            f"{one}, field {f}: stock {theirs[f]}, ours {mine[f]}" for f in theirs if mine.get(f, theirs[f]) != theirs[f]
        ]
    return Comparison(
        bodies=bodies,
        cells=cells,
        values_differ=len(different),
        names_differ=len(missing),
        examples=tuple((different + missing)[:EXAMPLES_KEPT]),
    )


def _is_time(column: Sequence[Any], scenario: Scenario) -> bool:
    return scenario.stamp is not None and str(column[0]).startswith(scenario.stamp.mark)


def _float32(value: Any) -> Any:
    return struct.unpack("f", struct.pack("f", value))[0] if isinstance(value, float) else value
