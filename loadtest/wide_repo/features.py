"""The definitions: `feature_view_0` to `feature_view_4` with ten Int64 features each, and a service with all 50.

Names, types, the ttl of a day and the request by feature service are those of feast-dev/feast-benchmarks.
"""

from datetime import timedelta

from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
from feast.types import Int64

VIEWS = 5
FEATURES_PER_VIEW = 10

entity = Entity(name="entity", join_keys=["entity"], value_type=ValueType.INT64)
source = FileSource(name="generated_data", path="generated_data.parquet", timestamp_field="event_timestamp")
feature_views = [
    FeatureView(
        name=f"feature_view_{view}",
        entities=[entity],
        ttl=timedelta(days=1),
        schema=[Field(name=f"feature_{FEATURES_PER_VIEW * view + i}", dtype=Int64) for i in range(FEATURES_PER_VIEW)],
        source=source,
    )
    for view in range(VIEWS)
]
feature_service_0 = FeatureService(name="feature_service_0", features=list(feature_views))
