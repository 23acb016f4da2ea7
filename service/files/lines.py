"""What a suite says of a file, expectation by expectation, in words: for people, whatever it is printed on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from service.files.validation import Judged, Validation

SHOWN_VALUES = 5
# Characters of a value and of a message.
_LONGEST_VALUE = 40
_LONGEST_MESSAGE = 240
# A space at which no line ends.
TOGETHER = "\u00a0"

OK, FAILED, ERROR, WARNING, INFO, NOT_RUN = "ok", "FAILED", "ERROR", "WARNING", "INFO", "NOT RUN"
_BY_SEVERITY = {"critical": FAILED, "warning": WARNING, "info": INFO}
_IN_WORDS = {
    OK: "ok",
    FAILED: "failed",
    ERROR: "couldn't be evaluated",
    WARNING: "only a warning",
    INFO: "only informative",
    NOT_RUN: "not evaluated",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One expectation in the table. `found` is how many values are unexpected, `below` what is said of it besides."""

    status: str
    column: str
    expected: str
    found: str
    below: Sequence[str]


def line_of(judged: Judged, names: Sequence[str]) -> Line:
    """What the table has of an expectation; `names` are the file's columns."""
    kwargs, result = judged.expectation.kwargs, judged.result
    column = ", ".join(_about(kwargs)) if judged.expectation.type.startswith("expect_co") else ""
    expected = judged.rule.removeprefix(f"{column} ") if column else judged.rule
    below = [] if judged.by_gx is None else [f"by Great Expectations: {_short(judged.by_gx, _LONGEST_MESSAGE)}"]
    if result is None:
        below = [f"only Great Expectations can tell: {_short(judged.by_gx or '', _LONGEST_MESSAGE)}"]
        return Line(NOT_RUN, printable(column), printable(expected), "", below)
    found = _share(result["result"])
    if result["success"]:
        return Line(OK, printable(column), printable(expected), found, below)
    status, why = _why(judged, names)
    return Line(status, printable(column), printable(expected), found, [*why, *below])


def _why(judged: Judged, names: Sequence[str]) -> tuple[str, list[str]]:
    """How bad it is that an expectation isn't met, and why it isn't."""
    status = _BY_SEVERITY.get(judged.expectation.severity, FAILED)
    result: Any = judged.result
    message = _message(result["exception_info"])
    if message is not None:
        missing = _missing(judged, names)
        if not missing:
            return ERROR, [_short(message, _LONGEST_MESSAGE)]
        return status, [_no_column(name, names) for name in missing]
    return status, list(_findings(result["result"]))


def _message(info: Any) -> str | None:
    """What was raised, if anything was."""
    parts = [info] if "raised_exception" in info else list(info.values())
    return next((str(part["exception_message"]).partition("\n")[0] for part in parts if part["raised_exception"]), None)


def _missing(judged: Judged, names: Sequence[str]) -> list[str]:
    """Columns that the expectation names and the file doesn't have."""
    folded = {name.casefold() for name in names}
    return [name for name in _about(judged.expectation.kwargs) if name.casefold().strip('"[]`') not in folded]


def _about(kwargs: Mapping[str, Any]) -> list[str]:
    """The columns that an expectation names."""
    named = [kwargs[key] for key in ("column", "column_A", "column_B") if key in kwargs]
    return list(map(str, named or kwargs.get("column_list", ())))


def _no_column(name: str, names: Sequence[str]) -> str:
    close = get_close_matches(name, names, n=2)
    hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
    return f"there is no column {name!r}{hint}"


def _findings(result: Any) -> Iterator[str]:
    """The first unexpected values with their rows, or the figure that was found."""
    values, rows = result.get("partial_unexpected_list") or [], result.get("partial_unexpected_index_list") or []
    if values:
        shown = [
            f"row{TOGETHER}{row}:{TOGETHER}{_value(value)}" for row, value in zip(rows[:SHOWN_VALUES], values, strict=False)
        ]
        shown = shown or [_value(value) for value in values[:SHOWN_VALUES]]
        more = ", ..." if result.get("unexpected_count", 0) > len(shown) else ""
        yield ", ".join(shown) + more
    mismatched = result.get("details", {}).get("mismatched") if isinstance(result.get("details"), dict) else None
    if mismatched:
        yield _short(_mismatch(mismatched), _LONGEST_MESSAGE)
    elif "observed_value" in result:
        yield f"found: {_value(result['observed_value'])}"


def _mismatch(mismatched: Any) -> str:
    if isinstance(mismatched, dict):
        return "; ".join(f"{kind}: {', '.join(map(str, names))}" for kind, names in mismatched.items())
    return "; ".join(
        f"at position {item['Expected Column Position']} is {item['Found']}, not {item['Expected']}" for item in mismatched
    )


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"({', '.join(map(_value, value))})"
    if isinstance(value, dict):
        return f"({', '.join(f'{name} {_value(item)}' for name, item in value.items())})"
    return "null" if value is None else _short(repr(value), _LONGEST_VALUE)


def _share(result: Any) -> str:
    """How many values are unexpected, and how much of a hundred."""
    count, percent = result.get("unexpected_count"), result.get("unexpected_percent")
    if count is None:
        return ""
    return f"{count:,}" if not count or percent is None else f"{count:,} ({_percent(percent)})"


def _percent(percent: float) -> str:
    if percent < 0.01:
        return "<0.01%"
    # 99.999 mustn't become 100.
    return ">99.99%" if 99.99 < percent < 100 else f"{percent:.2f}%".replace(".00%", "%")


def columns(validation: Validation) -> str | None:
    """What columns the file has, if one is missing."""
    names = validation.source.names
    if not any(_missing(one, names) for one in validation.judged if not one.met):
        return None
    return f"The file's columns: {_short(', '.join(names), _LONGEST_MESSAGE)}."


def summary(validation: Validation, lines: Sequence[Line]) -> str:
    """The last line: what that means."""
    counts = {status: sum(line.status == status for line in lines) for status in _IN_WORDS}
    told = ", ".join(f"{counts[status]} {word}" for status, word in _IN_WORDS.items() if counts[status])
    verdict = "The file is as expected." if validation.passed else "The file is NOT as expected."
    if validation.passed and not validation.complete:
        verdict = "Whether the file is as expected can't be told without Great Expectations: leave --no-fallback out."
    by_gx = sum(one.by_gx is not None and one.result is not None for one in validation.judged)
    asked = f" Great Expectations itself evaluated {by_gx} of them, with the whole columns in memory." if by_gx else ""
    rows = " Rows are counted from 0." if any(f"row{TOGETHER}" in text for line in lines for text in line.below) else ""
    return f"{counted(len(lines), 'expectation')}: {told or 'none'}. {verdict}{asked}{rows}"


def _short(text: str, longest: int) -> str:
    text = printable(text)
    return text if len(text) <= longest else text[:longest] + "..."


def printable(text: str) -> str:
    """Without what would do something to a terminal."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def counted(count: int, noun: str) -> str:
    """So many of something."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
