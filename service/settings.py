"""The service's own settings: environment variables with the prefix FEATURE_SERVICE_, all with defaults.

What Feast configures (registry, online store, auth) stays in feature_store.yaml. Each setting has a line in docs/settings.md.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def _milliseconds(default: float, description: str) -> Any:
    """A span of time, up to a minute."""
    return Field(default, gt=0, le=60_000, allow_inf_nan=False, description=description)


PREFIX = "FEATURE_SERVICE_"


# A pod gets such variables for each Service of its namespace, unless enableServiceLinks is false; one that is called
# feature-service gives them the prefix of settings. https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_LINK_ADDRESS = re.compile(r"(tcp|udp|sctp)://.+:[0-9]+")
_LINK_NAME = re.compile(r"\w*(_SERVICE_(HOST|PORT(_\w+)?)|_PORT_[0-9]+_(TCP|UDP|SCTP)_(PROTO|PORT|ADDR))")


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """The variables that look like settings and aren't: most likely misspelt."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    return sorted(
        name
        for name, value in environment.items()
        if name.startswith(PREFIX) and name not in known and not _is_service_link(name, value)
    )


def _is_service_link(name: str, value: str) -> bool:
    tail = name.removeprefix(PREFIX.rstrip("_"))
    return _LINK_NAME.fullmatch(tail) is not None or ("_PORT" in tail and _LINK_ADDRESS.fullmatch(value) is not None)


class Settings(BaseSettings):
    """Every setting has its unit in its name."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    read_deadline_ms: float = Field(
        250.0, gt=0, le=60_000, allow_inf_nan=False, description="How long one read may wait for Redis."
    )
    write_deadline_ms: float = _milliseconds(1000.0, "How long one push may wait for Redis.")
    redis_connections: int = Field(2, ge=1, le=64, description="Pipelined connections to Redis for each worker.")
    redis_connect_timeout_ms: float = _milliseconds(500.0, "How long one attempt to connect may take.")
    max_entities: int = Field(10_000, ge=1, description="Entities in one request.")
    max_features: int = Field(5_000, ge=1, description="Features in one request.")
    max_body_bytes: int = Field(4 * 1024 * 1024, ge=1024, description="Bytes in one request body.")
    max_push_rows: int = Field(10_000, ge=1, description="Rows in one push.")
    max_event_time_skew_seconds: float = Field(
        300.0, ge=0, allow_inf_nan=False, description="How far in the future a pushed row's event time may lie."
    )
    gx_processes: int = Field(
        1, ge=1, le=16, description="Great Expectations processes of each worker, once a suite needs them."
    )
    gx_deadline_seconds: float = Field(
        5.0, gt=0, le=600, allow_inf_nan=False, description="How long Great Expectations may take for one validation."
    )
    computation_budget_ms: float = _milliseconds(
        1000.0, "How long an on-demand feature view's function may take for one request."
    )
    max_requests_in_flight: int = Field(1024, ge=1, description="Reads in flight for each worker before it sheds load.")
    retry_after_seconds: int = Field(1, ge=1, description="What Retry-After says on a 503.")
    expired_values: Literal["null", "keep"] = Field(
        "null", description="What a value older than its view's ttl becomes; its status is OUTSIDE_MAX_AGE either way."
    )
    error_format: Literal["problem", "feast"] = Field(
        "problem",
        description="Error bodies: application/problem+json, or the JSON string that Feast's SDK maps to its exceptions.",
    )
    quarantine_max_rows_per_source: int = Field(10_000, ge=1, description="Rows in quarantine for each source; older ones go.")
    offline_batch_rows: int = Field(10_000, ge=1, description="Rows that are appended to the offline store at once.")
    offline_batch_age_seconds: float = Field(
        5.0, ge=0, le=3600, allow_inf_nan=False, description="How long an offline push waits for others to be appended with it."
    )
    offline_max_attempts: int = Field(
        5, ge=1, description="Refusals by the offline store after which a push goes to the dead-letter stream."
    )
    offline_lease_seconds: float = Field(
        10.0, ge=1, le=600, allow_inf_nan=False, description="How long after its writer's death another one appends."
    )
    materialization_enabled: bool = Field(True, description="Whether features can be materialized by HTTP.")
    materialization_rows_per_second: int = Field(
        5_000, ge=0, description="Rows that a materialization by HTTP writes at most; 0: as many as go."
    )
    materialization_lease_seconds: float = Field(
        30.0, ge=1, le=3600, allow_inf_nan=False, description="How long after the death of one another may materialize."
    )
    log_level: Literal["critical", "error", "warning", "info", "debug"] = Field("info", description="Lowest level logged.")
    shutdown_grace_seconds: int = Field(20, ge=1, description="How long running requests may take after SIGTERM.")
