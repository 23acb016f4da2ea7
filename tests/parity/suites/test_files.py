"""Any suite over any file: `feature-service validate` answers what Great Expectations does of the frame that pandas reads."""

import os
import random
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from service.files import csv_source, parquet_source
from service.files.fallback import configuration
from service.files.validation import Request, Validation, validate_file
from service.suites import compile_suite

from .compare import differences
from .expectations import draw_suite
from .frames import KINDS, NAMES, draw_column
from .reference import Reference

# Each seed is a file and a suite; the default takes some 15 s. With SUITES_PARITY_SCALE=10 ten times as much is compared.
SEEDS = int(30 * float(os.environ.get("SUITES_PARITY_SCALE", "1")))
SEEDS_A_TEST = 10
EXPECTATIONS_A_SUITE = 25
ROW_COUNTS = (0, 1, 2, 5, 13, 40, 260)
# What no Parquet file holds.
MIXED = {"anything", "numbers and texts", "numbers and booleans", "times of two zones", "huge integers"}
RESULT_FORMATS: tuple[Any, ...] = (
    "COMPLETE",
    "COMPLETE",
    "SUMMARY",
    "BASIC",
    "BOOLEAN_ONLY",
    {"result_format": "SUMMARY", "partial_unexpected_count": 3, "exclude_unexpected_values": True},
    {"result_format": "BASIC", "return_unexpected_index_query": True},
)
# How pandas names a timezone of an offset, and we don't.
PANDAS_OFFSET = "pytz.FixedOffset(120)"


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that files of some rows come in several batches."""
    monkeypatch.setattr(parquet_source, "BATCH_ROWS", 7)
    monkeypatch.setattr(csv_source, "BLOCK_BYTES", 1000)


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS_A_TEST))
@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_results_of_a_file_are_the_same(
    reference: Reference, compared: Counter[str], tmp_path: Path, kind: str, first: int
) -> None:
    """Success and every field of the results, whatever is in the columns."""
    for seed in range(first, first + SEEDS_A_TEST):
        draw = random.Random(f"{kind} {seed}")
        frame = _draw_frame(draw)
        path = tmp_path / f"{seed}.{kind}"
        if not _written(draw, frame, path):
            continue
        document = draw_suite(draw, {name: frame[name].tolist() for name in frame}, EXPECTATIONS_A_SUITE)
        document["expectations"] = [entry for entry in document["expectations"] if reference.accepts(entry)]
        result_format = draw.choice(RESULT_FORMATS)
        validation = validate_file(path, Request(compile_suite(document, "drawn"), {}, result_format, fallback=False))
        _compare(reference, compared, document, validation, result_format, f"{kind} {seed}")


def _draw_frame(draw: random.Random) -> pd.DataFrame:
    """A frame of columns that a file can hold, some of them in other dtypes than JSON leads to."""
    rows = draw.choice(ROW_COUNTS)
    kinds = [kind for kind in KINDS if kind not in MIXED]
    frame = pd.DataFrame({name: draw_column(draw, rows, draw.choice(kinds)) for name in draw.sample(NAMES, draw.randint(2, 5))})
    if rows and draw.random() < 0.3:
        frame = pd.concat([frame, frame.sample(frac=0.5, random_state=draw.randint(0, 99))], ignore_index=True)
    for name in frame:
        if draw.random() < 0.3 and str(frame[name].dtype) == "int64":
            frame[name] = frame[name].astype(draw.choice(["int32", "uint8", "int16"]))
        elif draw.random() < 0.3 and str(frame[name].dtype) == "float64":
            frame[name] = frame[name].astype("float32")
        elif draw.random() < 0.4 and str(frame[name].dtype).startswith("datetime64[ns"):
            frame[name] = frame[name].dt.as_unit(draw.choice(["us", "ms", "s"]))
    return frame


def _written(draw: random.Random, frame: pd.DataFrame, path: Path) -> bool:
    """Whether the frame could be written: a Parquet file holds neither everything that a column of objects does."""
    try:
        if path.suffix == ".csv":
            frame.to_csv(path, index=draw.random() < 0.2)
        else:
            frame.to_parquet(path, row_group_size=draw.choice([None, 5, 100]))
    except (ValueError, TypeError, OverflowError):
        return False
    return True


def _read(path: Path) -> pd.DataFrame:
    if path.suffix == ".csv":
        return pd.read_csv(path, low_memory=False, float_precision="round_trip")
    return pd.read_parquet(path)


def _compare(
    reference: Reference,
    compared: Counter[str],
    document: Mapping[str, Any],
    validation: Validation,
    result_format: Any,
    seed: str,
) -> None:
    frame = _read(validation.source.path)
    theirs = reference.validate(document, {name: frame[name] for name in frame}, result_format)["results"]
    by_id = {result["expectation_config"]["id"]: result for result in theirs}
    assert validation.rows == len(frame)
    for judged in validation.judged:
        if judged.result is None:
            compared["left to it in files"] += 1
            continue
        found = [line for line in differences(by_id[judged.expectation.id], judged.result) if PANDAS_OFFSET not in line]
        assert not found, f"seed {seed}, {configuration(judged.expectation)}: {found}"
        raised = judged.result["exception_info"]["raised_exception"]
        compared["exceptions in files" if raised else "verdicts in files"] += 1


EXAMPLES = {
    "integers beside nulls": {"a": [1, None, 3, 2**53 + 1], "b": [1, 2, 3, 4]},
    "booleans beside nulls": {"a": [True, None, False, True], "b": [True, False, True, True]},
    "days": {"a": [pd.Timestamp(f"2024-01-0{day}").date() for day in range(1, 5)], "b": [1.5, None, float("inf"), -0.0]},
    "times": {
        "a": pd.to_datetime(["2024-01-01T00:00:00", "2024-01-02T03:04:05", None, "2024-01-02T00:00:00"]),
        "b": pd.to_datetime(["2024-01-01", "2024-01-02", None, "2024-01-02"], utc=True),
    },
    "words that stand for nothing": {"a": ["NA", "null", "", "x"], "b": ["nan", "None", "N/A", "<NA>"]},
    "big integers": {"a": [2**62, -(2**63), 2**63 - 1, 0], "b": [2**64 - 1, 2**63, 0, 1]},
    "unicode": {"a": ["日本語", "é", "e\u0301", "🙂"], "größe": ["a,b", 'q"q', "line\nbreak", " a "]},
    "nothing at all": {"a": [None, None, None, None], "b": [1, 1, 2, 2]},
    "no rows": {"a": [], "b": []},
}
ABOUT_ALL = [
    ("expect_column_values_to_not_be_null", {}),
    ("expect_column_values_to_be_null", {}),
    ("expect_column_values_to_be_unique", {}),
    ("expect_column_values_to_be_between", {"min_value": 2}),
    ("expect_column_values_to_be_between", {"max_value": "2024-01-02T00:00:00"}),
    ("expect_column_values_to_be_in_set", {"value_set": ["x", 1, True]}),
    ("expect_column_value_lengths_to_equal", {"value": 4}),
    ("expect_column_values_to_match_regex", {"regex": "^[a-z]*$"}),
    ("expect_column_values_to_be_of_type", {"type_": "str"}),
    ("expect_column_values_to_be_of_type", {"type_": "int64"}),
    ("expect_column_min_to_be_between", {"min_value": 2}),
    ("expect_column_mean_to_be_between", {"min_value": 2}),
    ("expect_column_unique_value_count_to_be_between", {"min_value": 4}),
]


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("kind", ["parquet", "csv"])
@pytest.mark.parametrize("example", EXAMPLES)
def test_what_files_have_and_json_does_not(
    reference: Reference, compared: Counter[str], tmp_path: Path, example: str, kind: str
) -> None:
    """Where the two formats differ from JSON, and from each other."""
    frame = pd.DataFrame(EXAMPLES[example])
    entries = [
        {"type": type_, "kwargs": {"column": name, **kwargs}, "id": f"{type_} {name} {kwargs}"}
        for name in frame
        for type_, kwargs in ABOUT_ALL
    ]
    document = {"name": "drawn", "expectations": entries}
    path = tmp_path / f"file.{kind}"
    assert _written(random.Random(0), frame, path)
    validation = validate_file(path, Request(compile_suite(document, "drawn"), {}, "COMPLETE", fallback=False))
    _compare(reference, compared, document, validation, "COMPLETE", example)
