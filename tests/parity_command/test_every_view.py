"""Training and serving agree on random rows of every view of both registries."""

from collections.abc import Iterator

import pytest
from feast import FeatureStore, OnDemandFeatureView

from service.catalog.configuration import load_config

from .conftest import Parity, Served, Sites
from .market import CHANGING, CUSTOMERS, LOST

SEEDS = (1, 2)
ALL = str(len(CUSTOMERS) * 4)


def views(served: Served, monkeypatch: pytest.MonkeyPatch, *, on_demand: bool) -> Iterator[list[str]]:
    """The references of all features of each view that the registry has, of one kind."""
    for name, value in served.environment.items():
        monkeypatch.setenv(name, value)
    for view in FeatureStore(config=load_config(served.config)).list_all_feature_views():
        if isinstance(view, OnDemandFeatureView) == on_demand and view.name not in (CHANGING, LOST):
            yield [f"{view.name}:{feature.name}" for feature in view.features]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("site", ["sample", "market"])
def test_every_stored_view_is_served_as_it_is_trained_on(
    sites: Sites, parity: Parity, monkeypatch: pytest.MonkeyPatch, site: str, seed: int
) -> None:
    """Each by itself: all types, a field mapping, composite keys, no entity, nulls and NaN, expired rows."""
    served: Served = getattr(sites, site)
    for features in views(served, monkeypatch, on_demand=False):
        ran = parity(served, "--features", *features, "--sample", "100", "--seed", str(seed))
        assert ran.code == 0, ran
        assert ran.counts(features[0])[0] > 0


def test_views_with_different_keys_are_compared_together(sites: Sites, parity: Parity) -> None:
    """Combinations of the source with most keys; all values of all views are the same, and rows of each have expired."""
    ran = parity(sites.market, "--feature-service", "all_views", "--sample", ALL)
    assert ran.code == 0, ran
    assert ran.counts("profile:visits")[5] > 0
    assert ran.counts("visits_at:minutes")[5] > 0
    assert ran.counts("everyone:rate")[5] == 0


def test_views_that_share_a_part_of_their_keys_are_compared_together(sites: Sites, parity: Parity) -> None:
    """Both have values in most rows, or nothing would be compared but nulls."""
    ran = parity(sites.market, "--feature-service", "overlapping", "--sample", ALL)
    assert ran.code == 0, ran


def test_one_view_in_two_roles_is_compared_in_both(sites: Sites, parity: Parity) -> None:
    """Under both aliases, by the columns that the service names."""
    ran = parity(sites.market, "--feature-service", "roles", "--sample", "50")
    assert ran.code == 0, ran
    rows = ran.counts("buyer:visits")[0]
    assert rows == ran.counts("seller:visits")[0] == ran.counts("visits_at:minutes")[0]


@pytest.mark.parametrize("site", ["sample", "market"])
def test_every_on_demand_view_is_served_as_it_is_trained_on(
    sites: Sites, parity: Parity, monkeypatch: pytest.MonkeyPatch, site: str
) -> None:
    """Each by itself, and so with inputs that aren't asked for: request data made up, inputs null, expired and unknown."""
    served: Served = getattr(sites, site)
    for features in views(served, monkeypatch, on_demand=True):
        ran = parity(served, "--features", *features, "--sample", "300")
        assert ran.code == 0, ran
        rows, *_, expired = ran.counts(features[0])
        assert rows > expired


@pytest.mark.parametrize(("site", "service"), [("sample", "churn_model_v2"), ("market", "derived")])
def test_a_model_gets_derived_features_as_it_is_trained_on(sites: Sites, parity: Parity, site: str, service: str) -> None:
    """Beside the stored ones that they are made of."""
    ran = parity(getattr(sites, site), "--feature-service", service)
    assert ran.code == 0, ran


def test_a_view_that_feast_can_not_compute_for_training_is_told(sites: Sites, parity: Parity) -> None:
    """Others are compared; that nothing differs there says nothing of this one, so it isn't 0."""
    ran = parity(sites.market, "--features", f"{LOST}:dearer", "till:total")
    assert ran.code == 2, ran
    assert f"Not compared: {LOST}, which Feast can't compute for training: NameError" in ran.out
    assert "No difference in " in ran.out
    assert LOST not in ran.out.split("\n\n")[1]
