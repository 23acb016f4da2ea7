"""The way of a validation through the house: a frame and a suite in, GX's verdict out. Knows no HTTP."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from service.codec.refusals import describe
from service.errors import UnknownName, ValidationMisconfigured
from service.metrics import Metrics
from service.suites import Frame, Outcome, Suite, validation_result
from service.suites.expectation import Expectation
from service.suites.gx_pool import GxPool
from service.suites.outcomes import Tally
from service.suites.repository import SuiteRepository

# A frame of more rows is looked at in a thread, so that reads get their turn in between.
ROWS_IN_THE_LOOP = 2000
# How much a rejected push is told of each expectation that failed.
PUSH_RESULT_FORMAT = "SUMMARY"

Columns = Mapping[str, Sequence[Any]]


class Failure(NamedTuple):
    """An expectation that isn't met: by which rows (None: by the batch as a whole), and in GX's shape.

    `reason` is a sentence about all rows; `rule` says what would be right, and `values` are what the first of `rows` have.
    """

    expectation: Expectation
    rows: Sequence[int] | None
    reason: str
    rule: str
    values: Sequence[Any]
    result: Mapping[str, Any]

    @property
    def critical(self) -> bool:
        """Whether it is grave enough that rows aren't written: GX's other severities only warn."""
        return self.expectation.severity == "critical"

    @property
    def column(self) -> str | None:
        """The column that it is about, if it is about a single one."""
        return self.expectation.kwargs.get("column")

    def reason_of(self, number: int) -> str:
        """What is wrong with one row, by its place in `rows`."""
        return f"{self.rule}, not {describe(self.values[number])}." if number < len(self.values) else f"{self.rule}."


class Validator:
    """Runs suites, compiled where they are, by GX where they aren't."""

    def __init__(self, repository: SuiteRepository | None, pool: GxPool, metrics: Metrics) -> None:
        """`repository` is None where the service was started without a folder of suites."""
        self._repository = repository
        self._pool = pool
        self._metrics = metrics

    @property
    def suites(self) -> Mapping[str, Suite]:
        """All suites by name."""
        return self._repository.suites if self._repository else {}

    @property
    def load_failures(self) -> Mapping[str, str]:
        """Why the newest file of a suite isn't in force, by the suite's name."""
        return self._repository.failures if self._repository else {}

    def require(self, name: str, source: str) -> Suite:
        """The suite that a push source names; raises ValidationMisconfigured where a push couldn't be validated by it."""
        suite = self.suites.get(name)
        if suite is None:
            where = "the service was started without --expectations" if self._repository is None else "there is no such suite"
            raise ValidationMisconfigured(f"Push source {source} is to be validated by the suite {name}, but {where}.")
        if suite.takes_parameters:
            raise ValidationMisconfigured(
                f"Push source {source} is to be validated by the suite {name}, which takes parameters: a push has none to give."
            )
        return suite

    async def check(self, suite: Suite, columns: Columns, rows: int) -> list[Failure]:
        """The expectations that a batch doesn't meet. Hot. Awaits nothing but futures, so that it runs without a Task, too.

        Raises ValidationUnavailable where GX is needed and can't be asked.
        """
        frame = Frame(columns, rows)
        if rows > ROWS_IN_THE_LOOP:
            outcomes = await asyncio.get_running_loop().run_in_executor(None, suite.run, frame)
        else:
            outcomes = suite.run(frame)
        failures = [] if all(outcome.success for outcome in outcomes) else self._failures(suite, frame, outcomes)
        if len(outcomes) < len(suite.expectations):
            failures += await self._ask_gx(suite, columns)
        self._metrics.count("validations", suite.name, "failure" if failures else "success")
        for failure in failures:
            self._metrics.count("expectations_failed", suite.name, failure.expectation.type)
        return failures

    @staticmethod
    def _failures(suite: Suite, frame: Frame, outcomes: Sequence[Outcome]) -> list[Failure]:
        failed = [outcome for outcome in outcomes if not outcome.success]
        results = suite.result(failed, frame, PUSH_RESULT_FORMAT)
        return [
            Failure(outcome.expectation, outcome.rows, outcome.reason, outcome.check.rule(), _values(outcome), result)
            for outcome, result in zip(failed, results, strict=True)
        ]

    async def _ask_gx(self, suite: Suite, columns: Columns) -> list[Failure]:
        asked = [expectation for expectation in suite.expectations if not expectation.compiled]
        answers = await self._pool.validate([_configuration(one) for one in asked], columns, result_format=PUSH_RESULT_FORMAT)
        return [
            Failure(expectation, rows, f"{_said(expectation)}.", _said(expectation), (), result)
            for expectation, (result, rows) in zip(asked, answers, strict=True)
            if not result["success"]
        ]

    async def validate(
        self, suite: Suite, columns: Columns, result_format: str | Mapping[str, Any], parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        """GX's ValidationResult.to_json_dict() of a frame, expectations in the file's order.

        Raises InvalidRequest for a result format that isn't one, ParameterError for parameters that are missing or don't fit.
        """
        frame = Frame(columns)

        def run() -> list[dict[str, Any]]:
            return suite.result(suite.run(frame, parameters), frame, result_format)

        results = await asyncio.to_thread(run) if frame.row_count > ROWS_IN_THE_LOOP else run()
        asked = [expectation for expectation in suite.expectations if not expectation.compiled]
        if asked:
            answers = await self._pool.validate(
                [_configuration(one) for one in asked], columns, parameters=parameters, result_format=result_format
            )
            compiled, by_gx = iter(results), iter(answers)
            results = [next(compiled) if one.compiled else next(by_gx).result for one in suite.expectations]
        answer = validation_result(suite.name, results, datetime.now(UTC))
        self._metrics.count("validations", suite.name, "success" if answer["success"] else "failure")
        return answer

    def find(self, name: str, nearest: Sequence[str]) -> Suite:
        """A suite by name; raises UnknownName with the nearest ones."""
        suite = self.suites.get(name)
        if suite is None:
            hint = f" Did you mean {' or '.join(nearest)}?" if nearest else ""
            raise UnknownName.because(f"There is no suite {name}.{hint}", "suite")
        return suite


def _values(outcome: Outcome) -> Sequence[Any]:
    return outcome.found.values if isinstance(outcome.found, Tally) else ()


def _said(expectation: Expectation) -> str:
    """What an expectation that only GX knows asks for."""
    arguments = ", ".join(f"{name}={value!r}" for name, value in expectation.kwargs.items())
    return f"{expectation.type}({arguments}) isn't met"


def _configuration(expectation: Expectation) -> dict[str, Any]:
    """An expectation as a suite's file has it."""
    configuration: dict[str, Any] = {
        "type": expectation.type,
        "kwargs": dict(expectation.kwargs),
        "meta": dict(expectation.meta),
        "severity": expectation.severity,
    }
    return configuration if expectation.id is None else {**configuration, "id": expectation.id}
