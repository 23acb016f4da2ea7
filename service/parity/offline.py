"""What Feast gives for training: get_historical_features, for the very rows that the service was asked for."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa
from feast import FeatureStore

from service.parity.entities import Entities
from service.parity.errors import NotComparable
from service.parity.newest_rows import key_type
from service.parity.request_data import to_array
from service.parity.selection import Selection, StoredView

_TIME = "event_timestamp"
# Says which row is whose in what Feast gives back, in an order of its own and without some.
_ROW = "parity_row"


class Offline:
    """Values for training by full feature name, a column of Arrow each.

    `failures` says of on-demand feature views that Feast couldn't compute what it raised.
    """

    def __init__(
        self,
        store: FeatureStore,
        selection: Selection,
        entities: Entities,
        request: Mapping[str, list[Any]],
        moment: datetime,
    ) -> None:
        """Join all rows at `moment`; raises NotComparable when Feast can't."""
        self._store = store
        self._entities = entities
        self._moment = moment
        columns: dict[str, Any] = {
            name: pa.array(values, key_type(entities.types[name])) for name, values in entities.columns.items()
        }
        columns[_TIME] = pa.array([moment] * entities.rows, pa.timestamp("us", tz="UTC"))
        columns |= {name: to_array(values, selection.request[name]) for name, values in request.items()}
        self.columns: dict[str, Any] = {}
        for view in selection.views:
            self.columns |= self._join(view)
        self.failures: dict[str, str] = {}
        self._transform(selection, pa.table(columns | self.columns))

    def _join(self, view: StoredView) -> dict[str, pa.ChunkedArray]:
        """The features of one view, null where it has no row, or none that is young enough.

        Each view by itself, by its own join keys: Feast's file store gives no row at all for an entity whose row has expired
        in one of the views, nor for the second of two rows with the same key in the view that it joins first.
        """
        keys = self._entities.keys_of(view)
        distinct = list(dict.fromkeys(keys))
        frame: dict[str, Any] = {
            key.join_key: pa.array([values[place] for values in distinct], key_type(key.value_type))
            for place, key in enumerate(view.keys)
        }
        frame[_TIME] = pa.array([self._moment] * len(distinct), pa.timestamp("us", tz="UTC"))
        frame[_ROW] = pa.array(range(len(distinct)), pa.int64())
        references = [f"{view.reference}:{feature}" for feature in view.features]
        try:
            found = self._store.get_historical_features(
                pa.table(frame).to_pandas(), references, full_feature_names=True
            ).to_arrow()
        except Exception as error:  # each offline store has errors of its own
            raise NotComparable(
                f"Feast can't read the offline values of {view.label}: {type(error).__name__}: {error}"
            ) from error
        places = {distinct[row]: place for place, row in enumerate(found[_ROW].to_pylist())}
        rows = pa.array([places.get(key) for key in keys], pa.int64())
        return {f"{view.label}__{feature}": found[f"{view.reference}__{feature}"].take(rows) for feature in view.features}

    def _transform(self, selection: Selection, table: pa.Table) -> None:
        """What Feast does with a joined table (RetrievalJob.to_arrow): each on-demand view gets all of it."""
        for view in selection.on_demand:
            label = view.projection.name_to_use()
            try:
                transformed = view.transform_arrow(table, full_feature_names=True)
            except Exception as error:  # the repository's own code raises whatever it likes
                self.failures[label] = f"{type(error).__name__}: {error}"
                continue
            for feature in view.projection.features:
                name = f"{label}__{feature.name}"
                if name in transformed.column_names:
                    self.columns[name] = transformed[name]
                else:
                    self.failures[label] = f"Feast's function gives no {feature.name}."
