"""Outcomes in the shape of GX's results.

Source: `_format_map_output` in GX's expectations/expectation.py, `to_json_dict` of the results in its
core/expectation_validation_result.py. What differs: there is no batch_id among an expectation's kwargs, an exception has no
traceback, and exception_info always has the flat form that GX documents (GX itself nests it under a metric's id when a
metric failed).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, cast

from service.errors import InvalidRequest, NotSupported
from service.suites.errors import MissingColumn
from service.suites.frame import Frame
from service.suites.jsonable import to_json
from service.suites.maps import MapCheck
from service.suites.outcomes import MAX_RESULT_RECORDS, Outcome, Tally

LEVELS = ("BOOLEAN_ONLY", "BASIC", "SUMMARY", "COMPLETE")
_NO_EXCEPTION = {"raised_exception": False, "exception_traceback": None, "exception_message": None}
_UNSUPPORTED = ("include_unexpected_rows", "map_expectation_unexpected_rows_as_dict")


@dataclass(frozen=True, slots=True)
class ResultFormat:
    """How much a result says; see GX's documentation of result_format."""

    level: str
    partial_unexpected_count: int = 20
    unexpected_index_column_names: tuple[str, ...] | None = None
    return_unexpected_index_query: bool | None = None
    exclude_unexpected_values: bool = False

    @classmethod
    def read(cls, given: "str | Mapping[str, Any] | ResultFormat") -> "ResultFormat":
        """From GX's name of a level, or its object; raises InvalidRequest and NotSupported."""
        if isinstance(given, ResultFormat):
            return given
        options = dict(given) if isinstance(given, Mapping) else {"result_format": given}
        for name in _UNSUPPORTED:
            if options.pop(name, False):
                raise NotSupported(f"result_format: {name} is only available from Great Expectations itself.")
        level = options.pop("result_format", None)
        if level not in LEVELS:
            raise InvalidRequest.because(f"result_format must be one of {', '.join(LEVELS)}.", field="result_format")
        names = options.pop("unexpected_index_column_names", None)
        if names is not None and not (isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)):
            field = "result_format.unexpected_index_column_names"
            raise InvalidRequest.because("unexpected_index_column_names must be a list of names.", field=field)
        unknown = sorted(set(options) - set(cls.__slots__))
        if unknown:
            raise InvalidRequest.because(f"{unknown[0]!r} isn't known.", field=f"result_format.{unknown[0]}")
        count = options.get("partial_unexpected_count", 0)
        if type(count) is not int or count < 0:
            field = "result_format.partial_unexpected_count"
            raise InvalidRequest.because("partial_unexpected_count must be an integer of at least 0.", field=field)
        return cls(level, unexpected_index_column_names=None if names is None else tuple(names), **options)

    @property
    def limit(self) -> int:
        """How many unexpected values GX fetches."""
        return MAX_RESULT_RECORDS if self.level == "COMPLETE" else min(self.partial_unexpected_count, MAX_RESULT_RECORDS)


def expectation_result(outcome: Outcome, frame: Frame | None, wanted: ResultFormat) -> dict[str, Any]:
    """ExpectationValidationResult.to_json_dict() of one outcome."""
    success, exception, found = outcome.success, outcome.exception, outcome.found
    result: Mapping[str, Any] = {}
    if isinstance(found, Tally):
        try:
            # Only a MapCheck tallies.
            result = _map_result(cast(MapCheck, outcome.check), found, frame, wanted)
        except AttributeError as error:
            # GX stumbles when the first unexpected value is an object and another isn't, and reports that.
            success, exception = False, Outcome(outcome.check, False, error=error).exception
    elif found is not None and wanted.level != "BOOLEAN_ONLY":
        result = found
    return {
        "success": success,
        "expectation_config": outcome.check.configuration,
        "result": to_json(result),
        "meta": {},
        "exception_info": exception or dict(_NO_EXCEPTION),
    }


def _map_result(check: MapCheck, tally: Tally, frame: Frame | None, wanted: ResultFormat) -> dict[str, Any]:
    names = wanted.unexpected_index_column_names if check.reports_index_names else None
    named = {} if names is None else {"unexpected_index_column_names": names}
    on_request = _query(tally) if wanted.return_unexpected_index_query else {}
    if wanted.level == "BOOLEAN_ONLY":
        return {**on_request, **named} if on_request else {}
    count = wanted.partial_unexpected_count
    values = tally.values[: wanted.limit]
    result: dict[str, Any] = {**_counts(check, tally), **named, **on_request}
    if not wanted.exclude_unexpected_values:
        result["partial_unexpected_list"] = values[:count]
    if wanted.level == "BASIC":
        return result
    index = _index(check, tally.rows if wanted.level == "COMPLETE" else tally.rows[:count], frame, wanted)
    if count > 0:
        result["partial_unexpected_index_list"] = index[:count]
        if not wanted.exclude_unexpected_values:
            result |= _most_common(values, count)
    if wanted.level == "COMPLETE":
        result["unexpected_index_list"] = index
        if not wanted.exclude_unexpected_values:
            result["unexpected_list"] = values
        if wanted.return_unexpected_index_query is not False:
            result |= _query(tally)
    return result


def _query(tally: Tally) -> dict[str, Any]:
    return {"unexpected_index_query": f"df.filter(items={list(tally.rows)}, axis=0)"}


def _counts(check: MapCheck, tally: Tally) -> dict[str, Any]:
    """How many, and how much of a hundred; of nothing there is no share."""
    elements, considered, unexpected = tally.elements, tally.considered, len(tally.rows)
    of_all = unexpected / elements * 100 if elements else None
    of_considered = unexpected / considered * 100 if considered else None
    counts = {"element_count": elements, "unexpected_count": unexpected, "unexpected_percent": of_considered}
    if check.reports_missing:
        counts |= {
            "missing_count": tally.missing,
            "missing_percent": tally.missing / elements * 100 if elements else None,
            "unexpected_percent_total": of_all,
            "unexpected_percent_nonmissing": of_considered,
        }
    return counts


def _most_common(values: Sequence[Any], count: int) -> dict[str, Any]:
    """GX's partial_unexpected_counts, left out where the values can't be counted or sorted."""
    countable = values
    if values and isinstance(values[0], dict):
        countable = [tuple(value.values()) for value in values]
    try:
        counts = sorted(Counter(countable).most_common(count), key=lambda item: (-item[1], item[0]))
    except TypeError:
        return {}
    return {"partial_unexpected_counts": [{"value": value, "count": number} for value, number in counts]}


def _index(check: MapCheck, rows: Sequence[int], frame: Frame | None, wanted: ResultFormat) -> Sequence[Any]:
    """The rows by number or, when columns are named for it, by what these hold."""
    names = wanted.unexpected_index_column_names
    if not names:
        return rows
    if frame is None:
        raise NotSupported("unexpected_index_column_names needs all rows at once.")
    try:
        keys = {name: frame.find(name).aligned for name in names}
    except MissingColumn as error:
        raise InvalidRequest.because(str(error), field="result_format.unexpected_index_column_names") from None
    if wanted.exclude_unexpected_values and rows:
        return [{name: [column[row] for row in rows] for name, column in keys.items()}]
    domain = {name: frame.find(name).aligned for name in check.columns()}
    return [{name: column[row] for name, column in (domain | keys).items()} for row in rows]


def validation_result(suite_name: str, results: Sequence[Mapping[str, Any]], at: datetime | None = None) -> dict[str, Any]:
    """ExpectationSuiteValidationResult.to_json_dict() of some results, whoever made them.

    `at` is when the suite was run. The meta has no batch_spec, batch_markers and active_batch_definition: there is no batch.
    """
    evaluated, successful = len(results), sum(bool(result["success"]) for result in results)
    time = None if at is None else at.isoformat()
    return {
        "success": successful == evaluated,
        "results": list(results),
        "suite_name": suite_name,
        "suite_parameters": {},
        "statistics": statistics(evaluated, successful),
        "meta": {
            "great_expectations_version": _gx_version(),
            "run_id": {"run_name": None, "run_time": time},
            "validation_time": time,
            "batch_parameters": None,
            "validation_id": None,
            "checkpoint_id": None,
        },
        "id": None,
    }


def statistics(evaluated: int, successful: int) -> dict[str, Any]:
    """GX's counts of expectations."""
    return {
        "evaluated_expectations": evaluated,
        "successful_expectations": successful,
        "unsuccessful_expectations": evaluated - successful,
        "success_percent": successful / evaluated * 100 if evaluated else None,
    }


@cache
def _gx_version() -> str | None:
    try:
        return version("great_expectations")
    except PackageNotFoundError:
        return None
