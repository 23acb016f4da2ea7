"""Feast's configuration, refused where it asks for what this server doesn't do. Runs in the definitions process."""

import os
import re
from pathlib import Path

from feast import RepoConfig
from feast.infra.online_stores.redis import RedisOnlineStoreConfig, RedisType
from feast.permissions.auth_model import NoAuthConfig
from feast.repo_config import load_repo_config

from service.errors import ConfigurationError
from service.keys import SUPPORTED_VERSIONS
from service.store import parse_address

DEFAULT_FILE = "feature_store.yaml"
# What stock's server does for keys of the section feature_server, and what there is in place of it; see docs/compatibility.md.
_IN_PLACE = {
    "metrics": "GET /metrics is always there",
    "feature_logging": "served features aren't logged, by stock's server neither",
    "audit_logging": "there is no audit log yet",
    "offline_push_batching_enabled": "offline pushes are always batched",
    "offline_push_batching_batch_size": "FEATURE_SERVICE_OFFLINE_BATCH_ROWS says it",
    "offline_push_batching_batch_interval_seconds": "FEATURE_SERVICE_OFFLINE_BATCH_AGE_SECONDS says it",
    "mcp_enabled": "there is no MCP server",
}


def load_config(repo: Path) -> RepoConfig:
    """Feast's configuration from a repository's folder or from a yaml file.

    Raises ConfigurationError when it can't be read, or asks for what this server doesn't do.
    """
    config = read_config(repo)
    _check(config)
    return config


def read_config(repo: Path) -> RepoConfig:
    """The same for whoever does only what Feast does; raises ConfigurationError when it can't be read."""
    path = repo / DEFAULT_FILE if repo.is_dir() else repo
    if not path.is_file():
        raise ConfigurationError(f"There is no Feast configuration at {path}. Name a folder with a {DEFAULT_FILE}, or a file.")
    try:
        text = path.read_text()
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(f"{path} can't be read: {error}.") from error
    unset = sorted({name for name in re.findall(r"\$\{(\w+)\}", _without_comments(text)) if name not in os.environ})
    if unset:
        raise ConfigurationError(f"{path} uses environment variables that aren't set: {', '.join(unset)}.")
    try:
        config = load_repo_config(path.parent, path)
        # Feast looks at these sections when they are first used.
        _ = (config.registry, config.offline_store, config.online_store)
    except Exception as error:  # Feast's, pydantic's, yaml's, the import machinery's
        raise ConfigurationError(f"{path} isn't a Feast configuration: {type(error).__name__}: {error}") from error
    return config


def without_effect(config: RepoConfig) -> list[str]:
    """A line for each key that is set, means something to stock's server, and does nothing here."""
    section = config.feature_server
    names = [name for name in _IN_PLACE if section is not None and name in section.model_fields_set]
    lines = [f"feature_server.{name} has no effect here: {_IN_PLACE[name]}." for name in names]
    if getattr(config.online_store, "skip_dedup", False):
        lines.append(
            "online_store.skip_dedup has no effect here: of a key's rows the newest stays, whatever the order of pushes."
        )
    if config.embedding_model is not None:
        lines.append("embedding_model has no effect here: there is no vector search.")
    return lines


def _without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))


def _check(config: RepoConfig) -> None:
    """Refuse what would be served wrongly: another store, a cluster, a key format of old, a configured authentication."""
    store = config.online_store
    if not isinstance(store, RedisOnlineStoreConfig):
        name = getattr(store, "type", "none")
        raise ConfigurationError(f"This server reads from Redis; the online store in feature_store.yaml is of type {name}.")
    if store.redis_type != RedisType.redis:
        raise ConfigurationError(
            f"redis_type {store.redis_type.value} isn't supported; a standalone Redis (redis_type: redis) is."
        )
    address = parse_address(store.connection_string)
    if address.tls is not None:
        address.tls.context()
    if config.entity_key_serialization_version not in SUPPORTED_VERSIONS:
        raise ConfigurationError(
            f"entity_key_serialization_version {config.entity_key_serialization_version} isn't supported; "
            f"{' and '.join(map(str, SUPPORTED_VERSIONS))} are."
        )
    if not isinstance(config.auth_config, NoAuthConfig):
        raise ConfigurationError(
            f"feature_store.yaml asks for authentication ({config.auth_config.type}), which this server doesn't check; "
            "it doesn't start rather than serve without it."
        )
