"""What stock counts, and where ours counts it."""

import inspect

import feast.metrics as stocks
import pytest

from service.metrics.definitions import DEFINITIONS

from .kiosk import ABSENT, FRESH, Kiosk

# Stock's metric to ours, without the prefix feature_service_; None where ours has none.
COUNTERPARTS: dict[str, str | None] = {
    "feast_feature_server_cpu_usage": None,
    "feast_feature_server_memory_usage": None,
    "feast_feature_server_request_total": "requests",
    "feast_feature_server_request_latency_seconds": "request_seconds",
    "feast_online_features_request_total": "requests",
    "feast_online_features_entity_count": "read_entities",
    "feast_online_features_status_total": "feature_values",
    "feast_feature_server_online_store_read_duration_seconds": "read_phase_seconds",
    "feast_feature_server_transformation_duration_seconds": "computation_seconds",
    "feast_feature_server_write_transformation_duration_seconds": "computation_seconds",
    "feast_push_request_total": "pushed_rows",
    "feast_materialization_result_total": "materializations",
    "feast_materialization_duration_seconds": "materialization_seconds",
    "feast_feature_freshness_seconds": "last_materialization_timestamp_seconds",
    "feast_offline_store_request_total": None,
    "feast_offline_store_request_latency_seconds": None,
    "feast_offline_store_row_count": None,
}


def stocks_names() -> set[str]:
    """From the source, since the client cuts _total off the names of counters."""
    return {line.strip(' ",') for line in inspect.getsource(stocks).splitlines() if line.startswith('    "feast_')}


@pytest.mark.parametrize("name", COUNTERPARTS)
def test_counterpart(name: str) -> None:
    """Stock's metric exists, and so does ours."""
    ours = COUNTERPARTS[name]
    assert name in stocks_names()
    assert ours is None or ours in DEFINITIONS


def test_statuses_are_counted_as_they_are_answered(kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each value once, by view and status. Stock counts absent ones as present, and the event time of each row as missing."""
    monkeypatch.setattr(stocks._config, "online_features", True)
    before = _stocks_counts(), _our_counts(kiosk)
    kiosk.read(features=["visits:count", "visits:score"], entities={"customer_id": [FRESH, ABSENT, ABSENT]})
    after = _stocks_counts(), _our_counts(kiosk)
    theirs, ours = ([now - then for now, then in zip(*pair, strict=True)] for pair in zip(after, before, strict=True))
    assert ours == [2, 4]
    assert theirs == [6, 3]


def _stocks_counts() -> list[float]:
    counter = stocks.online_features_status_total
    return [counter.labels(feature_view="visits", status=status)._value.get() for status in ("present", "not_found")]


def _our_counts(kiosk: Kiosk) -> list[float]:
    name = "feature_service_feature_values_total"
    return [kiosk.ours.metric(name, status=status, view="visits") for status in ("PRESENT", "NOT_FOUND")]


def test_every_metric_of_stock_is_looked_at() -> None:
    """What a later Feast brings has to be told, too."""
    assert stocks_names() == set(COUNTERPARTS)
