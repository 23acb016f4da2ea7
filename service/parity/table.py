"""What was found as a table: a line for each feature, then the first differences."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from service.files.lines import counted, printable
from service.parity.comparison import Difference
from service.parity.run import Report

_HEAD = ("FEATURE", "ROWS", "EQUAL", "DIFFERING", "ONLY ONLINE", "ONLY OFFLINE", "EXPIRED")
_GAP = "  "
# Characters of a value, or of a message, that are shown.
_LONGEST_VALUE = 60
_LONGEST_MESSAGE = 300


def table(report: Report, shown: int) -> str:
    """The whole text, with the first `shown` differences."""
    return "\n".join([_summary(report), "", *_counts(report), "", *_verdict(report, shown)]) + "\n"


def _summary(report: Report) -> str:
    entities, question = report.entities, report.question
    asked = question.service or counted(len(question.references or ()), "feature")
    moment = report.moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    unknown = f", {entities.unknown:,} of them unknown" if entities.unknown else ""
    return (
        f"{printable(asked)} of {report.project}: {question.url} beside get_historical_features at {moment};\n"
        f"{counted(entities.rows, 'row')}{unknown}; seed {question.seed}"
    )


def _counts(report: Report) -> Iterator[str]:
    lines = [_HEAD] + [
        (
            printable(counts.reference),
            *(
                f"{number:,}"
                for number in (
                    counts.rows,
                    counts.equal,
                    counts.differing,
                    counts.only_online,
                    counts.only_offline,
                    counts.expired,
                )
            ),
        )
        for counts in report.counts
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for name, *numbers in lines:
        cells = [number.rjust(width) for number, width in zip(numbers, widths[1:], strict=True)]
        yield _GAP.join([name.ljust(widths[0]), *cells])


def _verdict(report: Report, shown: int) -> Iterator[str]:
    for view, reason in report.not_compared.items():
        yield f"Not compared: {view}, which Feast can't compute for training: {_shortened(reason, _LONGEST_MESSAGE)}"
    number = len(report.differences)
    total = sum(counts.rows for counts in report.counts)
    if not number:
        if total:
            yield f"No difference in {counted(total, 'value')}."
        return
    features = len({one.reference for one in report.differences})
    listed = "" if number <= shown else f" The first {shown:,}:" if shown else ""
    differ = "value differs" if number == 1 else "values differ"
    yield f"{number:,} of {total:,} {differ}, in {counted(features, 'feature')}.{listed}"
    for one in report.differences[:shown]:
        yield from _difference(one)


def _difference(one: Difference) -> Iterator[str]:
    entity = ", ".join(f"{name} {_value(value)}" for name, value in one.entity.items())
    yield f"{_GAP}{printable(one.reference)}{f' of {entity}' if entity else ''}"
    yield f"{_GAP * 2}online {_value(one.online)}, offline {_value(one.offline)}"
    yield f"{_GAP * 2}{one.reason}"


def _value(value: Any) -> str:
    """As JSON has it."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    return _shortened(json.dumps(value, ensure_ascii=False, default=str), _LONGEST_VALUE)


def _shortened(text: str, longest: int) -> str:
    text = printable(" ".join(text.split()))
    return text if len(text) <= longest else f"{text[:longest]}..."
