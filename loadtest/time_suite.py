"""How long a suite takes over rows in memory: `python -m loadtest.time_suite compiled|gx ROWS`, which prints JSON.

`compiled` is what a push does: `Frame` and `Suite.run` on the columns of its JSON. `gx` is Great Expectations itself: a
`pandas.DataFrame` of the same columns, and `Batch.validate` with the shortest of its answers, BOOLEAN_ONLY. Each is a process
of its own, so that neither pays for what the other one has imported. Time is the process's CPU time, as for the servers: on
an idle core a clock says the same.
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import msgspec
import orjson

from loadtest.pushes import JOIN_KEY, sample_columns
from pipelines.local.layout import EXPECTATIONS_DIR

SUITE = EXPECTATIONS_DIR / "suites" / "customer_push_suite.json"
# Beside the 8 of the sample's suite: two kinds that it doesn't have.
MORE = [
    {"type": "expect_column_values_to_be_unique", "kwargs": {"column": JOIN_KEY}},
    {"type": "expect_column_values_to_match_regex", "kwargs": {"column": "customer_segment", "regex": "^[a-z]{4,8}$"}},
]
FIRST_EVENT = datetime(2026, 1, 1, tzinfo=UTC)
ENOUGH_SECONDS, LEAST, BATCHES = 2.0, 20, 20
COMPILED, GX = "compiled", "gx"


class Timing(msgspec.Struct):
    """Median milliseconds of CPU time of a validation, and each expectation's verdict in the suite's order."""

    milliseconds: float
    verdicts: list[bool]


def suite_document() -> dict[str, Any]:
    """Return the sample's suite with two expectations more, ten in all; each has an id."""
    document: dict[str, Any] = orjson.loads(SUITE.read_bytes())
    entries = [{**entry, "id": str(number)} for number, entry in enumerate([*document["expectations"], *MORE])]
    return {"name": document["name"], "expectations": entries}


def columns(rows: int) -> dict[str, Sequence[Any]]:
    """Return the sample's first rows as a push has them when its suite is asked: times are datetimes."""
    times = [FIRST_EVENT + timedelta(milliseconds=row) for row in range(rows)]
    data = {name: column[:rows] for name, column in sample_columns().items()}
    return {**data, "event_timestamp": times, "created_timestamp": times}


def compiled(document: Mapping[str, Any], data: Mapping[str, Sequence[Any]], rows: int) -> Callable[[], list[bool]]:
    """Return what validates by the compiled suite."""
    from service.suites import Frame, compile_suite

    suite = compile_suite(document, SUITE.name)
    if not all(expectation.compiled for expectation in suite.expectations):
        raise ValueError("an expectation of the suite isn't compiled")
    return lambda: [outcome.success for outcome in suite.run(Frame(data, rows))]


def gx(document: Mapping[str, Any], data: Mapping[str, Sequence[Any]], rows: int) -> Callable[[], list[bool]]:
    """Return what validates by Great Expectations."""
    import great_expectations
    import pandas as pd  # type: ignore[import-untyped]
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = great_expectations.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("memory").add_dataframe_asset("rows")
    whole = asset.add_batch_definition_whole_dataframe("whole")
    suite = great_expectations.ExpectationSuite(**document)

    def validate() -> list[bool]:
        batch = whole.get_batch({"dataframe": pd.DataFrame(data)})
        results = batch.validate(suite, result_format="BOOLEAN_ONLY").results
        found = {result.expectation_config.id: bool(result.success) for result in results if result.expectation_config}
        return [found[entry["id"]] for entry in document["expectations"]]

    return validate


def measure(validate: Callable[[], list[bool]]) -> Timing:
    """Run until it is known well: 20 times at least, and for 2 s."""
    verdicts = validate()
    began = time.process_time()
    validate()
    once = time.process_time() - began
    together = max(1, int(ENOUGH_SECONDS / BATCHES / once))  # short ones are timed together
    times: list[float] = []
    while len(times) < LEAST:
        began = time.process_time()
        for _ in range(together):
            validate()
        times.append((time.process_time() - began) / together * 1000)
    return Timing(median(times), verdicts)


def main(which: str, rows: int) -> Timing:
    """Time one of them."""
    make = {COMPILED: compiled, GX: gx}[which]
    return measure(make(suite_document(), columns(rows), rows))


if __name__ == "__main__":
    print(msgspec.json.encode(main(sys.argv[1], int(sys.argv[2]))).decode())
