"""A suite's checks over the batches of a file."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from service.files.columns import FileFrame
from service.files.figures import in_bounded_memory
from service.files.forms import Form
from service.files.source import Batch, Source
from service.files.tallies import FileTally, FileTypeTally, UnexpectedRows
from service.files.unique import (
    FileCompoundUnique,
    FileDistinctCount,
    FileUnique,
    FileUniqueProportion,
    LooksBack,
    RepeatedTally,
)
from service.suites.checks import Check
from service.suites.column_statistics import DistinctCount, Statistic, UniqueProportion
from service.suites.outcomes import Outcome, Tally
from service.suites.suite import Run
from service.suites.type_maps import TypeTally
from service.suites.unique_maps import CompoundUnique, Unique

_BY_FINGERPRINT: Mapping[type, type[Check[Any]]] = {Unique: FileUnique, CompoundUnique: FileCompoundUnique}


class FileRun(Run):
    """One evaluation of checks over a file; what they remember is bounded by the batch as far as it can be."""

    def __init__(self, checks: Sequence[Check[Any]], rows: int, limit: int | None) -> None:
        """`rows` are those of the file, `limit` is how many unexpected ones are listed; None for all."""
        super().__init__([_for_files(check) for check in checks])
        self._states = [(check, _bounded(check, state, rows, limit)) for check, state in self._states]

    def look_back(self, source: Source, names: Sequence[str], forms: Mapping[str, Form]) -> None:
        """Read the file again if a check has to see some of its rows once more."""
        looking: list[tuple[LooksBack, RepeatedTally]] = []
        for check, state in self._states:
            if isinstance(state, RepeatedTally) and check not in self._errors:
                state.settle()
                if state.wanted():
                    looking.append((cast(LooksBack, check), state))
        last = max((state.wanted()[-1] for _, state in looking), default=-1)
        offset = 0
        for batch in source.batches(names) if looking else ():
            frame = frame_of(source, batch, forms)
            for looks_back, state in looking:
                looks_back.look_back(state, frame, offset)
            offset += batch.rows
            if offset > last:
                break

    def conclude(self) -> list[Outcome]:
        """See Run."""
        outcomes = super().conclude()
        for outcome in outcomes:
            if (
                isinstance(outcome.found, Tally)
                and isinstance(outcome.found.rows, UnexpectedRows)
                and outcome.found.rows.all_kept
            ):
                # Results list them, and only know lists.
                outcome.found.rows = outcome.found.rows.kept
        return outcomes


def frame_of(source: Source, batch: Batch, forms: Mapping[str, Form]) -> FileFrame:
    """The frame of a batch."""
    return FileFrame(source.names, batch.rows, batch.arrays, forms)


def _for_files(check: Check[Any]) -> Check[Any]:
    kind = _BY_FINGERPRINT.get(type(check))
    return kind(check.expectation, check.arguments, check.condition) if kind else check


def _bounded(check: Check[Any], state: Any, rows: int, limit: int | None) -> Any:
    """A state that remembers the same without growing with the file, or by some bytes a row."""
    if isinstance(state, RepeatedTally):
        state.rows = UnexpectedRows(limit)
    elif isinstance(state, TypeTally):
        return FileTypeTally(rows=UnexpectedRows(limit))
    elif isinstance(state, Tally):
        return FileTally(rows=UnexpectedRows(limit))
    elif isinstance(state, UniqueProportion):
        return FileUniqueProportion()
    elif isinstance(state, DistinctCount):
        return FileDistinctCount()
    elif isinstance(state, Statistic):
        return in_bounded_memory(state, rows if check.condition is None else None)
    return state
