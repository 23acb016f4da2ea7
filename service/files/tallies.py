"""What checks of each row find in a file: counted, and of the rows themselves only the first kept, as many as are shown."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, overload

from service.suites.outcomes import MAX_RESULT_RECORDS, Tally
from service.suites.type_maps import TypeTally


class UnexpectedRows(Sequence[int]):
    """As long as there are unexpected rows, although it knows only the first of them."""

    def __init__(self, limit: int | None) -> None:
        """`limit` is how many it keeps, None for all."""
        self._limit = limit
        self._count = 0
        # 8 bytes a row.
        self._kept = array("q")

    def add(self, rows: Sequence[int], offset: int) -> None:
        """Add rows of a batch that starts at row `offset`."""
        self._count += len(rows)
        room = len(rows) if self._limit is None else self._limit - len(self._kept)
        self._kept.extend(row + offset for row in rows[: max(room, 0)])

    @property
    def all_kept(self) -> bool:
        """Whether it knows all, however many there are."""
        return self._limit is None

    @property
    def kept(self) -> list[int]:
        """The rows that it knows."""
        return self._kept.tolist()

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> int: ...

    @overload
    def __getitem__(self, place: slice) -> list[int]: ...

    def __getitem__(self, place: int | slice) -> int | list[int]:
        """One of them or several; raises IndexError for one that isn't kept."""
        found = self._kept[place]
        return found if isinstance(found, int) else found.tolist()


@dataclass(slots=True)
class FileTally(Tally):
    """A tally whose rows don't grow with the file."""

    rows: UnexpectedRows = field(default_factory=lambda: UnexpectedRows(MAX_RESULT_RECORDS))

    def keep(self, rows: Sequence[int], values: Sequence[Any], offset: int) -> None:
        """See Tally."""
        room = MAX_RESULT_RECORDS - len(self.values)
        if room > 0:
            self.values = [*self.values, *values[:room]]
        self.rows.add(rows, offset)


@dataclass(slots=True)
class FileTypeTally(TypeTally):
    """The same for checks of types."""

    rows: UnexpectedRows = field(default_factory=lambda: UnexpectedRows(MAX_RESULT_RECORDS))
    keep = FileTally.keep
