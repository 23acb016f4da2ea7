"""Values as 64 bits each, equal for equal values, so that what occurs twice can be told among millions.

Numbers, days and times are told apart for certain: their 64 bits are their own. Texts, and rows of several columns, are told
apart by a hash that is different in each process (SipHash, see `sys.hash_info`): two of a million different texts are taken for
equal once in 37 million files.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from service.files.arrays import objects
from service.files.columns import FileColumn
from service.files.forms import is_bytes, is_text

Prints = npt.NDArray[np.uint64]

_NULL = np.uint64(0x9E3779B97F4A7C15)
# Different in each process, too, so that nobody can make rows of several columns that look alike.
_SEED = np.uint64(hash("fingerprints") & 0xFFFFFFFFFFFFFFFF)
# How much more is taken in before what occurs twice is dropped again.
_ROOM = 1 << 20


def fingerprints(column: FileColumn) -> Prints:
    """Those of all rows of a column; all of its nulls have the same."""
    array = column.array
    if pa.types.is_null(array.type):
        return np.full(len(array), _NULL)
    if is_text(array.type) or is_bytes(array.type):
        return _hashed(column)
    numbers = column.numbers()
    if numbers.dtype.kind == "f":
        # -0.0 equals 0.0.
        prints = (numbers.astype(np.float64) + 0.0).view(np.uint64)
    else:
        prints = numbers.astype(np.int64, copy=False).view(np.uint64) if numbers.dtype != np.uint64 else numbers
    if array.null_count:
        prints = prints.copy()
        prints[column.null_mask] = _NULL
    return prints


def _hashed(column: FileColumn) -> Prints:
    present = objects(column.array.drop_null())
    hashes = np.fromiter(map(hash, present), np.int64, len(present)).view(np.uint64)
    if not column.array.null_count:
        return hashes
    prints = np.full(column.size, _NULL)
    prints[~column.null_mask] = hashes
    return prints


def together(columns: Sequence[FileColumn]) -> Prints:
    """Those of the rows of several columns."""
    mixed = np.full(columns[0].size, _SEED)
    for column in columns:
        mixed = _mix(mixed ^ _mix(fingerprints(column) + _NULL))
    return mixed


def _mix(prints: Prints) -> Prints:
    """Each bit depends on all. Source: the finalizer of SplitMix64, by Sebastiano Vigna; it tells all 64 bits apart."""
    prints = (prints ^ (prints >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    prints = (prints ^ (prints >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return prints ^ (prints >> np.uint64(31))


class Distinct:
    """How many different fingerprints there are: 8 bytes for each."""

    def __init__(self) -> None:
        self._known: Prints = np.empty(0, np.uint64)
        self._new: list[Prints] = []
        self._size = 0

    def add(self, prints: Prints) -> None:
        """Take in some more."""
        self._new.append(np.unique(prints))
        self._size += len(self._new[-1])
        if self._size > max(_ROOM, len(self._known)):
            self._merge()

    def _merge(self) -> None:
        if not self._size:
            return
        merged = np.concatenate([self._known, *self._new])
        self._new, self._size = [], 0
        # In place: with copies it would take four times as much.
        merged.sort()
        self._known = merged[np.concatenate([[True], merged[1:] != merged[:-1]])]

    def __len__(self) -> int:
        self._merge()
        return len(self._known)


class Repetitions:
    """Which rows have a fingerprint that another one has, too: 8 bytes a row."""

    def __init__(self) -> None:
        self._parts: list[tuple[Prints, Any, int]] = []

    def add(self, prints: Prints, rows: Any, offset: int) -> None:
        """Take in rows of a batch that starts at row `offset`; `rows` are their places in it, None for all."""
        self._parts.append((prints.copy(), None if rows is None else np.array(rows, np.uint32), offset))

    def rows(self) -> "list[tuple[npt.NDArray[np.int64], int]]":
        """The rows of each batch that are repeated, with the row that the batch starts at."""
        if not self._parts:
            return []
        ordered = np.concatenate([prints for prints, _, _ in self._parts])
        ordered.sort()
        twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
        del ordered
        return [self._repeated(part, twice) for part in self._parts] if len(twice) else []

    @staticmethod
    def _repeated(part: tuple[Prints, Any, int], twice: Prints) -> tuple[npt.NDArray[np.int64], int]:
        prints, rows, offset = part
        places = np.searchsorted(twice, prints)
        found = np.flatnonzero(twice[np.minimum(places, len(twice) - 1)] == prints)
        return (found if rows is None else rows[found].astype(np.int64)), offset
