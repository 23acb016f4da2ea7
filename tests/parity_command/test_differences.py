"""Every way in which online and offline can differ is found, counted and explained."""

from datetime import datetime

import pytest

from .conftest import Parity, Ran, Sites
from .market import DAY, NOW, TTL

OLDER, NEWER = NOW - 5 * DAY, NOW - 2 * DAY
LONG_AGO = NOW - TTL - DAY
FEATURE = "changing:number"
NOTHING: dict[int, tuple[int, datetime]] = {}


def differ(sites: Sites, parity: Parity, *options: str) -> Ran:
    """What the command says of the view that tests change."""
    return parity(sites.market, "--features", FEATURE, "--sample", "20", *options)


# Each with a customer of its own: rows that have been written online stay.
@pytest.mark.parametrize(
    ("customer", "offline", "online", "counts", "reason"),
    [
        pytest.param(101, (1, OLDER), (1, OLDER), [0, 0, 0, 0], "", id="equal"),
        pytest.param(102, (1, OLDER), (2, NEWER), [1, 0, 0, 0], "online is newer", id="pushed"),
        pytest.param(103, (2, NEWER), (1, OLDER), [1, 0, 0, 0], "not materialized yet: the offline row is of", id="stale"),
        pytest.param(104, (2, NEWER), None, [0, 0, 1, 0], "not materialized: the offline row is of", id="never materialized"),
        pytest.param(105, (1, OLDER), (2, OLDER), [1, 0, 0, 0], "one was changed, or that time is there twice", id="changed"),
        pytest.param(106, (2, NEWER), (1, LONG_AGO), [0, 0, 1, 0], "not materialized yet", id="expired online only"),
        pytest.param(107, (1, LONG_AGO), (2, NEWER), [0, 1, 0, 0], "online is newer", id="expired offline only"),
        pytest.param(108, (1, LONG_AGO), (1, LONG_AGO), [0, 0, 0, 1], "", id="expired"),
        pytest.param(109, (1, LONG_AGO), None, [0, 0, 0, 1], "", id="expired before it was materialized"),
    ],
)
def test_a_difference_is_counted_and_explained(
    sites: Sites,
    parity: Parity,
    customer: int,
    offline: tuple[int, datetime],
    online: tuple[int, datetime] | None,
    counts: list[int],
    reason: str,
) -> None:
    """Differing, only online, only offline, expired; beside one unknown entity."""
    sites.repo.change({customer: offline}, {} if online is None else {customer: online})
    ran = differ(sites, parity)
    assert ran.counts(FEATURE)[2:] == counts, ran
    assert ran.counts(FEATURE)[0] == 2
    assert ran.code == (1 if reason else 0)
    assert (f"{FEATURE} of customer_id {customer}\n" in ran.out) == bool(reason)
    assert reason in ran.out


def test_an_earlier_moment_leaves_out_what_came_later(sites: Sites, parity: Parity) -> None:
    """As before a run of materialization: a row of today isn't missed."""
    customer = 120
    sites.repo.change({customer: (2, NEWER)}, {})
    assert differ(sites, parity).code == 1
    sites.repo.change({customer: (1, OLDER), 121: (2, NEWER)}, {customer: (1, OLDER)})
    ran = differ(sites, parity, "--at", (NOW - 3 * DAY).isoformat())
    assert (ran.code, ran.counts(FEATURE)[0]) == (0, 2), ran


def test_what_expires_between_the_readings_is_equal(sites: Sites, parity: Parity) -> None:
    """Here hours lie between them; a row that has been replaced online in the meantime differs all the same."""
    hour = DAY / 24
    at = (NOW - 2 * hour).isoformat()
    expiring = (1, NOW - TTL - hour)
    sites.repo.change({140: expiring}, {140: expiring})
    ran = differ(sites, parity, "--at", at)
    assert (ran.code, ran.counts(FEATURE)) == (0, [2, 2, 0, 0, 0, 1]), ran
    sites.repo.change({141: expiring}, {141: (2, NOW - hour)})
    ran = differ(sites, parity, "--at", at)
    assert (ran.code, ran.counts(FEATURE)) == (1, [2, 1, 1, 0, 0, 0]), ran


def test_an_empty_source_is_nothing_to_compare(sites: Sites, parity: Parity) -> None:
    """That all of nothing is equal would tell nobody anything."""
    sites.repo.change({130: (1, NEWER)}, {})
    ran = differ(sites, parity, "--at", "2001-01-01T00:00:00Z")
    assert (ran.code, ran.out) == (2, "")
    assert "nothing to compare" in ran.err
