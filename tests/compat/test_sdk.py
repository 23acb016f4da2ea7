"""Feast's SDK with our service as its remote online store, where it isn't as with stock's: see also tests/parity."""

import pytest
from feast import FeatureStore
from feast.infra.online_stores.remote import RemoteOnlineStoreConfig

from .kiosk import FRESH, Kiosk, stock_store

DOCUMENTS = {"features": ["visits:count"], "query": [0.5], "top_k": 1}


@pytest.fixture
def remote(kiosk: Kiosk) -> FeatureStore:
    """A client's store; it doesn't try again."""
    return stock_store(kiosk.world, {"type": "remote", "path": kiosk.ours.url, "connection_retries": 0})


def test_documents(remote: FeatureStore) -> None:
    """The SDK raises what it raises for any refusal."""
    with pytest.raises(RuntimeError, match="404"):
        remote.retrieve_online_documents_v2(**DOCUMENTS)


def test_statuses(kiosk: Kiosk, remote: FeatureStore) -> None:
    """They reach the SDK's user as the service gives them."""
    answer = remote.get_online_features(features=["visits:count"], entity_rows=[{"customer_id": FRESH}, {"customer_id": 99}])
    assert [int(status) for status in answer.proto.results[1].statuses] == [1, 3]  # PRESENT, NOT_FOUND


def test_the_settings_of_the_remote_store() -> None:
    """They are the SDK's, and mean the same whatever serves; `cert` is for a proxy that ends TLS."""
    assert set(RemoteOnlineStoreConfig.model_fields) == {
        "type", "path", "cert", "connection_pool_size", "connection_idle_timeout", "connection_retries",
    }  # fmt: skip
