"""The columns that a request brings, matched with the join keys and the request data that the requested views need."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from service.catalog import nearest
from service.catalog.definitions import EntityDefinition, ViewDefinition
from service.errors import InvalidRequest, Problem
from service.keys import DUMMY_ENTITY, DUMMY_JOIN_KEY, JoinKey, shorten
from service.references import Selection


class Columns:
    """Matches the join keys of the views with the columns of the request, and collects what doesn't match."""

    def __init__(self, given: tuple[str, ...], join_keys: Collection[str]) -> None:
        """`given` are the names under `entities`, in the request's order; `join_keys` are all those of the project."""
        self._given = dict.fromkeys(given)
        self._project_keys = join_keys
        # Columns in use, by the name that they have in the answer.
        self._used: dict[str, str] = {}
        self._missing: dict[str, list[str]] = {}
        # Request data in use, and what of it isn't there: the name to the on-demand views that need it.
        self._data: set[str] = set()
        self._missing_data: dict[str, list[str]] = {}
        self._problems: list[Problem] = []
        self._entityless = False
        self.join_keys: list[tuple[str, str, str]] = []

    def group_of(self, selection: Selection) -> tuple[tuple[str, str, str], ...]:
        """The (column, join key, type) of each entity of the selection's view; views of equal ones form a group."""
        key = []
        for entity in selection.view.entities:
            wanted = selection.join_key_map.get(entity.join_key, entity.join_key)
            column = self._find(wanted, entity, selection.view)
            if not JoinKey.supports(entity.value_type):
                message = f"Join key {entity.join_key} is of type {entity.value_type}, which Feast can't store keys of."
                self._problems.append(Problem(message, f"entities.{wanted}"))
                continue
            key.append((column, entity.join_key, entity.value_type))
        self._entityless = self._entityless or not selection.view.entities
        self.join_keys += [part for part in key if part not in self.join_keys]
        return tuple(key)

    def _find(self, wanted: str, entity: EntityDefinition, view: ViewDefinition) -> str:
        if wanted in self._given:
            self._used[wanted] = wanted
            return wanted
        # Feast also takes the entity's name for its join key (deprecated there), and answers with the join key; but not
        # for a join key that the service renames, nor where the name is a join key itself.
        if entity.name in self._given and wanted == entity.join_key and entity.name not in self._project_keys:
            self._used[entity.name] = wanted
            return entity.name
        self._missing.setdefault(wanted, []).append(view.name)
        return wanted

    def request_data(self, name: str, view: str) -> None:
        """A column whose values an on-demand view's function gets."""
        if name in self._given:
            self._data.add(name)
        else:
            self._missing_data.setdefault(name, []).append(view)

    def finish(self) -> None:
        """Raise InvalidRequest for columns that are missing, and for those that nothing needs."""
        known = self._used.keys() | self._data
        unneeded = [column for column in self._given if column not in known and not self._stands_for_rows(column)]
        if self._problems or self._missing or self._missing_data or unneeded:
            raise InvalidRequest(chain(self._problems, self._missing_columns(), self._unneeded_columns(unneeded)))

    def _stands_for_rows(self, column: str) -> bool:
        """Views without an entity may be given Feast's dummy column, which says how many rows there are."""
        return self._entityless and column in (DUMMY_JOIN_KEY, DUMMY_ENTITY)

    def _missing_columns(self) -> Iterator[Problem]:
        for column, views in self._missing.items():
            message = f"Join key {column} is missing: {', '.join(dict.fromkeys(views))} can't be read without it."
            yield Problem(message, f"entities.{column}")
        for column, views in self._missing_data.items():
            message = f"Request data {column} is missing: {', '.join(views)} can't be computed without it."
            yield Problem(message, f"entities.{column}")

    def _unneeded_columns(self, columns: Sequence[str]) -> Iterator[Problem]:
        missing = self._missing.keys() | self._missing_data
        needed = sorted({*self._used.values(), *self._data, *missing})
        for column in map(shorten, columns):
            hint = f"; needed are {', '.join(needed)}" if needed else "; none is needed"
            close = [name for name in nearest(column, needed) if name in missing]
            hint += f". Did you mean {close[0]}?" if close else "."
            yield Problem(f"No requested feature view needs {column}{hint}", f"entities.{column}")

    @property
    def echoed(self) -> list[str]:
        """The columns that come back in the answer, in the request's order."""
        return [column for column in self._given if column in self._used]

    @property
    def echoed_names(self) -> list[str]:
        """Their names there."""
        return [self._used[column] for column in self.echoed]


def ragged(columns: Mapping[str, Sequence[Any]], path: str) -> Iterator[Problem]:
    """Name the columns whose number of rows differs from the first's; `path` is their field in the body."""
    first, *others = columns
    for name in others:
        if len(columns[name]) != len(columns[first]):
            message = (
                f"All columns must have the same number of rows: {shorten(name)} has {len(columns[name])}, "
                f"{shorten(first)} has {len(columns[first])}."
            )
            yield Problem(message, f"{path}.{shorten(name)}")
