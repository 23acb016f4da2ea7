"""A frame of plain Python columns: what `pandas.DataFrame(columns)` would be."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol

from service.suites.column import Column, make_column
from service.suites.dtypes import Dtype
from service.suites.errors import MissingColumn


class RowFilter(Protocol):
    """A row condition."""

    def rows(self, frame: "Frame") -> Sequence[int]:
        """The rows of the frame that it lets through, in order."""


class Frame:
    """Columns of one length, by name, in their order."""

    def __init__(
        self,
        columns: Mapping[str, Sequence[Any]],
        rows: int | None = None,
        dtypes: Mapping[str, Dtype] | None = None,
    ) -> None:
        """`rows` spares the counting; `dtypes` are those of a whole file of which these columns are a part.

        Raises ValueError for columns of different lengths.
        """
        if rows is None:
            lengths = set(map(len, columns.values()))
            if len(lengths) > 1:
                raise ValueError("All columns must be of the same length.")
            rows = lengths.pop() if lengths else 0
        self.names = tuple(columns)
        self.row_count = rows
        self._values = columns
        self._dtypes = dtypes
        self._columns: dict[str, Column] = {}
        self._spellings = _spellings(self.names)
        self._filtered: dict[RowFilter, Sequence[int]] = {}

    def column(self, name: str) -> Column:
        """The column of exactly this name; raises KeyError."""
        column = self._columns.get(name)
        if column is None:
            dtype = self._dtypes[name] if self._dtypes else None
            column = self._columns[name] = make_column(self._values[name], dtype)
        return column

    def find(self, name: str, condition: RowFilter | None = None) -> Column:
        """The column that GX takes for this name, whatever its case, in the rows that the condition lets through. Hot.

        Raises MissingColumn, KeyError, and what evaluating the condition raises.
        """
        if condition is not None:
            rows = self.rows_where(condition)
            return self.find(name).take(rows)
        spelled = self._spellings.get(name)
        if spelled is None:
            spelled = self._spellings[name] = _spelling(name, self.names)
        column = self._columns.get(spelled)
        return self.column(spelled) if column is None else column

    def rows_where(self, condition: RowFilter | None) -> Sequence[int]:
        """The rows that a condition lets through, all for None; worked out once for each condition."""
        if condition is None:
            return range(self.row_count)
        rows = self._filtered.get(condition)
        if rows is None:
            rows = self._filtered[condition] = condition.rows(self)
        return rows


@lru_cache(maxsize=256)
def _spellings(names: tuple[str, ...]) -> dict[str, str]:
    """Which of the columns is meant by each name that was asked for so far: frames of the same columns share it."""
    return {}


def _spelling(name: str, names: tuple[str, ...]) -> str:
    """Which of the frame's columns GX takes for `name`; raises MissingColumn.

    Source: `_verify_column_names_exist_and_get_normalized_typed_column_names_map` in GX's expectations/metrics/util.py.
    """
    folded = name.casefold()
    for candidate in names:
        if folded == candidate.casefold():
            return candidate
        if len(candidate) > 1 and candidate[0] == candidate[-1] == "`" and folded == candidate[1:-1].casefold():
            return candidate
        if candidate.casefold() in (folded.strip('"'), folded.strip("[]"), folded.strip("`")):
            return name
    raise MissingColumn(name)
