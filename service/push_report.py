"""What became of a push: of each row that wasn't written, what is wrong with it; of the others, how many there are."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from service.errors import MAX_PROBLEMS, Problem
from service.push_rows import Batch
from service.suites import Suite, statistics, validation_result
from service.validator import Failure


@dataclass(slots=True)
class PushReport:
    """Counts by outcome, by view, and the outcomes of rows that weren't written everywhere (see `outcome`).

    `queued` rows are durable and on their way to the offline store. `written_rows` are positions in the request.
    """

    rows: int
    request_id: str
    written: int = 0
    stale: int = 0
    quarantined: int = 0
    queued: int = 0
    views: dict[str, dict[str, int]] = field(default_factory=dict)
    outcomes: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[dict[str, Any]] = field(default_factory=list)
    written_rows: Sequence[int] = ()


def outcome(row: int, what: str, reasons: Sequence[str]) -> dict[str, Any]:
    """One row's outcome; `what` is written, stale, rejected or quarantined."""
    return {"row": row, "outcome": what, "reasons": list(reasons)}


class BadRows:
    """Rows of a request that aren't to be written, by position, with the row itself and all that is wrong with it."""

    def __init__(self) -> None:
        self._rows: dict[int, tuple[dict[str, Any], list[Problem]]] = {}
        # What is wrong with the batch as a whole, and so with each of its rows.
        self._of_batch: list[Problem] = []

    def __len__(self) -> int:
        return len(self._rows)

    def add_problems(self, batch: Batch, problems: Mapping[int, Sequence[Problem]]) -> None:
        """Rows that can't be typed."""
        for row, found in problems.items():
            self._add(batch, row, found)

    def add_failures(self, batch: Batch, failures: Sequence[Failure]) -> dict[int, object]:
        """Rows that fail expectations; all rows where the batch as a whole does. Gives them by their place in the batch."""
        bad: dict[int, object] = {}
        for failure in failures:
            if failure.rows is None:
                self._of_batch.append(Problem(failure.reason, failure.column))
                bad.update(dict.fromkeys(range(len(batch))))
                continue
            for number, row in enumerate(failure.rows):
                bad[row] = None
                self._add(batch, row, [Problem(failure.reason_of(number), failure.column, batch.positions[row])])
        if self._of_batch:
            for row in range(len(batch)):
                self._add(batch, row, self._of_batch)
        return bad

    def _add(self, batch: Batch, row: int, problems: Sequence[Problem]) -> None:
        _, known = self._rows.setdefault(batch.positions[row], (batch.row(row), []))
        known.extend(problems)

    def problems(self) -> Iterator[Problem]:
        """For an error's list: what is wrong with the batch once, then row by row."""
        yield from self._of_batch
        for position in sorted(self._rows):
            yield from (problem for problem in self._rows[position][1] if problem.row is not None)

    def entries(self) -> Iterator[tuple[int, dict[str, Any], list[str]]]:
        """Position, row and reasons of each, in order."""
        for position in sorted(self._rows):
            row, problems = self._rows[position]
            yield position, row, [problem.message for problem in problems][:MAX_PROBLEMS]

    def outcomes(self, what: str) -> list[dict[str, Any]]:
        """The outcome of each, in order."""
        return [outcome(position, what, reasons) for position, _, reasons in self.entries()]


def warning(failure: Failure) -> dict[str, Any]:
    """What a report says of an expectation that failed without stopping anything."""
    return {
        "expectation": failure.expectation.type,
        "severity": failure.expectation.severity,
        "rows": None if failure.rows is None else len(failure.rows),
        "reason": failure.reason,
    }


def validation_summary(suite: Suite, failures: Sequence[Failure]) -> dict[str, Any]:
    """GX's results of the expectations that failed, and statistics of all of the suite's."""
    evaluated = len(suite.expectations)
    answer = validation_result(suite.name, [failure.result for failure in failures])
    return {**answer, "statistics": statistics(evaluated, evaluated - len(failures))}
