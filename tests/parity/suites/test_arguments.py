"""What a suite may say: what Great Expectations refuses is refused when it is compiled, and what it converts is converted."""

import random
import warnings
from collections.abc import Mapping
from typing import Any

import pytest
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

from service.suites import SuiteError, compile_suite
from service.suites.binding import Binding
from service.suites.compiler import CHECKS

from .expectations import KWARGS, Drawing
from .reference import Reference

CONDITIONS: list[Any] = [
    {"type": "nullity", "column": {"name": "a"}, "is_null": True},
    {"type": "comparison", "column": {"name": "a"}, "operator": "IN", "parameter": [1, "a"]},
    {"type": "comparison", "column": {"name": "a"}, "operator": "~", "parameter": 1},
    {"type": "comparison", "column": {"name": "a"}, "operator": "==", "parameter": None},
    {"type": "and", "conditions": [{"type": "or", "conditions": []}]},
    {"type": "unknown"},
]
NUMBERS: list[Any] = [0, 1, 2, -1, 5.7, 1.5, True, False, 10**30, float("inf")]
TEXTS = [
    "",
    "abc",
    "5",
    "5.5",
    "true",
    "yes",
    "2024-01-01",
    "2024-01-01T10:00:00Z",
    "2024-01-01 10:00",
    "never",
    "pandas",
    "COMPLETE",
]
LISTS: list[Any] = [[], ["a"], ["a", "b"], [1, None], {}, {"a": 1}, {"$PARAMETER": "p"}, {"$PARAMETER": "p + 1"}]
ODD_VALUES: list[Any] = [None, *NUMBERS, *TEXTS, *LISTS, *CONDITIONS]
MORE_NAMES = (
    "mostly",
    "column",
    "row_condition",
    "condition_parser",
    "result_format",
    "catch_exceptions",
    "unknown",
    "severity",
)
DRAWS = 60
COLUMNS = {"a": [1, 2, 3], "b": [1.5, None, 2.0], "c": ["x", "y", None]}


@pytest.mark.parametrize("kind", sorted(CHECKS))
def test_what_gx_refuses_is_refused(kind: str) -> None:
    """Arguments that are odd, missing or too many."""
    draw = random.Random(kind)
    for _ in range(DRAWS):
        entry = {"type": kind, "kwargs": _spoiled(draw, KWARGS[kind](Drawing(draw, COLUMNS)))}
        document = {"name": "odd", "expectations": [entry]}
        if Reference.accepts(entry):
            compile_suite(document, "odd.json")
        elif _is_compiled(document):
            pytest.fail(f"{entry} was accepted")


@pytest.mark.parametrize("kind", sorted(CHECKS))
def test_what_gx_converts_is_converted(kind: str) -> None:
    """The arguments in a result are those that GX has made of what the document says."""
    draw = random.Random(f"converted {kind}")
    for _ in range(DRAWS):
        entry = {"type": kind, "kwargs": _spoiled(draw, KWARGS[kind](Drawing(draw, COLUMNS)))}
        if not Reference.accepts(entry):
            continue
        suite = compile_suite({"name": "odd", "expectations": [entry]}, "odd.json")
        for check in suite.checks:
            if not isinstance(check, Binding):
                assert check.configuration == _configuration(entry), entry


def _is_compiled(document: dict[str, Any]) -> bool:
    """Whether the expectation would be evaluated here; what is left to GX is for it to refuse, too."""
    try:
        suite = compile_suite(document, "odd.json")
    except SuiteError as error:
        return f"odd.json: expectation 1, {document['expectations'][0]['type']}: " not in str(error)
    return suite.expectations[0].compiled


def _spoiled(draw: random.Random, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    spoiled = dict(kwargs)
    for _ in range(draw.randint(0, 2)):
        name = draw.choice([*kwargs, *MORE_NAMES])
        if draw.random() < 0.2:
            spoiled.pop(name, None)
        else:
            spoiled[name] = draw.choice(ODD_VALUES)
    return spoiled


def _configuration(entry: Mapping[str, Any]) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        configuration: dict[str, Any] = ExpectationConfiguration(**entry).to_domain_obj().configuration.to_json_dict()
    configuration["kwargs"].pop("batch_id", None)
    return configuration
