"""What can be wrong with a suite, with what a run of it is given, and with the data as GX sees it."""

from service.errors import ConfigurationError, InvalidRequest


class SuiteError(ConfigurationError):
    """A suite document that can't be used; the message names the file, the expectation type and what is wrong."""


class ParameterError(InvalidRequest):
    """A run of a suite without a value for one of its `$PARAMETER`s, or with one that doesn't fit."""


class Uncompilable(Exception):
    """An expectation that is valid, but that only GX can evaluate exactly; the message says why."""


class MetricError(Exception):
    """What GX's metric would raise; the message is GX's, or pandas'."""


class MissingColumn(MetricError):
    """An expectation's column isn't in the frame."""

    def __init__(self, name: str) -> None:
        super().__init__(f'Error: The column "{name}" in BatchData does not exist.')
