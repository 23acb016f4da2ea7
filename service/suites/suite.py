"""A compiled suite: run over a frame, or over the batches of a file."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from service.suites.binding import Binding
from service.suites.checks import Check
from service.suites.expectation import Expectation
from service.suites.frame import Frame
from service.suites.outcomes import Outcome
from service.suites.results import ResultFormat, expectation_result

_NO_PARAMETERS: Mapping[str, Any] = {}


class Run:
    """One evaluation of a suite over frames that follow each other.

    Nothing that a check raises gets out of it: it is part of GX's answer, too, and becomes the outcome.
    """

    def __init__(self, checks: Sequence[Check[Any]]) -> None:
        self._states = [(check, check.begin()) for check in checks]
        self._errors: dict[Check[Any], Exception] = {}
        self._rows = 0

    def take(self, frame: Frame) -> None:
        """Take in the next rows; the columns have to have the dtypes of the whole, see `dtypes.Census`. Hot."""
        for check, state in self._states:
            if check not in self._errors:
                try:
                    check.take(state, frame, self._rows)
                except Exception as error:
                    self._errors[check] = error
        self._rows += frame.row_count

    def conclude(self) -> list[Outcome]:
        """One outcome for each compiled expectation, in the file's order; rows count from the first frame's first. Hot."""
        return [self._conclude(check, state) for check, state in self._states]

    def _conclude(self, check: Check[Any], state: Any) -> Outcome:
        error = self._errors.get(check)
        if error is None:
            try:
                return check.conclude(state)
            except Exception as raised:
                error = raised
        return Outcome(check, False, error=error)


def _steps(check: Check[Any]) -> tuple[Check[Any], Callable[..., Any], Callable[..., None], Callable[..., Outcome]]:
    """A check and its methods, bound: to look them up, each time on another class, takes a quarter of a run."""
    return check, check.begin, check.take, check.conclude


class Suite:
    """What a suite document says, ready to be run."""

    def __init__(
        self,
        name: str,
        document: Mapping[str, Any],
        expectations: tuple[Expectation, ...],
        checks: Sequence[Check[Any] | Binding],
    ) -> None:
        """`checks` are those of the compiled expectations, in their order."""
        self.name = name
        self.document = document
        self.expectations = expectations
        self.checks = checks
        complete = [check for check in checks if isinstance(check, Check)]
        # None where a `$PARAMETER` is missing until a run brings it.
        self._complete = complete if len(complete) == len(checks) else None
        self._steps = [_steps(check) for check in complete] if self._complete is not None else None

    @property
    def takes_parameters(self) -> bool:
        """Whether it can only be run with values for its `$PARAMETER`s."""
        return self._complete is None

    def run(self, frame: Frame, parameters: Mapping[str, Any] | None = None) -> list[Outcome]:
        """One outcome for each compiled expectation, in the file's order. Hot: 30 microseconds for 10 about one row.

        Raises ParameterError when a `$PARAMETER` has no value, or one that doesn't fit.
        """
        steps = self._steps
        if steps is None:
            steps = [_steps(check) for check in self._bound(parameters)]
        outcomes = []
        for check, begin, take, conclude in steps:
            # What a Run does, without keeping anything.
            try:
                state = begin()
                take(state, frame, 0)
                outcomes.append(conclude(state))
            except Exception as error:
                outcomes.append(Outcome(check, False, error=error))
        return outcomes

    def begin(self, parameters: Mapping[str, Any] | None = None) -> Run:
        """Start an evaluation over several frames; raises ParameterError as `run` does."""
        return Run(self._bound(parameters))

    def _bound(self, parameters: Mapping[str, Any] | None) -> Sequence[Check[Any]]:
        if self._complete is not None:
            return self._complete
        given = parameters or _NO_PARAMETERS
        return [check.bind(given) if isinstance(check, Binding) else check for check in self.checks]

    def result(
        self, outcomes: Sequence[Outcome], frame: Frame | None, result_format: str | Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """GX's ExpectationValidationResult.to_json_dict() of each outcome.

        `frame` is what was run; it is only looked at for `unexpected_index_column_names`. Raises InvalidRequest for a
        result_format that isn't one, NotSupported for what of it only GX does.
        """
        wanted = ResultFormat.read(result_format)
        return [expectation_result(outcome, frame, wanted) for outcome in outcomes]
