"""A client of the feature service: `FeatureClient`, and `AsyncFeatureClient` for asyncio.

Importing it loads httpx and nothing else; pandas and pyarrow are loaded by the first call that needs them. Errors are
drawn in `feature_client.errors`, what is repeated and when is said in `feature_client.retries`.
"""

from feature_client.answers import FeatureAnswer
from feature_client.asynchronous import AsyncFeatureClient
from feature_client.errors import (
    ConnectionFailed,
    FeatureClientError,
    InvalidRequest,
    NotFound,
    Problem,
    Refused,
    RowsRejected,
    ServerError,
    Timeout,
    TooLarge,
    Unavailable,
    UnexpectedAnswer,
    WriteUnconfirmed,
)
from feature_client.reports import ExpectationWarning, Health, PushReport, RowOutcome, ValidationResult, ViewCounts
from feature_client.retries import Retries
from feature_client.sync import FeatureClient

__all__ = [
    "AsyncFeatureClient",
    "ConnectionFailed",
    "ExpectationWarning",
    "FeatureAnswer",
    "FeatureClient",
    "FeatureClientError",
    "Health",
    "InvalidRequest",
    "NotFound",
    "Problem",
    "PushReport",
    "Refused",
    "Retries",
    "RowOutcome",
    "RowsRejected",
    "ServerError",
    "Timeout",
    "TooLarge",
    "Unavailable",
    "UnexpectedAnswer",
    "ValidationResult",
    "ViewCounts",
    "WriteUnconfirmed",
]
