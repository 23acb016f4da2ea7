"""What a suite says of a file as a table: a line for each expectation, with what isn't as expected below it."""

import textwrap
from collections.abc import Iterator, Sequence

from service.files.lines import (
    ERROR,
    FAILED,
    INFO,
    NOT_RUN,
    OK,
    TOGETHER,
    WARNING,
    Line,
    columns,
    counted,
    line_of,
    printable,
    summary,
)
from service.files.validation import Validation

# Lines that what is expected may take.
_MOST_LINES = 3
_WIDEST_COLUMN = 24
# With less room than that for what is expected, each thing gets a line of its own.
_NARROWEST = 26
_GAP = "  "
_STATUS_WIDTH = len(WARNING)
_RED, _GREEN, _YELLOW = "\x1b[31m", "\x1b[32m", "\x1b[33m"
_PLAIN = "\x1b[0m"
_COLOURS = {OK: _GREEN, FAILED: _RED, ERROR: _RED, WARNING: _YELLOW, INFO: _YELLOW, NOT_RUN: _RED}


def table(validation: Validation, width: int, *, colour: bool) -> str:
    """The whole table, in lines of at most `width` characters."""
    lines = [line_of(judged, validation.source.names) for judged in validation.judged]
    head = f"{printable(str(validation.source.path))}: {counted(validation.rows, 'row')}, judged by {validation.suite.name}"
    rows = list(_layout(lines, width, colour=colour))
    tail = filter(None, [columns(validation), summary(validation, lines)])
    return "\n".join([*_wrapped(head, width), "", *rows, "", *(part for text in tail for part in _wrapped(text, width))]) + "\n"


def _layout(lines: Sequence[Line], width: int, *, colour: bool) -> Iterator[str]:
    name_width = min(max([len("COLUMN"), *(len(line.column) for line in lines)]), _WIDEST_COLUMN)
    found_width = max([len("UNEXPECTED"), *(len(line.found) for line in lines)])
    room = width - _STATUS_WIDTH - name_width - found_width - 3 * len(_GAP)
    if room < _NARROWEST:
        yield from _stacked(lines, width, colour=colour)
        return
    yield _GAP.join(
        ["".ljust(_STATUS_WIDTH), "COLUMN".ljust(name_width), "EXPECTED".ljust(room), "UNEXPECTED".rjust(found_width)]
    )
    indent = " " * (_STATUS_WIDTH + len(_GAP))
    for line in lines:
        names, texts = _wrapped(line.column, name_width) or [""], _wrapped(line.expected, room, _MOST_LINES) or [""]
        for place in range(max(len(names), len(texts))):
            status = _coloured(line.status, colour=colour) if place == 0 else " " * _STATUS_WIDTH
            name = names[place] if place < len(names) else ""
            text = texts[place] if place < len(texts) else ""
            found = line.found.rjust(found_width) if place == 0 else ""
            yield _GAP.join([status, name.ljust(name_width), text.ljust(room), found]).rstrip()
        for text in line.below:
            yield from (indent + part for part in _wrapped(text, width - len(indent)))


def _stacked(lines: Sequence[Line], width: int, *, colour: bool) -> Iterator[str]:
    indent = " " * (_STATUS_WIDTH + 1)
    for line in lines:
        texts = [
            f"{line.column} {line.expected}".strip(),
            *([f"unexpected: {line.found}"] if line.found.strip("0") else []),
            *line.below,
        ]
        parts = [part for text in texts for part in _wrapped(text, max(width - len(indent), 10), _MOST_LINES)]
        for place, part in enumerate(parts):
            yield (_coloured(line.status, colour=colour) + " " if place == 0 else indent) + part


def _coloured(status: str, *, colour: bool) -> str:
    padded = status.ljust(_STATUS_WIDTH)
    return f"{_COLOURS[status]}{padded}{_PLAIN}" if colour else padded


def _wrapped(text: str, width: int, most: int | None = None) -> list[str]:
    lines = textwrap.wrap(text, width, max_lines=most, placeholder=" ...", break_on_hyphens=False)
    return [line.replace(TOGETHER, " ") for line in lines]
