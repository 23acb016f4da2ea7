"""Features as of each row's own moment: Feast's point-in-time join, with every row kept, in its order. Imports Feast.

Feast's file store gives no row at all for an entity whose features are too old or too young in one of the views, and only one
of two rows with the same key and moment. A training set that lacks just those rows teaches the wrong thing, and nobody is told.
So Feast joins each view by itself, for the distinct keys and moments, and what it found is put beside the rows here: null
where there is nothing. On-demand views then get all columns, as Feast gives them (RetrievalJob.to_arrow).
"""

import logging
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pyarrow as pa
from feast import FeatureStore
from feast.type_map import feast_value_type_to_pa
from feast.value_type import ValueType

from pipelines.entities import TIME, Entities
from pipelines.errors import BadInput, PipelineError
from service.catalog.configuration import load_config
from service.errors import FeatureServiceError
from service.parity.selection import Feature, Selection, StoredView, select

# Says which of the distinct rows is whose in what Feast gives back.
_ROW = "__row"
# pandas makes other types of these where values are missing; all others keep theirs.
_RETYPED = {"INT32", "INT64", "FLOAT", "DOUBLE", "BOOL", "STRING"}


def open_store(repo: Path) -> FeatureStore:
    """Feast's SDK on a repository's folder, or on a configuration file under any name."""
    logging.getLogger("feast").setLevel(logging.ERROR)
    try:
        store = FeatureStore(config=load_config(repo))
        store.registry.get_project(store.project)
    except FeatureServiceError as error:
        raise BadInput(str(error)) from error
    except Exception as error:  # the registry's drivers raise whatever they like
        raise PipelineError(
            f"The registry of {repo} can't be read: {_first_line(error)}. Check its address, and whether `feast apply` was run."
        ) from error
    return store


def selected(store: FeatureStore, features: Sequence[str] | str) -> Selection:
    """Resolve references (view:feature), or the name of a feature service; raises BadInput, naming what there is instead."""
    service = features if isinstance(features, str) else None
    references = None if isinstance(features, str) else list(features)
    if not features:
        raise BadInput("No features are asked for: name a feature service, or features as view:feature.")
    try:
        return select(store, service, references)
    except FeatureServiceError as error:
        raise BadInput(str(error)) from error


def joined(store: FeatureStore, selection: Selection, entities: Entities, *, full_feature_names: bool = False) -> pa.Table:
    """The entities' columns, then the features in the order in which they were asked for."""
    names = _names(selection.features, entities, full_feature_names=full_feature_names)
    columns: dict[str, Any] = {}
    # What Feast and what it stands on warn of is of no use to whoever wants features.
    with warnings.catch_warnings(action="ignore"):
        for view in selection.views:
            columns |= _stored(store, view, entities)
    everything = entities.table
    for name, column in columns.items():
        everything = everything.append_column(name, column)
    with warnings.catch_warnings(action="ignore"):
        for view in selection.on_demand:
            columns |= _computed(view, everything)
    table = entities.table
    for feature in selection.features:
        table = table.append_column(names[feature.column], _typed(feature, columns[feature.column]))
    return table


def _names(features: Sequence[Feature], entities: Entities, *, full_feature_names: bool) -> dict[str, str]:
    """What each feature is called in the result."""
    names = {
        feature.column: feature.column if full_feature_names else feature.reference.rpartition(":")[2] for feature in features
    }
    often = Counter([*names.values(), *entities.table.column_names])
    twice = [name for name, count in often.items() if count > 1]
    if twice:
        what = "Choose other features" if full_feature_names else "Ask for full feature names, or for other features"
        raise BadInput(
            f"The result would have several columns named {', '.join(twice)}. {what}, or rename those of {entities.place}."
        )
    return names


def _stored(store: FeatureStore, view: StoredView, entities: Entities) -> dict[str, pa.ChunkedArray]:
    """The features of one view by full name, null where it has no row that is young enough."""
    keys = {key.join_key: entities.table[key.column].to_pandas() for key in view.keys}
    frame = pd.DataFrame(keys | {TIME: entities.table[TIME].to_pandas()})
    which = frame.groupby(list(frame.columns), sort=False).ngroup().to_numpy()
    distinct = frame.drop_duplicates(ignore_index=True)
    distinct[_ROW] = np.arange(len(distinct))
    references = [f"{view.reference}:{feature}" for feature in view.features]
    try:
        found = store.get_historical_features(distinct, references, full_feature_names=True).to_arrow()
    except Exception as error:  # each offline store has errors of its own
        raise PipelineError(
            f"Feast can't read the offline rows of {view.label} ({_source(view)}): {_first_line(error)}. "
            "Check that they are there, and who may read them."
        ) from error
    places = np.full(len(distinct), -1)
    places[found[_ROW].to_numpy().astype(np.int64)] = np.arange(found.num_rows)
    rows = places[which]
    taken = pa.array(rows, pa.int64(), mask=rows < 0)
    return {f"{view.label}__{feature}": found[f"{view.reference}__{feature}"].take(taken) for feature in view.features}


def _computed(view: Any, table: pa.Table) -> dict[str, pa.ChunkedArray]:
    """The outputs of an on-demand view, by full name."""
    label = view.projection.name_to_use()
    try:
        transformed = view.transform_arrow(table, full_feature_names=True)
    except Exception as error:  # the repository's own code raises whatever it likes
        raise PipelineError(f"The function of on-demand feature view {label} raised {_first_line(error)}.") from error
    names = [f"{label}__{feature.name}" for feature in view.projection.features]
    missing = [name for name in names if name not in transformed.column_names]
    if missing:
        raise PipelineError(f"The function of on-demand feature view {label} doesn't give {', '.join(missing)}.")
    return {name: transformed[name] for name in names}


def _typed(feature: Feature, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """In the declared type, whatever is missing: integers beside nulls come as floats, nothing but nulls without a type."""
    value_type: ValueType = feature.value_type
    null = pa.types.is_null(column.type)
    if value_type.name not in _RETYPED and not null:
        return column
    wanted = feast_value_type_to_pa(value_type)
    try:
        return column.cast(wanted, safe=not pa.types.is_floating(wanted))
    except pa.ArrowException as error:
        raise BadInput(
            f"{feature.reference} is declared {value_type.name}, and the offline store has values that don't fit: {error}"
        ) from error


def _source(view: StoredView) -> str:
    options = getattr(view.view.batch_source, "file_options", None)
    return str(options.uri) if options is not None else str(view.view.batch_source.name)


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"
