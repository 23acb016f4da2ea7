"""Which entities the offline store has rows of, and how old the newest row of each is."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from feast import FeatureStore
from feast.infra.offline_stores.offline_utils import get_offline_store_from_config
from feast.type_map import feast_value_type_to_pa
from feast.value_type import ValueType

from service.parity.errors import NotComparable
from service.parity.selection import StoredView

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# One of this many rows of a sample has expired, if there are so many.
EXPIRED_PART = 10
_TIME = "event time"
_MOMENT = pa.timestamp("us", tz="UTC")

EntityKey = tuple[Any, ...]


class NewestRows:
    """The entity keys of one view's batch source in a fixed order, each with the event time of its newest row."""

    def __init__(self, store: FeatureStore, view: StoredView, until: datetime) -> None:
        """Read them as a materialization up to `until` does; raises NotComparable."""
        self._view = view
        source = view.view.batch_source
        in_source = {name: column for column, name in (source.field_mapping or {}).items()}
        keys = [in_source.get(key.join_key, key.join_key) for key in view.keys]
        time = in_source.get(source.timestamp_field, source.timestamp_field)
        created = source.created_timestamp_column
        features = [in_source.get(name, name) for name in view.features]
        try:
            table = (
                get_offline_store_from_config(store.config.offline_store)
                .pull_latest_from_table_or_query(
                    config=store.config,
                    data_source=source,
                    join_key_columns=keys,
                    # Without any, some stores give all of them.
                    feature_name_columns=features[:1],
                    timestamp_field=time,
                    created_timestamp_column=in_source.get(created, created) or None,
                    start_date=EPOCH,
                    end_date=until,
                )
                .to_arrow()
            )
            columns = {key.join_key: _typed(table[name], key.value_type) for key, name in zip(view.keys, keys, strict=True)}
            columns[_TIME] = _moments(table[time])
        except Exception as error:  # each offline store has errors of its own
            raise NotComparable(f"The offline rows of {view.label} can't be read: {type(error).__name__}: {error}") from error
        table = pa.table(columns).drop_null()
        self._table = table.sort_by([(name, "ascending") for name in columns]) if table.num_rows else table

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def sample(self, count: int, now: datetime, random: np.random.Generator) -> list[EntityKey]:
        """At most `count` different keys in any order; a tenth of them past the view's ttl, if there are so many."""
        if not self._view.keys:
            return [()] * min(1, len(self))
        ttl = self._view.ttl
        old = np.zeros(len(self), bool)
        if ttl is not None:
            old = pc.less(self._table[_TIME], pa.scalar(now - ttl, _MOMENT)).to_numpy()
        expired, fresh = np.flatnonzero(old), np.flatnonzero(~old)
        number = min(len(expired), max(count // EXPIRED_PART, count - len(fresh)))
        chosen = [random.choice(fresh, min(count - number, len(fresh)), replace=False)]
        chosen.append(random.choice(expired, number, replace=False))
        return self._keys(self._table.take(random.permutation(np.concatenate(chosen))))

    def matching(self, join_key: str, ids: Sequence[Any]) -> list[EntityKey]:
        """All keys in which a join key has one of these ids."""
        return self._keys(self._matching(join_key, ids))

    def times(self, keys: Sequence[EntityKey]) -> list[datetime | None]:
        """The event time of each key's newest row; None where there is no row."""
        if not self._view.keys:
            newest = pc.max(self._table[_TIME]).as_py() if len(self) else None
            return [newest] * len(keys)
        table = self._matching(self._view.keys[0].join_key, [key[0] for key in keys])
        times = dict(zip(self._keys(table), table[_TIME].to_pylist(), strict=True))
        return [times.get(key) for key in keys]

    def _matching(self, join_key: str, ids: Sequence[Any]) -> pa.Table:
        column = self._table[join_key]
        return self._table.filter(pc.is_in(column, value_set=pa.array(list(dict.fromkeys(ids)), column.type)))

    def _keys(self, table: pa.Table) -> list[EntityKey]:
        return list(zip(*(table[key.join_key].to_pylist() for key in self._view.keys), strict=True))


def key_type(value_type: ValueType) -> pa.DataType:
    """The Arrow type in which join keys of a Feast type are kept here."""
    return _MOMENT if value_type == ValueType.UNIX_TIMESTAMP else feast_value_type_to_pa(value_type)


def _typed(column: pa.ChunkedArray, value_type: ValueType) -> pa.ChunkedArray:
    """Integers beside nulls come as floats, for instance."""
    if value_type == ValueType.UNIX_TIMESTAMP and pa.types.is_timestamp(column.type):
        return _moments(column)
    return column.cast(key_type(value_type))


def _moments(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Feast takes times without a zone for UTC."""
    naive = pa.types.is_timestamp(column.type) and column.type.tz is None
    # Nanoseconds are more than Feast keeps.
    return (pc.assume_timezone(column, "UTC") if naive else column).cast(_MOMENT, safe=False)
