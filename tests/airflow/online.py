"""What is in Redis after a materialization, and what the sample has of an hour."""

import io
import struct
from datetime import UTC, datetime, timedelta

import mmh3
import pandas as pd
from feast.protos.feast.types.Value_pb2 import Value
from google.protobuf.timestamp_pb2 import Timestamp

from .platform import BUCKET, Platform

VIEWS = ("customer_stats", "transaction_stats")
HOUR = timedelta(hours=1)


def source(platform: Platform, view: str) -> pd.DataFrame:
    """The view's rows in S3."""
    return pd.read_parquet(io.BytesIO(platform.s3.get(BUCKET, f"features/{view}.parquet")))


def hours_with_rows(platform: Platform) -> list[datetime]:
    """Begins of hours in which every view has rows; the last one isn't among them."""
    hours = [set(source(platform, view)["event_timestamp"].dt.floor("h")) for view in VIEWS]
    return [hour.to_pydatetime() for hour in sorted(set.intersection(*hours))][:-1]


def times_of_hour(platform: Platform, begin: datetime) -> dict[str, list[datetime]]:
    """The event times, in order, that the sample has from the begin of an hour to its end."""
    rows = {view: source(platform, view)["event_timestamp"] for view in VIEWS}
    return {view: sorted(times[(times >= begin) & (times <= begin + HOUR)]) for view, times in rows.items()}


def times_online(platform: Platform) -> dict[str, list[datetime]]:
    """The event times in Redis, in order."""
    return {
        view: sorted(
            datetime.fromtimestamp(Timestamp.FromString(raw).seconds, UTC) for raw in _fields(platform, f"_ts:{view}".encode())
        )
        for view in VIEWS
    }


def values_online(platform: Platform, view: str, feature: str) -> list[float]:
    """The values of a feature of type Float32 in Redis, in order, as Feast's layout has them: nulls are left out."""
    name = struct.pack("<I", mmh3.hash(f"{view}:{feature}", signed=False))
    values = [Value.FromString(raw) for raw in _fields(platform, name)]
    return sorted(value.float_val for value in values if value.WhichOneof("val"))


def _fields(platform: Platform, name: bytes) -> list[bytes]:
    found = [platform.redis.hget(key, name) for key in platform.redis.scan_iter(count=10_000)]
    return [raw for raw in found if raw]
