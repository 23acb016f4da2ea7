"""Expectations that aren't compiled, evaluated by the real Great Expectations in processes that get stuck and are killed."""

import asyncio
import math
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import great_expectations as gx
import pandas as pd
import pytest
import pytest_asyncio

from service.errors import InvalidRequest, Overloaded, SuiteTimeout, ValidationUnavailable
from service.http import run_eagerly
from service.metrics import Metrics
from service.suites.errors import ParameterError
from service.suites.gx_pool import MAX_WAITING, GxPool
from tests.servers.service_process import alive
from tests.servers.waiting import until

# One event loop for the module: starting a process with Great Expectations takes seconds.
pytestmark = pytest.mark.asyncio(loop_scope="module")

DEADLINE_SECONDS = 5.0
# Importing Great Expectations, on a machine that has other things to do, too.
STARTED_SECONDS = 60.0

STRFTIME = {"type": "expect_column_values_to_match_strftime_format", "kwargs": {"column": "day", "strftime_format": "%Y-%m-%d"}}
# Each further "a" doubles the time: 2^40 steps, in which the interpreter does nothing else.
STUCK = {"type": "expect_column_values_to_match_regex_list", "kwargs": {"column": "text", "regex_list": ["(a+)+$"]}}
STUCK_COLUMNS = {"text": ["a" * 40 + "b"]}

STARTED = "gx_process_starts_total"
UNAVAILABLE = 'gx_requests_total{result="unavailable"}'
TIMED_OUT = 'gx_requests_total{result="timeout"}'

DAYS: dict[str, list[Any]] = {"day": ["2026-01-01", "soon", None, "2026-13-01"]}

# Anything that isn't compiled would do; these judge rows, pairs, records, columns and tables.
EXPECTATIONS: list[dict[str, Any]] = [
    STRFTIME,
    {"type": "expect_column_values_to_be_dateutil_parseable", "kwargs": {"column": "day", "mostly": 0.5}},
    {"type": "expect_column_values_to_be_json_parseable", "kwargs": {"column": "document"}},
    {"type": "expect_column_values_to_match_json_schema", "kwargs": {"column": "document", "json_schema": {"type": "object"}}},
    {"type": "expect_column_value_z_scores_to_be_less_than",
     "kwargs": {"column": "amount", "threshold": 1.1, "double_sided": True}},
    {"type": "expect_column_values_to_be_increasing", "kwargs": {"column": "id"}},
    {"type": "expect_column_pair_values_to_be_equal", "kwargs": {"column_A": "id", "column_B": "amount"}},
    {"type": "expect_multicolumn_sum_to_equal", "kwargs": {"column_list": ["id", "amount"], "sum_total": 4}},
    {"type": "expect_column_quantile_values_to_be_between",
     "kwargs": {"column": "amount", "quantile_ranges": {"quantiles": [0.5], "value_ranges": [[5, None]]}}},
    {"type": "expect_column_most_common_value_to_be_in_set", "kwargs": {"column": "day", "value_set": ["later"]}},
    {"type": "expect_column_kl_divergence_to_be_less_than",
     "kwargs": {"column": "letter", "partition_object": {"values": ["a", "b"], "weights": [0.5, 0.5]}, "threshold": 0.01}},
    {"type": "expect_column_values_to_be_decreasing", "kwargs": {"column": "missing"}},
]  # fmt: skip
COLUMNS: dict[str, list[Any]] = {
    "id": [1, 2, 2, 3],
    "day": DAYS["day"],
    "document": ['{"a": 1}', "[]", "{", None],
    "amount": [3.0, 2.0, -50.5, 1.0],
    "letter": ["a", "a", "a", "b"],
}


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Metrics]:
    """What all pools of the module count into."""
    metrics = Metrics(tmp_path_factory.mktemp("metrics"))
    yield metrics
    metrics.close()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def pool(metrics: Metrics) -> AsyncIterator[GxPool]:
    """One process, whose deadline a validation of these tests doesn't come near."""
    pool = GxPool(1, DEADLINE_SECONDS, metrics, STARTED_SECONDS)
    pool.warm()
    yield pool
    await pool.stop()


def counted(metrics: Metrics, series: str) -> float:
    """What the page of metrics says of a series."""
    prefix = f"feature_service_{series} ".encode()
    values = [line[len(prefix) :] for line in metrics.page().splitlines() if line.startswith(prefix)]
    return float(values[0]) if values else 0.0


def gx_pids(parent: int) -> list[int]:
    """The living GX processes of a process."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            owner = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if owner == parent and b"service.suites.gx_process" in (folder / "cmdline").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:  # it has just ended
            continue
    return [pid for pid in found if alive(pid)]


async def busy(pid: int) -> None:
    """Return once a process that was idle computes."""
    spent = lambda: int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11])  # noqa: E731
    before = spent()
    await until(lambda: spent() > before + 10, "that the process computes")


def asked_directly(expectations: list[dict[str, Any]], columns: dict[str, list[Any]], result_format: Any) -> list[Any]:
    """What Great Expectations says when it is called in this process, in the order of the expectations."""
    context = gx.get_context(mode="ephemeral")
    whole = context.data_sources.add_pandas("here").add_dataframe_asset("frame").add_batch_definition_whole_dataframe("whole")
    suite = gx.ExpectationSuite("suite", expectations=expectations)
    validation = whole.get_batch({"dataframe": pd.DataFrame(columns)}).validate(suite, result_format=result_format)
    results = {result.expectation_config.id: result.to_json_dict() for result in validation.results}
    return [as_documented(results[expectation["id"]]) for expectation in expectations]


def as_documented(result: dict[str, Any]) -> dict[str, Any]:
    """GX's result without what service.suites.results says that ours don't have: batch_id, traces, an entry for each metric."""
    del result["expectation_config"]["kwargs"]["batch_id"]
    information = result["exception_info"]
    each = [information] if "raised_exception" in information else list(information.values())
    (told,) = {(one["raised_exception"], one["exception_message"]) for one in each}
    result["exception_info"] = {"raised_exception": told[0], "exception_message": told[1], "exception_traceback": None}
    return result


@pytest.mark.parametrize(
    "result_format",
    ["BOOLEAN_ONLY", "BASIC", "SUMMARY", "COMPLETE", {"result_format": "COMPLETE", "unexpected_index_column_names": ["id"]}],
)
async def test_the_results_are_great_expectations_own(pool: GxPool, result_format: Any) -> None:
    """In every result format: verdicts, observed values, unexpected values, and what was raised instead."""
    expectations = [
        {**expectation, "id": f"{number:08}-0000-0000-0000-000000000000", "meta": {"number": number}, "severity": "warning"}
        for number, expectation in enumerate(EXPECTATIONS)
    ]
    evaluated = await pool.validate(expectations, COLUMNS, result_format=result_format)
    expected = asked_directly(expectations, COLUMNS, result_format)
    assert [each.result for each in evaluated] == expected
    assert {result["success"] for result in expected} == {True, False}


async def test_two_that_are_alike_or_have_no_id_are_told_apart(pool: GxPool) -> None:
    """Great Expectations gives results in another order; here they come in that of the expectations, with their ids."""
    later = {"type": STRFTIME["type"], "kwargs": {"column": "other", "strftime_format": "%Y"}}
    columns = {**DAYS, "other": ["2026"] * 4}
    expectations = [later, STRFTIME, {**later, "id": "same"}, {**STRFTIME, "id": "same"}]
    evaluated = await pool.validate(expectations, columns)
    assert [each.result["success"] for each in evaluated] == [True, False, True, False]
    assert [each.result["expectation_config"].get("id") for each in evaluated] == [None, None, "same", "same"]


@pytest.mark.parametrize("result_format", ["BOOLEAN_ONLY", "SUMMARY", "COMPLETE"])
async def test_all_rows_that_fail_are_named_whatever_the_format(pool: GxPool, result_format: str) -> None:
    """More than the 200 values that a result has; none for what judges the column, is met, or raised."""
    column = ["2026-01-01", "soon", None] * 300
    expectations = [
        STRFTIME,
        {
            **STRFTIME,
            "kwargs": {**STRFTIME["kwargs"], "row_condition": 'col("n") > 450', "condition_parser": "great_expectations"},
        },
        {**STRFTIME, "kwargs": {**STRFTIME["kwargs"], "mostly": 0.5}},
        {"type": "expect_column_most_common_value_to_be_in_set", "kwargs": {"column": "day", "value_set": ["later"]}},
        {**STRFTIME, "kwargs": {"column": "missing", "strftime_format": "%Y"}},
    ]
    evaluated = await pool.validate(expectations, {"day": column, "n": list(range(900))}, result_format=result_format)
    rows = list(range(1, 900, 3))
    assert [each.rows for each in evaluated] == [rows, [row for row in rows if row > 450], None, None, None]
    assert [each.result["success"] for each in evaluated] == [False, False, True, False, False]
    if result_format == "COMPLETE":
        assert len(evaluated[0].result["result"]["unexpected_list"]) == 200


async def test_values_arrive_as_they_are(pool: GxPool) -> None:
    """NaN, infinities, integers of any size, lone surrogates, nested values and types that pandas tells apart."""
    values = [2**80, -(2**64), math.inf, -math.inf, "\ud800", "€", True, 1, 1.0, [1, {"a": None}], "1"]
    never = {"type": "expect_column_values_to_match_regex_list", "kwargs": {"column": "value", "regex_list": ["never"]}}
    columns = {"value": [*values, math.nan, None]}
    (evaluated,) = await pool.validate([{**never, "id": "1"}], columns, result_format="COMPLETE")
    assert [evaluated.result] == asked_directly([{**never, "id": "1"}], columns, "COMPLETE")
    (spread,) = await pool.validate(
        [{"type": "expect_column_quantile_values_to_be_between",
          "kwargs": {"column": "n", "quantile_ranges": {"quantiles": [0.5], "value_ranges": [[0, 1]]}}}],
        {"n": [math.inf, math.inf, -math.inf]},
    )  # fmt: skip
    assert spread.result["result"]["observed_value"]["values"] == [math.inf]


async def test_event_times_are_datetimes(pool: GxPool) -> None:
    """ISO strings become UTC, which is meant where no offset is given, whatever stands before; datetimes stay what they are."""
    increasing = {"type": "expect_column_values_to_be_increasing", "kwargs": {"column": "at", "strictly": True}}
    type_of = {"type": "expect_column_values_to_be_of_type", "kwargs": {"column": "at", "type_": "datetime64"}}
    nothing = {"type": "expect_column_distinct_values_to_be_in_set", "kwargs": {"column": "at", "value_set": ["2020-01-01"]}}
    at = ["2026-01-01T00:00:00+02:00", "2025-12-31T22:30:00", None, datetime(2025, 12, 31, 22, 45), "2025-12-31T23:00:00.5Z"]
    evaluated = await pool.validate([increasing, type_of, nothing], {"at": at}, ["at"])
    assert evaluated[0].result["success"]
    assert evaluated[1].result["result"]["observed_value"] == "Timestamp"
    assert sorted(evaluated[2].result["result"]["partial_unexpected_list"]) == [
        "2025-12-31T22:00:00+00:00",
        "2025-12-31T22:30:00+00:00",
        "2025-12-31T22:45:00+00:00",
        "2025-12-31T23:00:00.500000+00:00",
    ]
    for bad in ("soon", "now", 1767225600):
        with pytest.raises(InvalidRequest, match="at isn't one of datetimes"):
            await pool.validate([increasing], {"at": [bad]}, ["at"])


async def test_parameters_are_put_in(pool: GxPool) -> None:
    """One that is missing or doesn't fit is the caller's to mend."""
    parametrized = {**STRFTIME, "kwargs": {**STRFTIME["kwargs"], "mostly": {"$PARAMETER": "share"}}}
    (evaluated,) = await pool.validate([parametrized], DAYS, parameters={"share": 0.3})
    assert evaluated.result["success"]
    assert evaluated.result["expectation_config"]["kwargs"]["mostly"] == 0.3
    with pytest.raises(ParameterError, match="share"):
        await pool.validate([parametrized], DAYS)
    with pytest.raises(ParameterError, match="mostly: ensure this value is less than or equal to 1"):
        await pool.validate([parametrized], DAYS, parameters={"share": 7})


async def test_a_request_that_cannot_be_meant_is_refused(pool: GxPool) -> None:
    """A result format that there isn't, ragged columns, an expectation that there isn't: never a result that leaves it out."""
    for result_format in ("EVERYTHING", {"partial_unexpected_count": 3}):
        with pytest.raises(InvalidRequest, match="result format"):
            await pool.validate([STRFTIME], DAYS, result_format=result_format)
    with pytest.raises(InvalidRequest, match="make no data frame"):
        await pool.validate([STRFTIME], {"day": ["2026-01-01"], "n": [1, 2]})
    with pytest.raises(InvalidRequest, match="has no expect_miracles"):
        await pool.validate([STRFTIME, {"type": "expect_miracles", "kwargs": {}}], DAYS)


async def test_a_suite_is_checked_before_it_is_used(pool: GxPool) -> None:
    """Each expectation that GX doesn't know, whose arguments are wrong, or that it has for databases only."""
    reasons = await pool.check(
        {
            "name": "suite",
            "expectations": [
                STRFTIME,
                {"type": "expect_miracles", "kwargs": {}},
                {**STRFTIME, "kwargs": {"column": "day", "format": "%Y", "mostly": 7}},
                {"type": "expect_column_values_to_match_like_pattern", "kwargs": {"column": "day", "like_pattern": "2%"}},
                {**STRFTIME, "kwargs": {**STRFTIME["kwargs"], "mostly": {"$PARAMETER": "share"}}},
            ],
        }
    )
    assert reasons[0] == "Great Expectations has no expect_miracles."
    assert "mostly: ensure this value is less than or equal to 1" in reasons[1]
    assert "strftime_format: field required" in reasons[1]
    assert "format: extra fields not permitted" in reasons[1]
    assert "expect_column_values_to_match_like_pattern can't be evaluated on data frames" in reasons[2]
    assert len(reasons) == 3
    assert await pool.check({"name": "suite", "expectations": EXPECTATIONS}) == []


async def test_a_coroutine_without_a_task_may_ask(pool: GxPool) -> None:
    """As service.http drives the hot endpoints."""
    loop = asyncio.get_running_loop()
    answered = loop.create_future()

    async def ask() -> None:
        assert asyncio.current_task() is None
        try:
            answered.set_result(await pool.validate([STRFTIME], DAYS))
        except Exception as error:
            answered.set_exception(error)

    loop.call_soon(run_eagerly, ask(), loop)
    (evaluated,) = await answered
    assert evaluated.rows == [1, 3]


async def test_who_goes_away_does_not_end_the_process(pool: GxPool) -> None:
    """Its validation is finished for nobody, and the next one is answered by the same process."""
    (pid,) = gx_pids(os.getpid())
    asking = [asyncio.create_task(pool.validate([STRFTIME], DAYS)) for _ in range(3)]
    await asyncio.sleep(0.005)
    for task in asking:
        task.cancel()
    assert (await pool.validate([STRFTIME], DAYS))[0].rows == [1, 3]
    assert gx_pids(os.getpid()) == [pid]


async def test_a_process_killed_in_the_middle_fails_its_request_and_is_replaced(pool: GxPool, metrics: Metrics) -> None:
    """The request is told at once; the one behind it waits for the next process."""
    (pid,) = gx_pids(os.getpid())
    failed, started = counted(metrics, UNAVAILABLE), counted(metrics, STARTED)
    asking = asyncio.create_task(pool.validate([STUCK], STUCK_COLUMNS))
    await busy(pid)
    behind = asyncio.create_task(pool.check({"expectations": [STRFTIME]}))
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(ValidationUnavailable, match="ended in the middle"):
        await asking
    assert await behind == []
    assert pid not in gx_pids(os.getpid())
    assert len(gx_pids(os.getpid())) == 1
    assert counted(metrics, UNAVAILABLE) == failed + 1
    assert counted(metrics, STARTED) == started + 1


async def test_a_process_killed_while_idle_is_replaced_before_it_is_needed(pool: GxPool) -> None:
    """Nobody's request fails."""
    (pid,) = gx_pids(os.getpid())
    os.kill(pid, signal.SIGKILL)
    await until(lambda: gx_pids(os.getpid()) not in ([], [pid]), "another process")
    assert (await pool.validate([STRFTIME], DAYS))[0].rows == [1, 3]


async def test_a_suite_that_takes_too_long_is_ended(pool: GxPool, metrics: Metrics) -> None:
    """Its process is killed and replaced, though nothing runs in its interpreter; those behind it wait no longer than it does.

    No more of them wait than have room, and whoever comes when the process has been replaced is answered.
    """
    (pid,) = gx_pids(os.getpid())
    late = counted(metrics, TIMED_OUT)
    stuck = asyncio.create_task(pool.validate([STUCK], STUCK_COLUMNS))
    await busy(pid)
    behind = [asyncio.create_task(pool.validate([STRFTIME], DAYS)) for _ in range(MAX_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await pool.validate([STRFTIME], DAYS)
    outcomes = await asyncio.gather(stuck, *behind, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {SuiteTimeout}
    assert counted(metrics, TIMED_OUT) == late + MAX_WAITING + 1
    await until(lambda: not alive(pid), "the end of the stuck process")
    assert (await pool.validate([STRFTIME], DAYS))[0].rows == [1, 3]


async def test_stopping_leaves_no_process_and_nobody_waiting(pool: GxPool, metrics: Metrics) -> None:
    """Not even one that is in the middle of something. Ends the module's pool."""
    await pool.check({"expectations": []})
    (pid,) = gx_pids(os.getpid())
    assert counted(metrics, "gx_processes") == 1
    asking = asyncio.create_task(pool.validate([STUCK], STUCK_COLUMNS))
    await busy(pid)
    await pool.stop()
    assert not alive(pid)
    assert counted(metrics, "gx_processes") == 0
    with pytest.raises(ValidationUnavailable, match="being stopped"):
        await asking
    with pytest.raises(ValidationUnavailable, match="being stopped"):
        await pool.validate([STRFTIME], DAYS)


async def test_nothing_is_started_before_it_is_needed(metrics: Metrics) -> None:
    """Then it is, and one that doesn't come up in time is no longer waited for, nor is another tried at once."""
    others, started = gx_pids(os.getpid()), counted(metrics, STARTED)
    pool = GxPool(2, DEADLINE_SECONDS, metrics, start_seconds=0.05)
    await asyncio.sleep(0)
    assert gx_pids(os.getpid()) == others
    for _ in range(2):
        with pytest.raises(ValidationUnavailable, match=r"couldn't be started within 0\.05 s"):
            await pool.validate([STRFTIME], DAYS)
    assert gx_pids(os.getpid()) == others
    assert counted(metrics, STARTED) == started
    await pool.stop()


PARENT = f"""
import asyncio, sys
from pathlib import Path
from service.metrics import Metrics
from service.suites.gx_pool import GxPool

async def main():
    pool = GxPool(1, 600.0, Metrics(Path(sys.argv[1])), 60.0)
    await pool.check({{"expectations": []}})
    print("ready", flush=True)
    await pool.validate([{STUCK}], {STUCK_COLUMNS})

asyncio.run(main())
"""


async def test_when_the_worker_is_killed_its_processes_end(tmp_path: Path) -> None:
    """Even one that is stuck in a regular expression and runs nothing else."""
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, str(tmp_path), stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert await parent.stdout.readline() == b"ready\n"
    (pid,) = gx_pids(parent.pid)
    await busy(pid)
    parent.kill()
    await parent.wait()
    await until(lambda: not alive(pid), "the end of the process")
