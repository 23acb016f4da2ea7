"""The Feast repositories that are served, and the reads of each: a new one is a few lines here."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from loadtest import on_demand
from loadtest.answers import ids_alive
from loadtest.scenario import Group, Scenario, online_features
from loadtest.servers import Server, Site
from pipelines.local.layout import EXPECTATIONS_DIR, REPO_DIR
from pipelines.local.prepare import prepare, run_child
from pipelines.local.redis import EmbeddedRedis

SURVEY_IDS = 100  # a request, so that no server's limit stands in the way
SPARE = timedelta(hours=1)  # what is alive now must be so until the benchmark ends

CUSTOMER_STATS = "tenure_months total_purchases total_spend avg_purchase_value loyalty_score customer_segment"
TRANSACTION_STATS = "txn_count_7d txn_count_30d txn_amount_7d txn_amount_30d avg_txn_amount_7d max_txn_amount_30d"
FOUR = ["customer_stats:total_purchases", "customer_stats:total_spend", "customer_stats:loyalty_score"]
FOUR += ["customer_stats:customer_segment"]
TWELVE = [f"customer_stats:{name}" for name in CUSTOMER_STATS.split()]
TWELVE += [f"transaction_stats:{name}" for name in TRANSACTION_STATS.split()]


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository and what is read of it.

    `site` applies and fills it in a new folder, with a Redis of its own for as long as its block runs; `everything`
    names all its features in a request, `ttl` the time that each of their values lives; `scenarios` makes the scenarios
    from the ids whose values are all alive.
    """

    name: str
    site: Callable[[Path], AbstractContextManager[Site]]
    join_key: str
    ids: range
    everything: Mapping[str, Any]
    ttl: Mapping[str, timedelta]
    scenarios: Callable[[Sequence[int]], list[Scenario]]

    def survey(self, ids: Sequence[int]) -> Scenario:
        """Return the reads, 100 ids each, that ask for everything of some ids in their order."""
        bodies = tuple(
            orjson.dumps({**self.everything, "entities": {self.join_key: list(ids[i : i + SURVEY_IDS])}})
            for i in range(0, len(ids), SURVEY_IDS)
        )
        return Scenario("survey", "survey", "survey", Group.READS, "/get-online-features", bodies)

    def alive(self, server: Server) -> list[int]:
        """Ask a server for all ids and return those whose every feature has a value well within its ttl."""
        now = datetime.now(UTC)
        oldest = {name: now + SPARE - ttl for name, ttl in self.ttl.items()}
        survey = self.survey(self.ids)
        found: Iterator[int] = (
            entity for body in survey.bodies for entity in ids_alive(server.ask(survey, body), self.join_key, oldest)
        )
        return list(found)


@contextmanager
def sample_site(folder: Path, definitions: Path = REPO_DIR) -> Iterator[Site]:
    """Fill feast-repo/customer_features as `make serve` does: 10,000 customers, materialized by Feast, about 12 s.

    `definitions` is the repository's folder, if not its own: a copy in which something was changed.
    """
    prepared = prepare(definitions, folder)
    with prepared.redis:
        yield Site(definitions, prepared.config, prepared.environment, prepared.redis.pid, EXPECTATIONS_DIR)


@contextmanager
def wide_site(folder: Path) -> Iterator[Site]:
    """Fill loadtest/wide_repo: 10,000 keys with 50 features, written by Feast's own online store, about 12 s."""
    with EmbeddedRedis(folder / "redis", persist=False) as redis:
        run_child("loadtest.wide_repo", folder, environment={**os.environ, "LOADTEST_REDIS": redis.connection_string})
        yield Site(folder, folder / "feature_store.yaml", {}, redis.pid)


def sample_scenarios(alive: Sequence[int]) -> list[Scenario]:
    """Return the reads of the sample repository, with the ratios that are aimed at."""
    return [
        online_features(1, 4, alive, "customer_id", {"features": FOUR}, target=10),
        online_features(10, 12, alive, "customer_id", {"features": TWELVE}, target=25),
        online_features(100, 12, alive, "customer_id", {"features": TWELVE}, target=35),
        *on_demand.scenarios(FOUR, alive),
    ]


def wide_scenarios(alive: Sequence[int]) -> list[Scenario]:
    """Return the reads of 50 features of 5 views, by feature service as Feast's published benchmark does."""
    service = {"feature_service": "feature_service_0"}
    return [online_features(entities, 50, alive, "entity", service) for entities in (1, 10, 50, 100)]


SAMPLE = Repository(
    name="sample",
    site=sample_site,
    join_key="customer_id",
    ids=range(1001, 11_001),
    everything={"features": TWELVE},
    ttl=dict.fromkeys(CUSTOMER_STATS.split(), timedelta(days=365))
    | dict.fromkeys(TRANSACTION_STATS.split(), timedelta(days=90)),
    scenarios=sample_scenarios,
)
WIDE = Repository(
    name="wide",
    site=wide_site,
    join_key="entity",
    ids=range(1, 10_001),
    everything={"feature_service": "feature_service_0"},
    ttl={f"feature_{i}": timedelta(days=1) for i in range(50)},
    scenarios=wide_scenarios,
)
