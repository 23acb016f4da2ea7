"""Look at rows in Redis through Feast: `python -m loadtest.feast_rows CONFIG`, a line of JSON in, a line of JSON out.

    {"read": [1001, 1002]}      the rows of these customers, in their order; null for one that isn't there
    {"forget": [1001, 1002]}    deletes all that is stored of them; the answer is empty

A process of its own, since Feast's imports (5 s, 190 MB) are of no use to the benchmark itself. It ends with its input.
"""

import sys
from pathlib import Path
from typing import Any

import orjson
from feast import FeatureStore
from feast.infra.online_stores.helpers import _redis_key
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from google.protobuf.timestamp_pb2 import Timestamp

from loadtest.pushes import JOIN_KEY

VIEW = "customer_stats"


class Rows:
    """The rows of one view in one repository's online store."""

    def __init__(self, config: Path) -> None:
        """`config` is a feature_store.yaml under any name."""
        store = FeatureStore(fs_yaml_file=config)
        self._config = store.config
        self._view = store.get_feature_view(VIEW)
        self._online = store._get_provider().online_store
        self._redis = self._online._get_client(self._config.online_store)

    def read(self, ids: list[int]) -> list[dict[str, Any] | None]:
        """Event time (microseconds), values by feature, and the hash itself in hexadecimal, of each."""
        entity_keys = [_entity_key(one) for one in ids]
        with self._redis.pipeline(transaction=False) as pipeline:
            for entity_key in entity_keys:
                pipeline.hgetall(self._key(entity_key))
            hashes = pipeline.execute()
        found = self._online.online_read(self._config, self._view, entity_keys)
        return [_row(stored, values) if stored and values else None for stored, (_, values) in zip(hashes, found, strict=True)]

    def forget(self, ids: list[int]) -> None:
        """Delete all that is stored of them."""
        if ids:
            self._redis.delete(*(self._key(_entity_key(one)) for one in ids))

    def _key(self, entity_key: EntityKey) -> bytes:
        version = self._config.entity_key_serialization_version
        key: bytes = _redis_key(self._config.project, entity_key, entity_key_serialization_version=version)
        return key


def _entity_key(one: int) -> EntityKey:
    return EntityKey(join_keys=[JOIN_KEY], entity_values=[Value(int64_val=one)])


def _row(stored: dict[bytes, bytes], values: dict[str, Value]) -> dict[str, Any]:
    event_time = Timestamp()
    event_time.ParseFromString(stored[f"_ts:{VIEW}".encode()])  # online_read passes it through a float
    return {
        "event_us": event_time.ToMicroseconds(),
        "values": {name: _plain(value) for name, value in values.items()},
        "fields": {field.hex(): value.hex() for field, value in stored.items()},
    }


def _plain(value: Value) -> Any:
    kind = value.WhichOneof("val")
    return getattr(value, kind) if kind else None


def main() -> int:
    """Answer until the input ends."""
    rows = Rows(Path(sys.argv[1]))
    for line in sys.stdin.buffer:
        request = orjson.loads(line)
        rows.forget(request.get("forget", []))
        sys.stdout.buffer.write(orjson.dumps(rows.read(request.get("read", []))) + b"\n")
        sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
