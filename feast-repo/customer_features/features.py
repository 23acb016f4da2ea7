"""What Feast knows about customers: the same definitions for production and for one machine.

Where the data lies is the environment's business: FEAST_DATA_URL is the folder of the parquet files (an s3:// address
or an absolute path), FEAST_S3_ENDPOINT_URL the S3 server when it is not Amazon's.
"""

import os
from datetime import timedelta

import pandas as pd
from feast import (
    Entity,
    FeatureService,
    FeatureView,
    Field,
    FileSource,
    PushSource,
    RequestSource,
    ValueType,
)
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float32, Float64, Int64, String

CUSTOMER_ANALYTICS = "customer-analytics"
FRAUD_DETECTION = "fraud-detection"

DATA_URL = os.environ.get("FEAST_DATA_URL", "s3://feast/data").rstrip("/")
S3_ENDPOINT_URL = os.environ.get("FEAST_S3_ENDPOINT_URL", "")

customer = Entity(
    name="customer_id",
    join_keys=["customer_id"],
    value_type=ValueType.INT64,
    description="A customer, by the number that the shop gave at sign-up",
    owner=CUSTOMER_ANALYTICS,
)

customer_stats_source = FileSource(
    name="customer_stats_source",
    path=f"{DATA_URL}/customer_stats.parquet",
    timestamp_field="event_timestamp",
    created_timestamp_column="created_timestamp",
    s3_endpoint_override=S3_ENDPOINT_URL,
    description="A row per customer and day with orders since sign-up, written by the nightly order job",
    owner=CUSTOMER_ANALYTICS,
)

transaction_stats_source = FileSource(
    name="transaction_stats_source",
    path=f"{DATA_URL}/transaction_stats.parquet",
    timestamp_field="event_timestamp",
    s3_endpoint_override=S3_ENDPOINT_URL,
    description="A row per customer and day with card transactions of the last 7 and 30 days",
    owner=FRAUD_DETECTION,
)

customer_push_source = PushSource(
    name="customer_push_source",
    batch_source=customer_stats_source,
    description="Fresh customer_stats rows, pushed by the shop as orders are paid",
    # The feature service checks what is pushed by this suite (expectations/suites/), and puts bad rows into quarantine.
    tags={"validation_suite": "customer_push_suite", "on_invalid": "quarantine"},
    owner=CUSTOMER_ANALYTICS,
)

request_source = RequestSource(
    name="request_source",
    schema=[Field(name="current_balance", dtype=Float32, description="Account balance now, in euros")],
    description="What only the caller knows at the moment of the request",
    owner=CUSTOMER_ANALYTICS,
)

customer_stats_fv = FeatureView(
    name="customer_stats",
    entities=[customer],
    ttl=timedelta(days=365),
    schema=[
        Field(name="tenure_months", dtype=Int64, description="Whole months since sign-up"),
        Field(name="total_purchases", dtype=Int64, description="Paid orders since sign-up"),
        Field(name="total_spend", dtype=Float32, description="Sum of paid orders since sign-up, in euros"),
        Field(name="avg_purchase_value", dtype=Float32, description="total_spend / total_purchases; null without orders"),
        Field(name="customer_segment", dtype=String, description="bronze, silver, gold or platinum"),
        Field(name="loyalty_score", dtype=Float32, description="0 (may leave) to 1 (loyal)"),
    ],
    # Only a view that the push source feeds can be pushed to; it materializes from the push source's batch source.
    source=customer_push_source,
    online=True,
    description="Who the customer is: tenure, spend, segment and loyalty",
    tags={"team": CUSTOMER_ANALYTICS},
    owner=CUSTOMER_ANALYTICS,
)

transaction_stats_fv = FeatureView(
    name="transaction_stats",
    entities=[customer],
    ttl=timedelta(days=90),
    schema=[
        Field(name="txn_count_7d", dtype=Int64, description="Transactions of the last 7 days"),
        Field(name="txn_count_30d", dtype=Int64, description="Transactions of the last 30 days"),
        Field(name="txn_amount_7d", dtype=Float32, description="Sum of the last 7 days, in euros"),
        Field(name="txn_amount_30d", dtype=Float32, description="Sum of the last 30 days, in euros"),
        Field(name="avg_txn_amount_7d", dtype=Float32, description="Mean of the last 7 days, in euros; null without any"),
        Field(name="max_txn_amount_30d", dtype=Float32, description="Largest of the last 30 days; null without any"),
    ],
    source=transaction_stats_source,
    online=True,
    description="What the customer's cards did lately",
    tags={"team": FRAUD_DETECTION},
    owner=FRAUD_DETECTION,
)


# What both forms of the derived features read; a function gets all that its sources have, so they have no more than it needs.
derived_sources = [customer_stats_fv[["total_spend", "loyalty_score"]], request_source]
# Each row's result depends on that row alone, so the feature service may compute the rows of several requests in one call.
derived_tags = {"team": CUSTOMER_ANALYTICS, "row_wise": "true"}


@on_demand_feature_view(
    sources=derived_sources,
    schema=[  # without descriptions: Feast compares these with what it infers, which has none
        Field(name="balance_to_spend_ratio", dtype=Float32),
        Field(name="is_high_value", dtype=Int64),
    ],
    mode="pandas",
    description="What the stored features say about the balance of this very moment",
    tags=derived_tags,
    owner=CUSTOMER_ANALYTICS,
)
def customer_derived_features(inputs: pd.DataFrame) -> pd.DataFrame:
    """Return both features for each row.

    Stock Feast rebuilds this function from its source text alone, so it uses no name of this module but pd; and it compares
    the outputs' types with the schema when it applies, so they are given here. The inputs' types are given because a column
    of nothing but nulls (one unknown customer) arrives as objects, which neither add nor compare.
    """
    numbers = inputs[["current_balance", "total_spend", "loyalty_score"]].astype("float64")
    df = pd.DataFrame()
    df["balance_to_spend_ratio"] = (numbers["current_balance"] / (numbers["total_spend"] + 1)).astype("float32")
    df["is_high_value"] = (numbers["loyalty_score"] > 0.8).astype("int64")
    return df


@on_demand_feature_view(
    sources=derived_sources,
    schema=[  # Python's numbers are 64 bits wide, and Feast insists on it
        Field(name="balance_to_spend_ratio", dtype=Float64),
        Field(name="is_high_value", dtype=Int64),
    ],
    mode="python",
    description="The same as customer_derived_features, in plain Python, which for the few rows of a request takes a hundredth of the time",
    tags=derived_tags,
    owner=CUSTOMER_ANALYTICS,
)
def customer_derived_features_python(inputs: dict) -> dict:
    """Return both features for each row; nulls are None."""
    ratios = [
        None if balance is None or total_spend is None else balance / (total_spend + 1)
        for balance, total_spend in zip(inputs["current_balance"], inputs["total_spend"])
    ]
    are_high = [int(score is not None and score > 0.8) for score in inputs["loyalty_score"]]
    return {"balance_to_spend_ratio": ratios, "is_high_value": are_high}


churn_model_v1 = FeatureService(
    name="churn_model_v1",
    features=[customer_stats_fv, transaction_stats_fv[["txn_count_30d", "txn_amount_30d"]]],
    description="Will this customer leave within 90 days? Stored features only",
    tags={"team": CUSTOMER_ANALYTICS},
    owner=CUSTOMER_ANALYTICS,
)

churn_model_v2 = FeatureService(
    name="churn_model_v2",
    features=[
        customer_stats_fv,
        transaction_stats_fv[["txn_count_30d", "txn_amount_30d"]],
        customer_derived_features,
    ],
    description="churn_model_v1 and the on-demand features; needs current_balance in the request",
    tags={"team": CUSTOMER_ANALYTICS},
    owner=CUSTOMER_ANALYTICS,
)

fraud_model_v1 = FeatureService(
    name="fraud_model_v1",
    features=[transaction_stats_fv, customer_stats_fv[["tenure_months", "customer_segment", "loyalty_score"]]],
    description="Is this transaction fraudulent? Stored features only",
    tags={"team": FRAUD_DETECTION},
    owner=FRAUD_DETECTION,
)
