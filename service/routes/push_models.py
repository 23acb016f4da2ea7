"""The bodies of pushes, validation and the quarantine as the OpenAPI document shows them; see service.routes.models."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class RowsRequest(BaseModel):
    """Rows, by column or by row: either `df` or `rows` is given."""

    model_config = ConfigDict(extra="forbid")

    df: dict[str, list[Any]] | None = Field(None, description="For each column, its value in each row.")
    rows: list[dict[str, Any]] | None = Field(None, description="For each row, its value in each column.")
    timestamp_unit: Literal["s", "ms", "us", "ns"] | None = Field(
        None, description="What integer times count. Without it integers are refused, and times are ISO 8601 strings."
    )


class PushBodyModel(RowsRequest):
    """Rows for all feature views of a push source."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "push_source_name": "customer_push_source",
                    "df": {
                        "customer_id": [1001],
                        "tenure_months": [25],
                        "total_purchases": [150],
                        "total_spend": [5500.0],
                        "avg_purchase_value": [36.67],
                        "customer_segment": ["gold"],
                        "loyalty_score": [0.85],
                        "event_timestamp": ["2026-01-31T10:00:00Z"],
                        "created_timestamp": ["2026-01-31T10:00:05Z"],
                    },
                }
            ]
        },
    )

    push_source_name: str
    to: Literal["online", "offline", "online_and_offline"] = "online"
    allow_registry_cache: bool = Field(True, description="false: where the rows don't fit the definitions, read these again.")
    transform_on_write: bool = Field(True, description="Whether rows for an on-demand view go through its function first.")


class WriteBodyModel(RowsRequest):
    """Rows for one feature view, as Feast's SDK sends them."""

    feature_view_name: str
    allow_registry_cache: bool = Field(True, description="false: where the rows don't fit the definitions, read these again.")
    transform_on_write: bool = Field(True, description="Whether rows for an on-demand view go through its function first.")


class ValidateBodyModel(RowsRequest):
    """Rows to be checked by a suite: either `suite` or `push_source` is given."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"suite": "customer_push_suite", "df": {"customer_id": [1001, None], "loyalty_score": [0.5, 1.7]}}]
        },
    )

    suite: str | None = Field(None, description="A suite's name.")
    push_source: str | None = Field(None, description="A push source, whose suite checks the rows as it would a push.")
    result_format: str | dict[str, Any] = Field(
        "SUMMARY", description="BOOLEAN_ONLY, BASIC, SUMMARY, COMPLETE, or GX's object."
    )
    expectation_parameters: dict[str, Any] = Field({}, description="Values of the suite's $PARAMETERs.")


class RowOutcomeModel(BaseModel):
    """What became of one row."""

    row: int
    outcome: Literal["written", "stale", "rejected", "quarantined"]
    reasons: list[str]
    stale: list[str] = Field([], description="Views in which a newer row stands.")


class ViewCountsModel(BaseModel):
    """What became of the rows in one view."""

    written: int
    stale: int


class WarningModel(BaseModel):
    """An expectation that failed without stopping anything."""

    expectation: str
    severity: str
    rows: int | None = Field(description="How many rows fail it; null where the batch as a whole does.")
    reason: str


class PushResultModel(BaseModel):
    """What became of a push."""

    rows: int
    written: int = Field(description="Rows that are newest now in at least one view.")
    stale: int = Field(description="Rows for which a newer one stands in every view.")
    quarantined: int
    queued: int = Field(description="Rows on their way to the offline store.")
    views: dict[str, ViewCountsModel]
    request_id: str
    warnings: list[WarningModel] = []
    outcomes: list[RowOutcomeModel] = []


class ExpectationResultModel(BaseModel):
    """Great Expectations' ExpectationValidationResult."""

    model_config = ConfigDict(extra="allow")

    success: bool | None
    expectation_config: dict[str, Any]
    result: dict[str, Any]
    meta: dict[str, Any]
    exception_info: dict[str, Any]


class ValidationResultModel(BaseModel):
    """Great Expectations' ValidationResult."""

    model_config = ConfigDict(extra="allow")

    success: bool
    statistics: dict[str, Any]
    results: list[ExpectationResultModel]
    suite_name: str
    suite_parameters: dict[str, Any]
    meta: dict[str, Any]


class SuiteSummaryModel(BaseModel):
    """A suite."""

    name: str
    compiled: int = Field(description="Expectations that are compiled.")
    fallback: int = Field(description="Expectations that Great Expectations itself evaluates.")
    meta: dict[str, Any]
    failure: str | None = Field(description="Why the suite's newest file isn't in force.")


class SuiteModel(SuiteSummaryModel):
    """A suite with its expectations."""

    expectations: list[dict[str, Any]] = Field(
        description="As in the suite's file, and `compiled`: whether it is; else `reason` says why it isn't."
    )


class SuitesModel(BaseModel):
    """All suites."""

    suites: list[SuiteSummaryModel]


class QuarantineEntryModel(BaseModel):
    """A row in quarantine."""

    id: str
    source: str = Field(description="The push source or feature view that it was pushed to.")
    time: datetime = Field(description="When it was put there.")
    request_id: str
    position: int = Field(description="Its zero-based place in the request.")
    reasons: list[str]
    row: dict[str, Any]


class QuarantinePageModel(BaseModel):
    """Some of the rows of a source, or the sources."""

    sources: dict[str, int] = Field(description="Without ?source: rows by source.")
    entries: list[QuarantineEntryModel]
    next: str | None = Field(description="For ?after, if there may be more.")


class ReplayModel(BaseModel):
    """What became of a row that was pushed again; it isn't in quarantine any more."""

    id: str
    written: int
    stale: int
    queued: int


class RemovedModel(BaseModel):
    """How many rows are gone."""

    removed: int
