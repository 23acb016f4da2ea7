"""Reads with on-demand features of the sample repository, in both of its forms; and our plain Python beside stock's pandas."""

from collections.abc import Iterator, Sequence
from random import Random

import orjson

from loadtest.markdown import number, verdict
from loadtest.results import Results
from loadtest.scenario import BODIES, SEED, Group, Scenario
from loadtest.servers import Kind

PANDAS, PYTHON = "pandas", "python"
VIEWS = {PANDAS: "customer_derived_features", PYTHON: "customer_derived_features_python"}
DERIVED = ("balance_to_spend_ratio", "is_high_value")
# Mode and entities: the ratio that is aimed at. That of plain Python is meant beside stock's pandas: see `beside_pandas`.
TARGETS = {(PANDAS, 1): 4.0, (PANDAS, 100): 13.0, (PYTHON, 1): 25.0, (PYTHON, 100): 25.0}
MOST_BALANCE = 20_000  # euros


def scenarios(stored: Sequence[str], alive: Sequence[int]) -> list[Scenario]:
    """Return the reads of some stored features and both on-demand ones, in each mode, of 1 and of 100 customers."""
    return [_scenario(mode, entities, stored, alive) for mode, entities in TARGETS]


def scenario_name(mode: str, entities: int, stored: int = 4) -> str:
    """Return what a scenario is called: 1x4+2-pandas."""
    return f"{entities}x{stored}+{len(DERIVED)}-{mode}"


def _scenario(mode: str, entities: int, stored: Sequence[str], alive: Sequence[int]) -> Scenario:
    """Both modes have the same bodies but for the view: random customers, each with a random balance of euros and cents."""
    random = Random(f"{SEED} on demand {entities}")
    features = [*stored, *(f"{VIEWS[mode]}:{name}" for name in DERIVED)]

    def body() -> bytes:
        balances = [round(random.uniform(0, MOST_BALANCE), 2) for _ in range(entities)]
        asked = {"customer_id": random.sample(alive, entities), "current_balance": balances}
        return orjson.dumps({"features": features, "entities": asked})

    return Scenario(
        name=scenario_name(mode, entities, len(stored)),
        title=f"{'1 entity' if entities == 1 else f'{entities} entities'} x ({len(stored)} + {len(DERIVED)}) features, {mode}",
        label=f"{entities}, {mode}",
        group=Group.ON_DEMAND,
        path="/get-online-features",
        bodies=tuple(body() for _ in range(BODIES)),
        target=TARGETS[mode, entities] if mode == PANDAS else None,  # of plain Python: see `beside_pandas`
        derived=DERIVED,
    )


def beside_pandas(results: Results) -> str:
    """Return how our plain Python compares with stock's pandas, which is the form that stock's users have; "" without both."""
    said = list(_beside_pandas(results))
    if not said:
        return ""
    return f"Plain Python at this service beside pandas at stock Feast, requests/s and CPU: {'; '.join(said)}."


def _beside_pandas(results: Results) -> Iterator[str]:
    for mode, entities in TARGETS:
        stock = results.measured(scenario_name(PANDAS, entities), Kind.STOCK)
        ours = results.measured(scenario_name(PYTHON, entities), Kind.OURS)
        if mode == PYTHON and stock and ours:
            ratios = ours.per_second / stock.per_second, stock.cpu_us / ours.cpu_us
            target = TARGETS[mode, entities]
            what = "1 entity" if entities == 1 else f"{entities} entities"
            times = " and ".join(f"**{number(ratio)}**" for ratio in ratios)
            yield f"{what} {times} times (to reach {target:g}: {verdict(min(ratios) >= target)})"
