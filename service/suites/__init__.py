"""Great Expectations suites, compiled to plain Python: GX's answers at a thousandth of its cost for a row.

    document --compile_suite--> Suite --run(Frame)--> Outcomes --result--> GX's results

GX defines what an expectation means; nothing here imports it, pandas or numpy. tests/parity/suites holds the two together.
"""

from service.suites.compiler import compile_suite
from service.suites.errors import ParameterError, SuiteError
from service.suites.frame import Frame
from service.suites.outcomes import Outcome
from service.suites.results import statistics, validation_result
from service.suites.suite import Run, Suite

__all__ = [
    "Frame",
    "Outcome",
    "ParameterError",
    "Run",
    "Suite",
    "SuiteError",
    "compile_suite",
    "statistics",
    "validation_result",
]
