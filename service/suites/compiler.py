"""From a suite document to a suite that can be run."""

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from pydantic import v1 as pydantic

from service.suites import aggregates, column_maps, pair_maps, tables, text_maps, type_maps, unique_maps
from service.suites.binding import Binding, explain
from service.suites.checks import Check
from service.suites.errors import SuiteError, Uncompilable
from service.suites.expectation import Expectation
from service.suites.known_types import known_types
from service.suites.suite import Suite

CHECKS: dict[str, type[Check[Any]]] = {
    "expect_column_values_to_not_be_null": column_maps.NotNull,
    "expect_column_values_to_be_null": column_maps.Null,
    "expect_column_values_to_be_unique": unique_maps.Unique,
    "expect_compound_columns_to_be_unique": unique_maps.CompoundUnique,
    "expect_column_values_to_be_between": column_maps.Between,
    "expect_column_values_to_be_in_set": column_maps.InSet,
    "expect_column_values_to_not_be_in_set": column_maps.NotInSet,
    "expect_column_values_to_match_regex": text_maps.MatchRegex,
    "expect_column_values_to_not_match_regex": text_maps.NotMatchRegex,
    "expect_column_value_lengths_to_be_between": text_maps.LengthsBetween,
    "expect_column_value_lengths_to_equal": text_maps.LengthsEqual,
    "expect_column_values_to_be_of_type": type_maps.OfType,
    "expect_column_values_to_be_in_type_list": type_maps.InTypeList,
    "expect_column_pair_values_a_to_be_greater_than_b": pair_maps.Greater,
    "expect_column_pair_values_to_be_equal": pair_maps.Equal,
    "expect_column_min_to_be_between": aggregates.Minimum,
    "expect_column_max_to_be_between": aggregates.Maximum,
    "expect_column_mean_to_be_between": aggregates.MeanBetween,
    "expect_column_median_to_be_between": aggregates.MedianBetween,
    "expect_column_stdev_to_be_between": aggregates.DeviationBetween,
    "expect_column_sum_to_be_between": aggregates.SumBetween,
    "expect_column_unique_value_count_to_be_between": aggregates.DistinctCountBetween,
    "expect_column_proportion_of_unique_values_to_be_between": aggregates.UniqueProportionBetween,
    "expect_table_columns_to_match_ordered_list": tables.ColumnsMatchOrderedList,
    "expect_table_columns_to_match_set": tables.ColumnsMatchSet,
    "expect_column_to_exist": tables.ColumnExists,
    "expect_table_row_count_to_be_between": tables.RowCountBetween,
    "expect_table_row_count_to_equal": tables.RowCountEquals,
    "expect_table_column_count_to_be_between": tables.ColumnCountBetween,
    "expect_table_column_count_to_equal": tables.ColumnCountEquals,
}

# What a suite document and an entry of it may say; GX refuses anything else.
_SUITE_KEYS = {"name", "id", "meta", "notes", "expectations", "suite_parameters"}
_ENTRY_KEYS = {
    "type", "kwargs", "id", "meta", "notes", "description", "severity", "expectation_context", "rendered_content",
}  # fmt: skip
# Arguments of every type that make GX do something else than evaluate.
_LEFT_TO_GX = ("windows", "rendered_content")


def compile_suite(document: Mapping[str, Any], source: str) -> Suite:
    """The suite of a GX 1 document; `source` names the file in messages.

    Raises SuiteError for what GX would refuse or, worse, drop without a word: a type that it doesn't know. A type or an
    argument that only GX can evaluate leaves that expectation with `compiled` False.
    """
    _check_keys(document, _SUITE_KEYS, source)
    name, entries = document.get("name"), document.get("expectations", [])
    if not isinstance(name, str) or not name:
        raise SuiteError(f"{source}: a suite needs a name.")
    if not isinstance(entries, list):
        raise SuiteError(f"{source}: expectations must be a list.")
    compiled = [_compile_entry(entry, f"{source}: expectation {number}") for number, entry in enumerate(entries, start=1)]
    return Suite(
        name=name,
        document=document,
        expectations=tuple(expectation for expectation, _ in compiled),
        checks=[check for _, check in compiled if check is not None],
    )


def _compile_entry(entry: Any, place: str) -> tuple[Expectation, Check[Any] | Binding | None]:
    if not isinstance(entry, Mapping):
        raise SuiteError(f"{place} must be an object with type and kwargs.")
    if "expectation_type" in entry:
        raise SuiteError(f"{place}, {entry['expectation_type']}: since GX 1 the type is called type, not expectation_type.")
    kind, kwargs = entry.get("type"), entry.get("kwargs") or {}
    if not isinstance(kind, str) or not isinstance(kwargs, Mapping):
        raise SuiteError(f"{place} needs a type, a string, and kwargs, an object.")
    place = f"{place}, {kind}"
    _check_keys(entry, _ENTRY_KEYS, place)
    _check_type(kind, place)
    expectation = Expectation(
        type=kind,
        kwargs=kwargs,
        id=entry.get("id"),
        meta=entry.get("meta") or {},
        severity=entry.get("severity", "critical"),
        notes=entry.get("notes"),
        description=entry.get("description"),
    )
    try:
        return expectation, _compile_check(expectation, place)
    except Uncompilable as reason:
        return replace(expectation, compiled=False, why=str(reason)), None


def _check_keys(document: Mapping[str, Any], known: set[str], place: str) -> None:
    unknown = sorted(set(document) - known)
    if unknown:
        raise SuiteError(f"{place}: {unknown[0]!r} isn't known here; known are {', '.join(sorted(known))}.")


def _check_type(kind: str, place: str) -> None:
    known = known_types() | set(CHECKS)
    if kind not in known:
        close = get_close_matches(kind, known, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise SuiteError(f"{place}: Great Expectations doesn't know this type.{hint}")


def _compile_check(expectation: Expectation, place: str) -> Check[Any] | Binding:
    check = CHECKS.get(expectation.type)
    if check is None:
        raise Uncompilable("this type is evaluated by Great Expectations itself")
    for name in _LEFT_TO_GX:
        if expectation.kwargs.get(name) is not None:
            raise Uncompilable(f"{name} is only understood by Great Expectations itself")
    try:
        binding = Binding(check, expectation)
        return binding if binding.parameters else binding.bind({})
    except pydantic.ValidationError as error:
        raise SuiteError(f"{place}: {explain(error)}.") from None
