"""The Feast repository: both configurations parse with Feast's own loader, and features.py defines what is promised."""

import importlib.util
from datetime import timedelta
from types import ModuleType
from typing import Any

import pytest
from feast import FeatureService, FeatureView, RepoConfig
from feast.infra.online_stores.redis import RedisOnlineStore
from feast.infra.registry.sql import SqlRegistryConfig
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.repo_config import load_repo_config
from feast.types import Float32, Int64, String

from pipelines.local.layout import LOCAL_CONFIG, REPO_DIR
from pipelines.local.sample import CUSTOMER_TTL_DAYS, TRANSACTION_TTL_DAYS


def features(monkeypatch: pytest.MonkeyPatch, **environment: str) -> ModuleType:
    """Return features.py as Feast would import it in an environment."""
    for name in ("FEAST_DATA_URL", "FEAST_S3_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    spec = importlib.util.spec_from_file_location("features", REPO_DIR / "features.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def names(view: Any) -> list[str]:
    """Return a projection's feature names in order."""
    return [feature.name for feature in view.features]


def load(monkeypatch: pytest.MonkeyPatch, file: str, **environment: str) -> RepoConfig:
    """Return a configuration as Feast loads it in an environment."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load_repo_config(REPO_DIR, REPO_DIR / file)


@pytest.fixture
def production(monkeypatch: pytest.MonkeyPatch) -> RepoConfig:
    """Return the production configuration, with secrets full of characters that mean something to YAML and shells."""
    return load(
        monkeypatch,
        "feature_store.yaml",
        FEAST_REGISTRY_URL="postgresql+psycopg://feast:p%40ss#$HOME: x@db.example:5432/feast",
        FEAST_REDIS='redis.example:6379,db=0,ssl=true,password=#a"b: $HOME{}',
    )


def test_production_keeps_definitions_in_postgresql(production: RepoConfig) -> None:
    """The registry's address comes from the environment, unchanged."""
    registry = production.registry
    assert isinstance(registry, SqlRegistryConfig)
    assert registry.path == "postgresql+psycopg://feast:p%40ss#$HOME: x@db.example:5432/feast"
    assert registry.cache_ttl_seconds == 60


def test_production_serves_from_redis(production: RepoConfig) -> None:
    """Feast's Redis store understands the connection string, password and all."""
    nodes, parameters = RedisOnlineStore._parse_connection_string(production.online_store.connection_string)
    assert nodes == [{"host": "redis.example", "port": "6379"}]
    assert parameters == {"db": 0, "ssl": True, "password": '#a"b: $HOME{}'}


def test_production_reads_files_and_writes_version_3_keys(production: RepoConfig) -> None:
    """The offline store is Feast's file store."""
    assert production.offline_store.type == "file"
    assert production.entity_key_serialization_version == 3
    assert production.project == "customer_features"


def test_the_local_configuration_differs_only_in_places(production: RepoConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite and an embedded Redis under the same project, key version and offline store."""
    local = load(monkeypatch, LOCAL_CONFIG, FEAST_LOCAL_DIR="/srv/x", FEAST_LOCAL_REDIS_PORT="7001")
    assert local.registry.path == "sqlite:////srv/x/registry.db"
    assert RedisOnlineStore._parse_connection_string(local.online_store.connection_string) == (
        [{"host": "127.0.0.1", "port": "7001"}],
        {"db": 0},
    )
    assert local.project == production.project
    assert local.entity_key_serialization_version == production.entity_key_serialization_version
    assert local.offline_store == production.offline_store


def test_data_lies_in_s3_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Production's addresses are the defaults; folder and S3 server come from the environment."""
    defaults = features(monkeypatch)
    assert defaults.customer_stats_source.path == "s3://feast/data/customer_stats.parquet"
    assert defaults.transaction_stats_source.path == "s3://feast/data/transaction_stats.parquet"
    assert defaults.customer_stats_source.s3_endpoint_override == ""
    told = features(monkeypatch, FEAST_DATA_URL="/data/", FEAST_S3_ENDPOINT_URL="http://minio:9000")
    assert told.transaction_stats_source.path == "/data/transaction_stats.parquet"
    assert told.transaction_stats_source.s3_endpoint_override == "http://minio:9000"


def test_the_entity_is_an_int64_customer_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """Join key and value type are both given."""
    customer = features(monkeypatch).customer
    assert (customer.name, customer.join_key, customer.value_type.name) == ("customer_id", "customer_id", "INT64")


def test_customer_stats_is_as_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Types, ttl, tag and sources."""
    view: FeatureView = features(monkeypatch).customer_stats_fv
    assert view.name == "customer_stats"
    assert {field.name: field.dtype for field in view.schema} == {
        "tenure_months": Int64,
        "total_purchases": Int64,
        "total_spend": Float32,
        "avg_purchase_value": Float32,
        "customer_segment": String,
        "loyalty_score": Float32,
    }
    assert view.ttl == timedelta(days=365) == timedelta(days=CUSTOMER_TTL_DAYS)
    assert view.tags == {"team": "customer-analytics"}
    assert view.stream_source is not None
    assert view.stream_source.name == "customer_push_source"
    assert view.batch_source is not None
    assert view.batch_source.name == "customer_stats_source"
    assert view.batch_source.timestamp_field == "event_timestamp"
    assert view.batch_source.created_timestamp_column == "created_timestamp"


def test_transaction_stats_is_as_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Types, ttl, tag and source."""
    view: FeatureView = features(monkeypatch).transaction_stats_fv
    assert view.name == "transaction_stats"
    assert {field.name: field.dtype for field in view.schema} == {
        "txn_count_7d": Int64,
        "txn_count_30d": Int64,
        "txn_amount_7d": Float32,
        "txn_amount_30d": Float32,
        "avg_txn_amount_7d": Float32,
        "max_txn_amount_30d": Float32,
    }
    assert view.ttl == timedelta(days=90) == timedelta(days=TRANSACTION_TTL_DAYS)
    assert view.tags == {"team": "fraud-detection"}
    assert view.batch_source is not None
    assert view.batch_source.name == "transaction_stats_source"
    assert view.stream_source is None


def test_the_on_demand_view_is_as_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Types and request source."""
    view: OnDemandFeatureView = features(monkeypatch).customer_derived_features
    assert view.name == "customer_derived_features"
    assert {field.name: field.dtype for field in view.features} == {"balance_to_spend_ratio": Float32, "is_high_value": Int64}
    source = view.source_request_sources["request_source"]
    assert [(field.name, field.dtype) for field in source.schema] == [("current_balance", Float32)]


def test_on_demand_features_are_right_after_a_trip_through_the_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Feast rebuilds the function from its source text; an unknown customer's nulls don't break it."""
    import pandas as pd

    stored = OnDemandFeatureView.from_proto(features(monkeypatch).customer_derived_features.to_proto())
    transform = stored.feature_transformation.udf
    known = pd.DataFrame({"current_balance": [5.0, 8.0], "total_spend": [9.0, 3.0], "loyalty_score": [0.8, 0.81]})
    assert transform(known).to_dict("list") == {"balance_to_spend_ratio": [0.5, 2.0], "is_high_value": [0, 1]}
    unknown = transform(pd.DataFrame({"current_balance": [5.0], "total_spend": [None], "loyalty_score": [None]}))
    assert unknown["balance_to_spend_ratio"].isna().tolist() == [True]
    assert unknown["is_high_value"].tolist() == [0]


def test_each_model_has_a_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two services of stored features only, and one that adds the on-demand ones."""
    module = features(monkeypatch)
    services = {each.name: each for each in vars(module).values() if isinstance(each, FeatureService)}
    views = {
        name: {projection.name: len(projection.features) for projection in service.feature_view_projections}
        for name, service in services.items()
    }
    assert views == {
        "churn_model_v1": {"customer_stats": 6, "transaction_stats": 2},
        "churn_model_v2": {"customer_stats": 6, "transaction_stats": 2, "customer_derived_features": 2},
        "fraud_model_v1": {"transaction_stats": 6, "customer_stats": 3},
    }


def test_everything_says_what_it_is_and_whose(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each definition has a description and an owner."""
    for name, each in vars(features(monkeypatch)).items():
        if hasattr(each, "to_proto") and hasattr(each, "owner") and not isinstance(each, type):
            assert each.description, name
            assert each.owner, name
