"""A scenario: one kind of request, enough different bodies of it, and how two answers are compared."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, TypeAlias

import orjson

from loadtest.answers import Comparison, compare_online_features

BODIES = 256  # enough to touch most of 10,000 keys at 100 a body; small enough to be built in advance
SEED = 20240501
JSON_HEADERS = (("Content-Type", "application/json"),)

Check: TypeAlias = Callable[[bytes, bytes], Comparison]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One line of the report. `check(stock, ours)` compares two 2xx answers to the same body.

    `target` is the ratio to stock that is aimed at, in requests/s and in CPU per request; None when there is none.
    """

    name: str
    title: str
    method: str
    path: str
    bodies: tuple[bytes, ...]
    check: Check
    headers: tuple[tuple[str, str], ...] = JSON_HEADERS
    target: float | None = None


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
        method="POST",
        path="/get-online-features",
        bodies=bodies,
        check=compare_online_features,
        target=target,
    )
