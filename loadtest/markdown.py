"""Markdown: tables, numbers, and a block of a page between two markers, prose outside of them untouched."""

from collections.abc import Iterable
from pathlib import Path

from loadtest.errors import PageError

MIB = 2**20


def put_between(page: Path, name: str, text: str) -> None:
    """Replace what stands between `<!-- name:begin -->` and `<!-- name:end -->` in a page.

    A page that isn't there is made; PageError for one without exactly one pair of the markers.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    old = page.read_text() if page.exists() else f"{begin}\n{end}\n"
    head, found_begin, rest = old.partition(begin)
    _, found_end, tail = rest.partition(end)
    if not (found_begin and found_end) or begin in tail or end in head + tail:
        raise PageError(f"{page} must hold one line {begin} and, after it, one line {end}: the report goes between them")
    page.write_text(f"{head}{begin}\n{text}\n{end}{tail}")


def table(header: list[str], rows: Iterable[list[str]]) -> str:
    """Return a Markdown table, first column to the left and all others to the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float) -> str:
    """Return a number with three significant digits at least: 0.482, 5.13, 16.0, 2,746."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 1 else f"{value:#.3g}"


def verdict(reached: bool) -> str:
    """Return what a table or a sentence says of an aim."""
    return "reached" if reached else "missed"
