"""One file, judged by one suite: the census, the checks, and Great Expectations for what is left."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from service.files.errors import UnreadableFile
from service.files.exactness import columns_of, why_not
from service.files.fallback import ask_gx
from service.files.forms import Form
from service.files.run import FileRun, frame_of
from service.files.source import Source, open_source
from service.suites import Suite, validation_result
from service.suites.binding import Binding
from service.suites.compiler import CHECKS
from service.suites.expectation import Expectation
from service.suites.outcomes import MAX_RESULT_RECORDS, Outcome
from service.suites.results import ResultFormat

Result = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """By what a file is to be judged. `fallback` says whether GX may be asked where it has to be."""

    suite: Suite
    parameters: Mapping[str, Any]
    result_format: str | Mapping[str, Any]
    fallback: bool = True


@dataclass(frozen=True, slots=True)
class Judged:
    """One expectation, and what became of it.

    `rule` says what would be right, `by_gx` why it is evaluated by Great Expectations, if it is. `result` has GX's shape, and
    is None when only GX could have evaluated it and wasn't asked.
    """

    expectation: Expectation
    rule: str
    result: Result | None
    by_gx: str | None

    @property
    def met(self) -> bool:
        """Whether the file is as expected."""
        return self.result is not None and bool(self.result["success"])


@dataclass(frozen=True, slots=True)
class Validation:
    """What a suite says of a file."""

    source: Source
    suite: Suite
    rows: int
    judged: Sequence[Judged]

    @property
    def complete(self) -> bool:
        """Whether all expectations were evaluated."""
        return all(one.result is not None for one in self.judged)

    @property
    def passed(self) -> bool:
        """Whether all that are critical are met; those that weren't evaluated aside."""
        return all(one.met or one.result is None or one.expectation.severity != "critical" for one in self.judged)

    def as_gx(self) -> dict[str, Any]:
        """GX's ValidationResult.to_json_dict(), without what wasn't evaluated."""
        results = [one.result for one in self.judged if one.result is not None]
        return validation_result(self.suite.name, results, datetime.now(UTC))


def validate_file(path: Path, request: Request) -> Validation:
    """Judge a file.

    Raises UnreadableFile, ParameterError when a `$PARAMETER` has no value or one that doesn't fit, InvalidRequest and
    NotSupported for a result format, ValidationUnavailable when GX is needed and can't be asked.
    """
    source = open_source(path)
    wanted = ResultFormat.read(request.result_format)
    checks = [check.bind(request.parameters) if isinstance(check, Binding) else check for check in request.suite.checks]
    needed = {check: columns_of(check, source.names) for check in checks}
    rows, forms = source.census(_in_order(source, needed.values()))
    reasons = {check: why_not(check, {name: forms[name] for name in columns}) for check, columns in needed.items()}
    ours = [check for check in checks if reasons[check] is None]
    columns = _in_order(source, [needed[check] for check in ours])
    outcomes = _run(FileRun(ours, rows, _limit(wanted)), source, columns, rows, forms)
    results = dict(zip(ours, request.suite.result(outcomes, None, request.result_format), strict=True))
    compiled = iter(checks)
    judged = []
    for expectation in request.suite.expectations:
        check = next(compiled) if expectation.compiled else None
        if check is None:
            why = expectation.why if expectation.type in CHECKS else "only it has code for this type"
            judged.append(Judged(expectation, _said(expectation), None, why))
        else:
            judged.append(Judged(expectation, check.rule(), results.get(check), reasons[check]))
    return Validation(source, request.suite, rows, _with_gx(source, request, judged))


def _in_order(source: Source, columns: Iterable[Sequence[str]]) -> list[str]:
    wanted = {name for names in columns for name in names}
    return [name for name in source.names if name in wanted]


def _limit(wanted: ResultFormat) -> int | None:
    """How many unexpected rows are listed; None for all."""
    lists_all = wanted.level == "COMPLETE" or wanted.return_unexpected_index_query
    return None if lists_all else max(MAX_RESULT_RECORDS, wanted.partial_unexpected_count)


def _run(run: FileRun, source: Source, names: Sequence[str], rows: int, forms: Mapping[str, Form]) -> Sequence[Outcome]:
    seen = 0
    for batch in source.batches(names):
        run.take(frame_of(source, batch, forms))
        seen += batch.rows
    if seen != rows:
        raise UnreadableFile(f"{source.path} changed while it was read; try again when nobody writes to it.")
    run.look_back(source, names, forms)
    return run.conclude()


def _with_gx(source: Source, request: Request, judged: Sequence[Judged]) -> Sequence[Judged]:
    """With the results of what only GX can evaluate, if it may be asked."""
    asked = [one for one in judged if one.by_gx is not None]
    if not asked or not request.fallback:
        return judged
    expectations = [one.expectation for one in asked]
    answers = iter(ask_gx(source.path, source.names, expectations, request.parameters, request.result_format))
    return [one if one.by_gx is None else replace(one, result=next(answers)) for one in judged]


def _said(expectation: Expectation) -> str:
    """What an expectation asks for that isn't compiled."""
    arguments = ", ".join(f"{name} {value}" for name, value in expectation.kwargs.items() if name != "column")
    return f"{expectation.type.removeprefix('expect_').replace('_', ' ')}: {arguments}".rstrip(": ")
