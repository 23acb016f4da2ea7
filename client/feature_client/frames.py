"""Frames of pandas, as they come: whether one is, and what is wrong with its columns."""

import sys
from collections.abc import Iterable, Sequence
from typing import Any

from feature_client.errors import InvalidRequest, Problem
from feature_client.values import NAIVE


def is_pandas(rows: object) -> bool:
    """Whether it is a DataFrame of pandas; who has one has imported pandas."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(rows, pandas.DataFrame)


def check_frame(frame: Any) -> None:
    """Raise InvalidRequest for columns that aren't named by strings, each by another, or whose times have no zone."""
    for name in frame.columns:
        if not isinstance(name, str):
            raise InvalidRequest.because(f"A column is called {name!r}; names of columns are strings.", repr(name))
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise InvalidRequest.because(f"Column {twice} is there twice.", twice)
    naive = [name for name, kind in frame.dtypes.items() if kind.kind == "M" and getattr(kind, "tz", None) is None]
    if naive:
        raise InvalidRequest.of(Problem(f"{name} {NAIVE}", name) for name in naive)


def columns_of_frame(frame: Any) -> Iterable[tuple[str, Sequence[Any]]]:
    """Each column as Python's values; raises InvalidRequest as `check_frame`."""
    check_frame(frame)
    return ((name, frame[name].tolist()) for name in frame.columns)
