"""The offline side is what get_historical_features gives, where that gives anything at all."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from service.parity.entities import Entities, draw
from service.parity.newest_rows import NewestRows
from service.parity.offline import Offline
from service.parity.request_data import make_up
from service.parity.selection import Selection, select
from service.parity.values import from_offline, same

from .conftest import Sites
from .market import BOUGHT, CUSTOMERS, LOST, STORES, VISITED

ROWS = 120
DTYPES = {"FLOAT": "float32", "INT64": "int64", "INT32": "int32", "STRING": "object"}


class Join:
    """One join of a feature service of the market: its rows, and Feast's answer to them."""

    def __init__(self, sites: Sites, service: str, seed: int = 1) -> None:
        store = self.store = sites.repo.repo.store
        self.service = service
        self.selection: Selection = select(store, service, None)
        now = self.now = datetime.now(UTC)
        random = np.random.default_rng(seed)
        newest = {view.label: NewestRows(store, view, now) for view in self.selection.views}
        views, request = self.selection.views, self.selection.request
        self.entities: Entities = draw(views, newest, ROWS, now, random, request=bool(request))
        self.request = make_up(request, self.entities.rows, random)

    def offline(self) -> Offline:
        """What the command compares with."""
        return Offline(self.store, self.selection, self.entities, self.request, self.now)

    def plain(self) -> Any:
        """What one call of get_historical_features gives for the whole service, row numbers beside it."""
        frame = pd.DataFrame({**self.entities.columns, **self.request, "event_timestamp": self.now})
        for name, value_type in (self.entities.types | self.selection.request).items():
            frame[name] = frame[name].astype(DTYPES[value_type.name])
        frame["number"] = range(len(frame))
        service = self.store.get_feature_service(self.service)
        return self.store.get_historical_features(frame, service, full_feature_names=True).to_arrow()


@pytest.mark.parametrize("service", ["derived", "roles", "all_views", "overlapping"])
def test_the_values_are_those_of_one_call(sites: Sites, service: str) -> None:
    """In each row that one call keeps; it loses those in which a view's row has expired (service/parity/offline.py)."""
    join = Join(sites, service)
    offline, plain = join.offline(), join.plain()
    numbers = plain["number"].to_pylist()
    assert 0 < len(numbers) < join.entities.rows
    assert not offline.failures
    for feature in join.selection.features:
        mine = from_offline(offline.columns[feature.column], feature.value_type)
        theirs = from_offline(plain[feature.column], feature.value_type)
        for number, value in zip(numbers, theirs, strict=True):
            assert same(mine[number], value, 0.0, nan_is_null=True), (feature.reference, number)


def test_a_function_that_feast_loses_something_of_is_told(sites: Sites) -> None:
    """Feast rebuilds it from its source, without the module that it stood in."""
    store = sites.repo.repo.store
    selection = select(store, None, [f"{LOST}:dearer"])
    entities = Entities({}, {}, 3, 0)
    offline = Offline(store, selection, entities, {"amount": [1.0] * 3, "items": [1, 2, 3]}, datetime.now(UTC))
    assert offline.failures == {LOST: "NameError: name 'SURCHARGE' is not defined"}


def test_combinations_of_keys_are_those_of_the_source(sites: Sites) -> None:
    """Of customer and store; the customers and stores of other views are taken from these rows."""
    entities = Join(sites, "all_views").entities
    pairs = list(zip(entities.columns["customer_id"], entities.columns["store_id"], strict=True))
    real = pairs[: len(pairs) - entities.unknown]
    assert len(set(pairs)) == len(pairs)
    assert {customer for customer, _ in real} <= set(CUSTOMERS)
    assert {store for _, store in real} <= set(STORES)
    assert not {customer for customer, _ in pairs[len(real) :]} & set(CUSTOMERS)


def test_views_that_share_a_key_are_asked_for_rows_that_they_have(sites: Sites) -> None:
    """Of one customer what was bought and where; who has none of it gets another's."""
    entities = Join(sites, "overlapping").entities
    customers = entities.columns["customer_id"]
    for column, known in (("item_id", BOUGHT), ("store_id", VISITED)):
        pairs = list(zip(customers, entities.columns[column], strict=True))[: -entities.unknown]
        having = {customer for customer, _ in known}
        of_their_own = {pair for pair in pairs if pair[0] in having}
        assert of_their_own <= known
        assert len(of_their_own) > len(having) / 3
        assert {found for _, found in pairs} <= {one for _, one in known}


def test_a_role_has_an_entity_of_its_own(sites: Sites) -> None:
    """Buyers, sellers and visitors aren't all the same customer."""
    columns = Join(sites, "roles").entities.columns
    assert set(columns) == {"customer_id", "store_id", "buyer_id", "seller_id"}
    assert columns["buyer_id"] != columns["seller_id"]


def test_the_same_seed_draws_the_same_rows(sites: Sites) -> None:
    """Entities and request data; another seed draws others."""
    first, again, other = (Join(sites, "derived", seed) for seed in (1, 1, 2))
    assert (first.entities, first.request) == (again.entities, again.request)
    assert first.request != other.request
