"""What the server says of pushes, of validation and of itself, as typed values.

Each `from_json` takes what it knows of an answer, so that a newer server may say more.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

Outcome = Literal["written", "stale", "rejected", "quarantined"]


@dataclass(frozen=True, slots=True)
class RowOutcome:
    """What became of one row, by its zero-based place in the push; `stale` are the views in which a newer row stands."""

    row: int
    outcome: Outcome
    reasons: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Self:
        """Of an entry of `outcomes`."""
        return cls(entry["row"], entry["outcome"], tuple(entry.get("reasons", ())), tuple(entry.get("stale", ())))


def outcomes(entries: Iterable[Mapping[str, Any]] | None) -> tuple[RowOutcome, ...]:
    """Of a list of them, or null."""
    return tuple(RowOutcome.from_json(entry) for entry in entries or ())


@dataclass(frozen=True, slots=True)
class ViewCounts:
    """What became of the rows in one view."""

    written: int
    stale: int


@dataclass(frozen=True, slots=True)
class ExpectationWarning:
    """An expectation that failed without stopping anything; `rows` is None where the batch as a whole fails it."""

    expectation: str
    severity: str
    rows: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class PushReport:
    """What became of a push: rows by outcome, and the outcomes that `detail` asked for.

    `written` rows are the newest now in at least one view, for `stale` ones a newer row stands in every view, `quarantined`
    ones are bad and kept, `queued` ones are durable and on their way to the offline store.
    """

    rows: int
    written: int
    stale: int
    quarantined: int
    queued: int
    views: Mapping[str, ViewCounts]
    request_id: str
    outcomes: tuple[RowOutcome, ...] = ()
    warnings: tuple[ExpectationWarning, ...] = ()

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Of an answer to /push or /write-to-online-store."""
        warnings = body.get("warnings", ())
        return cls(
            rows=body["rows"],
            written=body["written"],
            stale=body["stale"],
            quarantined=body["quarantined"],
            queued=body["queued"],
            views={name: ViewCounts(counts["written"], counts["stale"]) for name, counts in body["views"].items()},
            request_id=body["request_id"],
            outcomes=outcomes(body.get("outcomes")),
            warnings=tuple(
                ExpectationWarning(one["expectation"], one["severity"], one["rows"], one["reason"]) for one in warnings
            ),
        )


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """Great Expectations' ValidationResult: `results` has an object for each expectation, shaped as GX's `to_json_dict()`."""

    success: bool
    suite_name: str
    statistics: Mapping[str, Any]
    results: tuple[Mapping[str, Any], ...]
    body: Mapping[str, Any]

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Of an answer to /validate."""
        return cls(body["success"], body["suite_name"], body["statistics"], tuple(body["results"]), body)

    @property
    def failed(self) -> tuple[Mapping[str, Any], ...]:
        """The results of expectations that weren't met."""
        return tuple(result for result in self.results if not result["success"])

    def to_json_dict(self) -> Mapping[str, Any]:
        """The whole of it, as GX writes it."""
        return self.body


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the server can answer requests; `catalog` and `redis` are "ok" or say what is wrong."""

    ready: bool
    catalog: str
    redis: str

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Of an answer to /health/ready."""
        return cls(body["ready"], body["catalog"], body["redis"])
