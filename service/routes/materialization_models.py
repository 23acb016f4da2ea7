"""The bodies of materializations as the OpenAPI document shows them; see service.routes.models."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

_VIEWS = "Feature views; without it all that are kept online."
_VERSION = "A version of one view, such as v2, where versions are kept apart online."


class IncrementalBodyModel(BaseModel):
    """Each view from where it was materialized to, or from as far back as its ttl goes."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"end_ts": "2026-01-31T11:00:00Z"}]})

    end_ts: str = Field(description="ISO 8601; without an offset it is UTC.")
    feature_views: list[str] | None = Field(None, min_length=1, description=_VIEWS)
    full_feature_names: bool = False
    version: str | None = Field(None, description=_VERSION)


class MaterializeBodyModel(BaseModel):
    """Rows with event times from `start_ts` to `end_ts`, both included."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"start_ts": "2026-01-31T10:00:00Z", "end_ts": "2026-01-31T11:00:00Z"}]},
    )

    start_ts: str | None = Field(None, description="ISO 8601; without an offset it is UTC.")
    end_ts: str | None = Field(None, description="Not before start_ts.")
    feature_views: list[str] | None = Field(None, min_length=1, description=_VIEWS)
    disable_event_timestamp: bool = Field(False, description="All rows up to now; start_ts and end_ts aren't needed then.")
    full_feature_names: bool = False
    version: str | None = Field(None, description=_VERSION)


class ViewProgressModel(BaseModel):
    """How far a view is."""

    view: str
    state: Literal["waiting", "running", "done", "skipped"]
    start: datetime | None
    end: datetime | None
    rows: int | None = Field(description="Rows that Redis has confirmed; null where Feast's own writer doesn't tell.")
    of: int | None = Field(description="Rows that there are.")
    seconds: float | None


class MaterializationFailureModel(BaseModel):
    """Why it isn't done."""

    kind: str = Field(description="unknown_view, bad_request, store, offline_store, registry, interrupted or other.")
    message: str
    view: str | None


class MaterializationModel(BaseModel):
    """One materialization."""

    id: str
    state: Literal["running", "done", "failed", "interrupted"]
    incremental: bool
    start: datetime | None = Field(description="null where each view has one of its own.")
    end: datetime
    feature_views: list[str]
    rows: int
    seconds: float
    started_at: datetime
    ended_at: datetime | None
    views: list[ViewProgressModel]
    error: MaterializationFailureModel | None


class MaterializationsModel(BaseModel):
    """The newest ones of all workers and replicas, the newest first."""

    materializations: list[MaterializationModel]


class AcceptedModel(BaseModel):
    """It has begun."""

    status: Literal["accepted"] = "accepted"
    feature_views: list[str]
    id: str = Field(description="GET /materialize/{id} tells how far it is.")
