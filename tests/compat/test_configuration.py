"""The section feature_server of feature_store.yaml, and what else of that file matters to a server."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from feast.infra.feature_servers.base_config import (
    AuditLoggingConfig,
    BaseFeatureServerConfig,
    FeatureLoggingConfig,
    MetricsConfig,
)
from feast.infra.feature_servers.local_process.config import LocalFeatureServerConfig
from feast.infra.mcp_servers.mcp_config import McpFeatureServerConfig
from feast.infra.online_stores.redis import RedisOnlineStoreConfig

from service.catalog.configuration import load_config, without_effect
from service.errors import ConfigurationError

from .kiosk import FEASTS, OK, PATHS, Kiosk, row, stock_client, stock_store

# Keys of the section that do nothing here, with a value that isn't stock's default; each is told when the service starts.
TOLD: dict[str, dict[str, Any]] = {
    "metrics": {"metrics": {"enabled": True}},
    "feature_logging": {"feature_logging": {"enabled": True}},
    "audit_logging": {"audit_logging": {"enabled": True}},
    "offline_push_batching_enabled": {"offline_push_batching_enabled": True},
    "offline_push_batching_batch_size": {"offline_push_batching_batch_size": 1000},
    "offline_push_batching_batch_interval_seconds": {"offline_push_batching_batch_interval_seconds": 10},
    "mcp_enabled": {"type": "mcp", "mcp_enabled": True},
}
# Keys that do nothing in stock's server either, or only with mcp_enabled.
SILENT: dict[str, dict[str, Any]] = {
    "type": {"type": "local"},
    "enabled": {"enabled": True},
    "transformation_service_endpoint": {"transformation_service_endpoint": "localhost:6569"},
    "mcp_server_name": {"type": "mcp", "mcp_server_name": "features"},
    "mcp_server_version": {"type": "mcp", "mcp_server_version": "1.0.0"},
    "mcp_transport": {"type": "mcp", "mcp_transport": "http"},
}


def warnings(kiosk: Kiosk, folder: Path, **sections: Any) -> list[str]:
    """What the service says of a configuration with these sections when it starts."""
    configuration = yaml.safe_load((kiosk.world.repo / "feature_store.yaml").read_text())
    (folder / "feature_store.yaml").write_text(yaml.safe_dump({**configuration, **sections}))
    return without_effect(load_config(folder))


@pytest.mark.parametrize("key", TOLD)
def test_told(kiosk: Kiosk, tmp_path: Path, key: str) -> None:
    """One line that names the key, and what there is in its place."""
    (line,) = warnings(kiosk, tmp_path, feature_server=TOLD[key])
    assert f"feature_server.{key} " in line


@pytest.mark.parametrize("key", SILENT)
def test_silent(kiosk: Kiosk, tmp_path: Path, key: str) -> None:
    """Nothing is missed."""
    assert warnings(kiosk, tmp_path, feature_server=SILENT[key]) == []


def test_other_sections(kiosk: Kiosk, tmp_path: Path) -> None:
    """A model that embeds queries is for vector search, which isn't here."""
    (line,) = warnings(kiosk, tmp_path, embedding_model={"model": "all-MiniLM-L6-v2"})
    assert "embedding_model " in line


def test_the_newest_row_stays_whatever_is_configured(kiosk: Kiosk, tmp_path: Path) -> None:
    """With skip_dedup stock writes rows in the order in which they come."""
    online = {"type": "redis", "connection_string": f"{kiosk.redis.host}:{kiosk.redis.port},db={FEASTS}", "skip_dedup": True}
    (line,) = warnings(kiosk, tmp_path, online_store=online)
    assert "online_store.skip_dedup " in line
    with stock_client(stock_store(kiosk.world, online)) as stock:
        older = {"push_source_name": "visits_push", "df": row(count=[1], event_timestamp=["2026-01-01T00:00:00Z"])}
        assert stock.post(PATHS["push"], json=older).status_code == OK
    assert kiosk.ours.client.post(PATHS["push"], json=older).json()["stale"] == 1
    stored = [answer.json()["results"][1]["values"] for answer in kiosk.read()]
    assert stored[0] == [1]
    assert stored[1] == [7]


@pytest.mark.parametrize("kind", ["redis_cluster", "redis_sentinel"])
def test_other_kinds_of_redis(kiosk: Kiosk, tmp_path: Path, kind: str) -> None:
    """Told when the service starts."""
    online = {"type": "redis", "redis_type": kind, "connection_string": "a:6379,b:6379"}
    with pytest.raises(ConfigurationError, match=kind):
        warnings(kiosk, tmp_path, online_store=online)


@pytest.mark.parametrize(
    "option", [{"client": "glide"}, {"full_scan_for_deletion": False}], ids=["client", "full_scan_for_deletion"]
)
def test_what_only_the_sdk_does(kiosk: Kiosk, tmp_path: Path, option: dict[str, Any]) -> None:
    """Feast's own client, and what `feast apply` deletes."""
    online = {"type": "redis", "connection_string": "a:6379", **option}
    assert warnings(kiosk, tmp_path, online_store=online) == []


def test_another_online_store(kiosk: Kiosk, tmp_path: Path) -> None:
    """Only Redis is read."""
    with pytest.raises(ConfigurationError, match="sqlite"):
        warnings(kiosk, tmp_path, online_store={"type": "sqlite", "path": "online.db"})


def test_every_key_of_stock_is_looked_at() -> None:
    """What a later Feast brings has to be told, too."""
    known = {*TOLD, *SILENT}
    for model in (BaseFeatureServerConfig, LocalFeatureServerConfig, McpFeatureServerConfig):
        assert set(model.model_fields) <= known
    assert set(FeatureLoggingConfig.model_fields) == {
        "enabled", "flush_interval_secs", "write_to_disk_interval_secs", "queue_capacity", "emit_timeout_micro_secs",
    }  # fmt: skip
    assert set(AuditLoggingConfig.model_fields) == {"enabled", "sink", "file_path", "log_successful_reads"}
    assert set(MetricsConfig.model_fields) == {
        "enabled", "resource", "request", "feature_count_bins", "online_features", "push", "materialization", "freshness",
        "offline_features", "audit_logging",
    }  # fmt: skip
    assert set(RedisOnlineStoreConfig.model_fields) == {
        "type", "redis_type", "client", "sentinel_master", "connection_string", "key_ttl_seconds", "full_scan_for_deletion",
        "skip_dedup",
    }  # fmt: skip
