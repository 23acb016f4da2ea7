"""Great Expectations itself: one process, one validation at a time, over `pandas.DataFrame(columns)`."""

import gc
import logging
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import great_expectations as gx
import pandas as pd
from great_expectations import util
from great_expectations.core.expectation_suite import ExpectationSuite
from great_expectations.expectations import expectation
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.validator.v1_validator import Validator

Result = dict[str, Any]


class Reference:
    """An ephemeral context with a pandas data source and whole-dataframe batches."""

    def __init__(self) -> None:
        _spare_repetition()
        logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False, "metric_calculations": False}
        asset = context.data_sources.add_pandas("frames").add_dataframe_asset("frame")
        self._batches = asset.add_batch_definition_whole_dataframe("whole")
        # What has been imported stays; looking through it again and again took a fifth of the time.
        gc.collect()
        gc.freeze()

    def validate(
        self,
        document: Mapping[str, Any],
        columns: Mapping[str, Sequence[Any]],
        result_format: Any = "COMPLETE",
        parameters: Mapping[str, Any] | None = None,
    ) -> Result:
        """The whole result as JSON; raises what GX raises."""
        _configurations.clear()
        gc.disable()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return self._validate(document, columns, result_format, parameters)
        finally:
            gc.enable()

    def _validate(
        self,
        document: Mapping[str, Any],
        columns: Mapping[str, Sequence[Any]],
        result_format: Any,
        parameters: Mapping[str, Any] | None,
    ) -> Result:
        configurations = [ExpectationConfiguration(**entry) for entry in document["expectations"]]
        suite = ExpectationSuite(name=document["name"], expectations=configurations)
        assert len(suite.expectations) == len(configurations), "GX dropped an expectation"
        batch = {"dataframe": pd.DataFrame(dict(columns))}
        validator = Validator(batch_definition=self._batches, batch_parameters=batch, result_format=result_format)
        result: Result = validator.validate_expectation_suite(suite, dict(parameters or {})).to_json_dict()
        return result

    @staticmethod
    def accepts(entry: Mapping[str, Any]) -> bool:
        """Whether GX takes the expectation into a suite."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                ExpectationConfiguration(**entry).to_domain_obj()
            except Exception:
                return False
        return True


# Of each expectation in the validation at hand, its configuration: GX makes it anew some hundred times.
_configurations: dict[int, tuple[Any, Any]] = {}


def _spare_repetition() -> None:
    """Let GX not work out the same again and again: half of its time goes into that. Its answers stay the same."""
    expectation.camel_to_snake = lru_cache(util.camel_to_snake)
    make_configuration = expectation.Expectation.configuration.fget
    convert_anything: Callable[[Any], Any] = util.convert_to_json_serializable

    def configuration(self: Any) -> Any:
        if id(self) not in _configurations:
            _configurations[id(self)] = self, make_configuration(self)
        return _configurations[id(self)][1]

    def convert(data: Any) -> Any:
        return data if data is None or type(data) in (str, int, bool) else convert_anything(data)

    expectation.Expectation.configuration = property(configuration)
    for module in list(sys.modules.values()):
        if getattr(module, "convert_to_json_serializable", None) is convert_anything:
            module.convert_to_json_serializable = convert  # type: ignore[attr-defined]
