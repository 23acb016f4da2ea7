"""Any suite over any frame: what the compiled form answers is what Great Expectations answers."""

import os
import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from service.suites import Frame, Outcome, Run, compile_suite
from service.suites.compiler import CHECKS
from service.suites.dtypes import Census, Dtype

from .compare import differences
from .expectations import KWARGS, draw_suite
from .frames import Columns, draw_frame
from .reference import Reference

# Each seed is a frame and a suite; the default takes one to two minutes of one core. With SUITES_PARITY_SCALE=10 ten times as
# much is compared.
SEEDS = int(1600 * float(os.environ.get("SUITES_PARITY_SCALE", "1")))
SEEDS_A_TEST = 50
# GX takes longer for each expectation of a longer suite.
EXPECTATIONS_A_SUITE = 12


@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS_A_TEST))
def test_complete_results_are_the_same(reference: Reference, compared: Counter[str], first: int) -> None:
    """Success and every field of COMPLETE results; where GX raises we say so, with the same message."""
    for seed in range(first, first + SEEDS_A_TEST):
        columns, document = _draw(reference, seed)
        suite = compile_suite(document, "drawn")
        outcomes = suite.run(Frame(columns))
        _compare(reference, compared, seed, document, columns, suite.result(outcomes, None, "COMPLETE"))


@pytest.mark.parametrize("seed", range(10_000, 10_004))
@pytest.mark.parametrize(
    "result_format",
    [
        "BOOLEAN_ONLY",
        "BASIC",
        "SUMMARY",
        {"result_format": "COMPLETE", "unexpected_index_column_names": ["a"]},
        {"result_format": "COMPLETE", "partial_unexpected_count": 0, "return_unexpected_index_query": False},
        {"result_format": "SUMMARY", "partial_unexpected_count": 2, "exclude_unexpected_values": True},
        {"result_format": "BASIC", "return_unexpected_index_query": True, "unexpected_index_column_names": ["a"]},
        {"result_format": "BOOLEAN_ONLY", "return_unexpected_index_query": True},
        {"result_format": "COMPLETE", "exclude_unexpected_values": True, "unexpected_index_column_names": ["a"]},
    ],
    ids=str,
)
def test_other_result_formats_are_the_same(reference: Reference, compared: Counter[str], seed: int, result_format: Any) -> None:
    """The other levels, and what can be asked besides."""
    columns, document = _draw(reference, seed, size=30)
    columns = {"a": list(range(len(next(iter(columns.values()))))), **{name: columns[name] for name in columns if name != "a"}}
    suite, frame = compile_suite(document, "drawn"), Frame(columns)
    results = suite.result(suite.run(frame), frame, result_format)
    _compare(reference, compared, seed, document, columns, results, result_format)


@pytest.mark.parametrize("seed", range(20_000, 20_040))
def test_batches_give_what_the_whole_gives(seed: int) -> None:
    """A file in batches, after a census of its columns, gives the outcomes of one frame."""
    draw = random.Random(seed)
    columns = draw_frame(draw)
    document = draw_suite(draw, columns, EXPECTATIONS_A_SUITE)
    suite = compile_suite(document, "drawn")
    whole = suite.result(suite.run(Frame(columns)), None, "COMPLETE")
    dtypes = {name: Census().observe(values).dtype for name, values in columns.items()}
    batches = _in_batches(suite.begin(), columns, dtypes, draw.choice([1, 2, 7]))
    assert suite.result(batches, None, "COMPLETE") == whole


def test_every_compiled_type_is_drawn() -> None:
    """The generator knows them all."""
    assert set(KWARGS) == set(CHECKS)


def _draw(reference: Reference, seed: int, size: int = EXPECTATIONS_A_SUITE) -> tuple[Columns, dict[str, Any]]:
    """A frame and a suite about it, of expectations that GX takes."""
    draw = random.Random(seed)
    columns = draw_frame(draw)
    document = draw_suite(draw, columns, size)
    return columns, {**document, "expectations": [entry for entry in document["expectations"] if reference.accepts(entry)]}


def _compare(
    reference: Reference,
    compared: Counter[str],
    seed: int,
    document: Mapping[str, Any],
    columns: Columns,
    ours: list[dict[str, Any]],
    result_format: Any = "COMPLETE",
) -> None:
    """All results of compiled expectations with GX's; these come back in another order and are found by their id."""
    theirs = reference.validate(document, columns, result_format)["results"]
    by_id = {result["expectation_config"]["id"]: result for result in theirs}
    for result in ours:
        configuration = result["expectation_config"]
        found = list(differences(by_id[configuration["id"]], result))
        assert not found, f"seed {seed}, {configuration}: {found}"
        raised = result["exception_info"]["raised_exception"]
        compared["exceptions" if raised else "successes" if result["success"] else "failures"] += 1


def _in_batches(run: Run, columns: Columns, dtypes: Mapping[str, Dtype], size: int) -> list[Outcome]:
    rows = len(next(iter(columns.values())))
    for start in range(0, max(rows, 1), size):
        batch = {name: values[start : start + size] for name, values in columns.items()}
        run.take(Frame(batch, dtypes=dtypes))
    return run.conclude()
