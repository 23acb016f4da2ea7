"""What evaluating one expectation gives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from service.suites.checks import Check
    from service.suites.expectation import Expectation

# GX returns no more values than that (MAX_RESULT_RECORDS in its constants.py).
MAX_RESULT_RECORDS = 200
# Values that a reason repeats, and characters of each.
_QUOTED_VALUES = 3
_LONGEST_QUOTE = 60


@dataclass(slots=True)
class Tally:
    """What an expectation about each row has found so far.

    `missing` counts the rows that are left out of account; `rows` are the unexpected ones and `values` what the first of
    them hold, at most MAX_RESULT_RECORDS.
    """

    elements: int = 0
    missing: int = 0
    rows: Sequence[int] = ()
    values: Sequence[Any] = ()

    @property
    def considered(self) -> int:
        """The rows that count."""
        return self.elements - self.missing

    def keep(self, rows: Sequence[int], values: Sequence[Any], offset: int) -> None:
        """Remember unexpected rows of a frame that starts at row `offset`, and the value of each (or of the first)."""
        self.values = [*self.values, *values[: MAX_RESULT_RECORDS - len(self.values)]]
        self.rows = [*self.rows, *(row + offset for row in rows)] if offset else list(rows)


class Outcome:
    """The verdict on one expectation."""

    __slots__ = ("check", "error", "found", "success")

    def __init__(
        self,
        check: "Check[Any]",
        success: bool,
        found: Tally | Mapping[str, Any] | None = None,
        error: Exception | None = None,
    ) -> None:
        """`found` is a Tally for an expectation about each row, else GX's `result`; None when `error` was raised."""
        self.check = check
        self.success = success
        self.found = found
        self.error = error

    @property
    def expectation(self) -> "Expectation":
        """Which expectation this is about."""
        return self.check.expectation

    @property
    def rows(self) -> Sequence[int] | None:
        """The rows that aren't as expected, none when enough of them are; None when the batch as a whole is meant."""
        if isinstance(self.found, Tally):
            return () if self.success else self.found.rows
        return None

    @property
    def exception(self) -> dict[str, Any] | None:
        """GX's exception_info when the expectation couldn't be evaluated."""
        if self.error is None:
            return None
        return {"raised_exception": True, "exception_message": str(self.error), "exception_traceback": None}

    @property
    def reason(self) -> str:
        """One sentence: what would be right and what was found; empty for a success."""
        if self.success:
            return ""
        rule, found = self.check.rule(), self.found
        if self.error is not None:
            return f"{rule}, which can't be told: {str(self.error).rstrip('.')}."
        if isinstance(found, Tally):
            return f"{rule}, {_describe(found)}."
        if found and "details" in found:
            return f"{rule}; {_describe_mismatch(found['details']['mismatched'])}."
        return f"{rule}, not {_quote(found['observed_value'])}." if found else f"{rule}."


def _describe(tally: Tally) -> str:
    examples = ", ".join(_quote(value) for value in tally.values[:_QUOTED_VALUES])
    if tally.considered == 1:
        return f"not {examples}"
    more = ", ..." if len(tally.rows) > _QUOTED_VALUES else ""
    return f"but {len(tally.rows)} of {tally.considered} values {'is' if len(tally.rows) == 1 else 'are'} not: {examples}{more}"


def _describe_mismatch(mismatched: Any) -> str:
    if isinstance(mismatched, dict):
        return "; ".join(f"{kind}: {', '.join(map(str, names))}" for kind, names in mismatched.items())
    places = [(item["Expected Column Position"], item["Found"], item["Expected"]) for item in mismatched]
    return "; ".join(f"at {place} is {found}, not {expected}" for place, found, expected in places)


def _quote(value: Any) -> str:
    text = "null" if value is None or value != value else repr(value)
    return text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + "..."
