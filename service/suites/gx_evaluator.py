"""Great Expectations itself, asked for what `service.suites.compiler` doesn't compile. Runs in a process of its own.

Nothing here may run twice at once in one process: validations that share GX's data source give silently wrong verdicts.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from service.suites.gx_frame import reference_frame
from service.suites.gx_messages import Refused, described

if TYPE_CHECKING:
    from great_expectations.datasource.fluent.interfaces import Batch
    from great_expectations.expectations.expectation import Expectation
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

logger = logging.getLogger(__name__)

# The name of a result format, or the dict that says more; any other string is refused.
ResultFormat = Literal["BOOLEAN_ONLY", "BASIC", "SUMMARY", "COMPLETE"] | dict[str, Any]

# What GX's ExpectationConfiguration takes of an expectation in a suite's file.
CONFIGURATION = ("type", "kwargs", "meta", "notes", "description", "severity", "id")


class Evaluator:
    """GX, and what is kept of it between requests: an empty context with one place to hand data frames to."""

    def __init__(self) -> None:
        import great_expectations as gx
        from great_expectations.data_context.types.base import (
            DataContextConfig,
            InMemoryStoreBackendDefaults,
            ProgressBarsConfig,
        )

        # Without a configuration it would want a temporary folder for its Data Docs.
        config = DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
            progress_bars=ProgressBarsConfig(globally=False),
            analytics_enabled=False,
        )
        context = gx.get_context(mode="ephemeral", project_config=config)
        source = context.data_sources.add_pandas("pandas_datasource")
        self._batches = source.add_dataframe_asset("rows").add_batch_definition_whole_dataframe("whole")

    def validate(
        self,
        expectations: Sequence[Mapping[str, Any]],
        columns: Mapping[str, Sequence[Any]],
        datetime_columns: Sequence[str],
        parameters: Mapping[str, Any],
        result_format: ResultFormat,
    ) -> list[tuple[dict[str, Any], list[int] | None]]:
        """Of each expectation, in their order, GX's result as JSON and the positions of the rows that fail it.

        The positions are None where the expectation is met, or judges the batch, or raised. Raises Refused.
        """
        _check_result_format(result_format)
        batch = self._batches.get_batch({"dataframe": reference_frame(columns, datetime_columns)})
        # GX gives results back in another order, and an id needn't be there or be the only one of its kind.
        numbered = {str(number): _configuration(expectation, str(number)) for number, expectation in enumerate(expectations)}
        results = _evaluate(batch, numbered, parameters, result_format)
        located = results
        if not _tells_positions(result_format):
            failed = {number: numbered[number] for number, result in results.items() if not result["success"]}
            located = _evaluate(batch, failed, parameters, "COMPLETE") if failed else {}
        answer = []
        for number, expectation in enumerate(expectations):
            result = results[str(number)]
            rows = None if result["success"] else located[str(number)]["result"].get("unexpected_index_list")
            answer.append((_like_compiled(result, expectation.get("id")), rows))
        return answer

    def check(self, expectations: Sequence[Mapping[str, Any]]) -> list[str]:
        """Why GX can't evaluate some of these expectations on data frames: a sentence each, none if it can."""
        from great_expectations.exceptions.exceptions import MetricProviderError
        from great_expectations.execution_engine.pandas_execution_engine import PandasExecutionEngine
        from great_expectations.expectations.registry import get_metric_provider

        engine = PandasExecutionEngine()
        reasons = []
        for configuration in expectations:
            try:
                for metric in _metrics(_configuration(configuration, "0").to_domain_obj(), engine):
                    get_metric_provider(metric, engine)
            except Refused as refusal:
                reasons.append(str(refusal))
            except MetricProviderError as error:
                reasons.append(f"{configuration['type']} can't be evaluated on data frames: {error}.")
        return reasons


def _configuration(expectation: Mapping[str, Any], number: str) -> "ExpectationConfiguration":
    """GX's own form of an expectation. Raises Refused where GX would leave it out of its suite, and only log that."""
    from great_expectations.exceptions.exceptions import ExpectationNotFoundError
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    known = {key: expectation[key] for key in CONFIGURATION if key in expectation}
    try:
        configuration = ExpectationConfiguration(**{**known, "id": number})
        configuration.to_domain_obj()
    except ExpectationNotFoundError:
        raise Refused(f"Great Expectations has no {expectation['type']}.", "expectations") from None
    except Exception as error:
        raise Refused(f"{expectation.get('type')}: {described(error)}.", "expectations") from error
    return configuration


def _metrics(expectation: "Expectation", engine: Any) -> list[str]:
    """The metrics that an expectation needs; none where GX has to see the data to say so."""
    try:
        needed = expectation.get_validation_dependencies(engine, {"result_format": "COMPLETE"})
    except Exception as error:
        logger.debug("What %s needs isn't known beforehand: %s", expectation.expectation_type, error)
        return []
    return [metric.metric_name for metric in needed.get_metric_configurations()]


def _evaluate(
    batch: "Batch",
    numbered: Mapping[str, "ExpectationConfiguration"],
    parameters: Mapping[str, Any],
    result_format: ResultFormat,
) -> dict[str, dict[str, Any]]:
    """GX's result of each expectation. Where GX raises instead of answering, it is asked for each alone.

    What raises then has a result that says so, as GX gives it for errors that it expects. Raises Refused for parameters that
    are missing or don't fit.
    """
    from great_expectations.compatibility.pydantic import ValidationError
    from great_expectations.core import ExpectationSuite
    from great_expectations.exceptions.exceptions import SuiteParameterError

    suite = ExpectationSuite("suite", list(numbered.values()))
    try:
        validation = batch.validate(suite, result_format=result_format, expectation_parameters=dict(parameters))
        results: list[dict[str, Any]] = [result.to_json_dict() for result in validation.results]
    except (SuiteParameterError, ValidationError) as error:
        raise Refused(described(error), "expectation_parameters") from error
    except Exception as error:
        if len(numbered) > 1:
            alone = (
                _evaluate(batch, {number: expectation}, parameters, result_format) for number, expectation in numbered.items()
            )
            return {number: result for each in alone for number, result in each.items()}
        results = [_raised(configuration, error) for configuration in numbered.values()]
    by_number = {result["expectation_config"]["id"]: result for result in results}
    if by_number.keys() != numbered.keys():
        raise RuntimeError(f"Great Expectations gave results for {sorted(by_number)} instead of {sorted(numbered)}.")
    return by_number


def _raised(configuration: "ExpectationConfiguration", error: Exception) -> dict[str, Any]:
    """A result for what GX raised, in the shape of those that GX makes itself."""
    information = {"raised_exception": True, "exception_message": str(error), "exception_traceback": None}
    config = configuration.to_json_dict()
    return {"success": False, "expectation_config": config, "result": {}, "meta": {}, "exception_info": information}


def _like_compiled(result: dict[str, Any], identifier: str | None) -> dict[str, Any]:
    """GX's result as `service.suites.results` has those of compiled expectations, and with the expectation's own id.

    There is no batch_id, no traceback, and one flat exception_info where GX has one for each metric that failed.
    """
    configuration = result["expectation_config"]
    configuration["kwargs"].pop("batch_id", None)
    del configuration["id"]
    if identifier is not None:
        configuration["id"] = identifier
    information = result["exception_info"]
    if "raised_exception" not in information:
        information = next(iter(information.values()))
    result["exception_info"] = {
        "raised_exception": information["raised_exception"],
        "exception_message": information["exception_message"],
        "exception_traceback": None,
    }
    return result


def _check_result_format(result_format: ResultFormat) -> None:
    from great_expectations.core import result_format as formats
    from great_expectations.expectations.expectation_configuration import parse_result_format

    try:
        formats.ResultFormat(parse_result_format(result_format)["result_format"])
    except (ValueError, TypeError, KeyError) as error:
        raise Refused(f"Great Expectations has no such result format: {error}.", "result_format") from error


def _tells_positions(result_format: ResultFormat) -> bool:
    """Whether results in this format list all unexpected rows, by their positions. GX caps values at 200, not positions."""
    if isinstance(result_format, str):
        return result_format == "COMPLETE"
    return result_format["result_format"] == "COMPLETE" and not result_format.get("unexpected_index_column_names")
