"""One comparison, from the question to the report."""

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from feast import FeatureStore
from feast.infra.offline_stores.dask import DaskOfflineStoreConfig

from service.catalog.configuration import load_config
from service.parity.comparison import Comparison, Counts, Difference, Times
from service.parity.entities import Entities, draw
from service.parity.errors import NotComparable
from service.parity.newest_rows import NewestRows
from service.parity.offline import Offline
from service.parity.online import OnlineColumn, OnlineService, as_json
from service.parity.request_data import make_up
from service.parity.selection import Selection, select


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be compared with what; either `service` or `references` is set, `at` is None for now."""

    repo: Path
    service: str | None
    references: Sequence[str] | None
    url: str
    sample: int
    seed: int
    rtol: float = 0.0
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What was found. `not_compared` says of on-demand feature views why Feast can't compute them for training."""

    question: Question
    project: str
    entities: Entities
    moment: datetime
    counts: list[Counts]
    differences: list[Difference]
    not_compared: dict[str, str]

    def as_json(self, shown: int) -> dict[str, Any]:
        """The same for machines, with the first `shown` differences."""
        return {
            "project": self.project,
            "url": self.question.url,
            "at": self.moment.isoformat(),
            "seed": self.question.seed,
            "rows": self.entities.rows,
            "unknown_entities": self.entities.unknown,
            "features": [
                {
                    "feature": counts.reference,
                    "rows": counts.rows,
                    "equal": counts.equal,
                    "differing": counts.differing,
                    "only_online": counts.only_online,
                    "only_offline": counts.only_offline,
                    "expired": counts.expired,
                }
                for counts in self.counts
            ],
            "not_compared": self.not_compared,
            "number_of_differences": len(self.differences),
            "differences": [
                {
                    "entity": {name: as_json(value) for name, value in one.entity.items()},
                    "feature": one.reference,
                    "online": one.online,
                    "offline": one.offline,
                    "reason": one.reason,
                }
                for one in self.differences[:shown]
            ],
        }


def compare(question: Question) -> Report:
    """Read both sides and compare them; raises ConfigurationError and NotComparable."""
    _silence()
    store = _open(question.repo)
    selection = select(store, question.service, question.references)
    random = np.random.default_rng(question.seed)
    begin = datetime.now(UTC)
    newest = {view.label: NewestRows(store, view, question.at or begin) for view in selection.views}
    entities = draw(selection.views, newest, question.sample, begin, random, request=bool(selection.request))
    request = make_up(selection.request, entities.rows, random)
    online, times = _read(question, selection, entities, request)
    offline = Offline(store, selection, entities, request, times.moment)
    comparison = Comparison(
        entities,
        {view.label: view for view in selection.views},
        {view.label: newest[view.label].times(entities.keys_of(view)) for view in selection.views},
        times,
        question.rtol,
        isinstance(store.config.offline_store, DaskOfflineStoreConfig),
    )
    # Computed ones last: they may differ because their inputs do.
    for feature in sorted(selection.features, key=lambda feature: feature.computed_by is not None):
        if feature.computed_by not in offline.failures:
            comparison.add(feature, online[feature.column], offline.columns[feature.column])
    return Report(question, store.project, entities, times.moment, comparison.counts, comparison.differences, offline.failures)


def _open(repo: Path) -> FeatureStore:
    config = load_config(repo)
    try:
        store = FeatureStore(config=config)
        store.registry.get_project(store.project)
    except Exception as error:  # the registry's drivers raise whatever they like
        lines = str(error).splitlines() or [""]
        raise NotComparable(f"The registry can't be read: {type(error).__name__}: {lines[0]}") from error
    return store


def _read(
    question: Question, selection: Selection, entities: Entities, request: dict[str, list[Any]]
) -> tuple[dict[str, OnlineColumn], Times]:
    asked: dict[str, Any] = (
        {"feature_service": question.service}
        if question.service is not None
        else {"features": [feature.reference for feature in selection.features]}
    )
    with OnlineService(question.url) as service:
        begin = datetime.now(UTC)
        online = service.read(asked, entities.columns | request, entities.rows)
        end = datetime.now(UTC)
    missing = [feature.reference for feature in selection.features if feature.column not in online]
    if missing:
        raise NotComparable(f"The service at {question.url} serves other definitions: it doesn't answer {', '.join(missing)}.")
    return online, Times(begin, end, question.at or end)


def _silence() -> None:
    """What Feast and what it stands on warn of is of no use to whoever compares."""
    warnings.simplefilter("ignore")
    logging.getLogger("feast").setLevel(logging.CRITICAL)
