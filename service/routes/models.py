"""The bodies as the OpenAPI document shows them. The hot routes parse with `service.routes.bodies`, not with these."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.routes.push_models import RowOutcomeModel, ValidationResultModel

Status = Literal["PRESENT", "NULL_VALUE", "NOT_FOUND", "OUTSIDE_MAX_AGE"]


class OnlineFeaturesRequest(BaseModel):
    """Which features of which entities. Either `features` or `feature_service` is given."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "features": ["customer_stats:loyalty_score", "transaction_stats:txn_count_7d"],
                    "entities": {"customer_id": [1001, 1002]},
                }
            ]
        },
    )

    entities: dict[str, list[Any]] = Field(description="For each join key, its value in each row.")
    features: list[str] = Field([], description='Feature references, "view:feature" or "view@v2:feature".')
    feature_service: str | None = Field(None, description="A feature service's name.")
    full_feature_names: bool = Field(False, description='Name features "view__feature" in the answer.')
    include_feature_view_version_metadata: bool = Field(False, description="Add the views and their versions to the metadata.")


class FeatureVector(BaseModel):
    """One column of the answer; the position in each list is the row."""

    values: list[Any]
    statuses: list[Status]
    event_timestamps: list[str] = Field(description="RFC 3339 in UTC; 1970-01-01T00:00:00Z where there is none.")


class ViewMetadata(BaseModel):
    """A feature view that was read."""

    name: str
    version: int = Field(0, description="Left out when it is 0.")


class OnlineFeaturesMetadata(BaseModel):
    """What the vectors are."""

    feature_names: list[str] = Field(description="The name of each vector: the entity columns, then the features.")
    feature_view_metadata: list[ViewMetadata] | None = None


class OnlineFeaturesResponse(BaseModel):
    """One vector for each name, in the order of the request."""

    results: list[FeatureVector]
    metadata: OnlineFeaturesMetadata


class OnlineFeaturesRows(BaseModel):
    """An object for each row, in the order of the request: `?layout=rows`."""

    metadata: OnlineFeaturesMetadata
    rows: list[dict[str, Any]] = Field(description="The values of a row by their names, as in `feature_names`.")
    statuses: list[dict[str, Status]] | None = Field(None, description="On request: of each row by the features' names.")
    event_timestamps: list[dict[str, str]] | None = Field(None, description="On request, in the same way.")


class ProblemItem(BaseModel):
    """One thing that is wrong."""

    field: str | None = Field(description="A path into the body.")
    row: int | None = Field(description="The zero-based row.")
    message: str


class ProblemDetails(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[ProblemItem]
    outcomes: list[RowOutcomeModel] | None = Field(None, description="Of a push that was rejected: each bad row.")
    validation: ValidationResultModel | None = Field(
        None, description="Of a push that was rejected: what failed, as GX says it."
    )
    written: int | None = Field(None, description="Of a push that Redis didn't confirm whole: rows that it did confirm.")
    stale: int | None = None
    queued: int | None = None
    unconfirmed: int | None = None
    written_rows: list[int] | None = None
    unconfirmed_rows: list[int] | None = None
    error: str | None = Field(None, description="Of a materialization while another one runs: the detail, as stock names it.")
    feature_views: list[str] | None = Field(None, description="Those of the one that runs.")
    id: str | None = Field(None, description="The one that runs: GET /materialize/{id}.")


class FeatureModel(BaseModel):
    """A feature that can be asked for."""

    name: str
    type: str = Field(description="Feast's value type, such as INT64 or FLOAT_LIST.")
    description: str


class EntityModel(BaseModel):
    """What identifies a row of a view."""

    name: str
    join_key: str
    type: str


class RequestDataModel(BaseModel):
    """A value that the request brings beside the join keys."""

    name: str
    type: str


class OnDemandModel(BaseModel):
    """How the features of an on-demand feature view come about."""

    mode: str = Field(description="pandas, python or substrait.")
    singleton: bool = Field(description="Whether a function of mode python gets one row instead of columns.")
    sources: list[str] = Field(description="The features that the function gets, as references.")
    request_data: list[RequestDataModel]
    write_to_online_store: bool = Field(description="Whether it is computed when rows are written, and then only read.")


class ViewModel(BaseModel):
    """A feature view."""

    name: str
    kind: str
    version: int
    ttl_seconds: float | None = Field(description="null is for ever.")
    entities: list[EntityModel]
    features: list[FeatureModel]
    servable: bool
    reason: str = Field(description="Why it isn't servable.")
    on_demand: OnDemandModel | None = Field(description="null for views that are only stored.")
    description: str
    owner: str
    tags: dict[str, str]


class ServiceModel(BaseModel):
    """A feature service, as the references that it stands for."""

    name: str
    features: list[str]
    description: str
    owner: str
    tags: dict[str, str]


class PushSourceModel(BaseModel):
    """A push source and the views that it feeds."""

    name: str
    views: list[str]
    description: str
    owner: str
    tags: dict[str, str]


class CatalogModel(BaseModel):
    """What a user may ask for."""

    project: str
    age_seconds: float = Field(description="How long ago the registry was last read.")
    failure: str | None = Field(description="Why the registry can't be read now, if it can't.")
    feature_views: list[ViewModel]
    feature_services: list[ServiceModel]
    push_sources: list[PushSourceModel]


class HealthModel(BaseModel):
    """The process can make progress."""

    status: str


class ReadyModel(BaseModel):
    """Whether requests can be answered, and if not, why."""

    ready: bool
    catalog: str
    redis: str
