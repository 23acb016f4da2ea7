"""From the arguments of an expectation to a check, with the values that a run gives for its `$PARAMETER`s."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import v1 as pydantic

from service.suites.checks import Check
from service.suites.condition_compiler import compile_condition
from service.suites.conditions import Condition
from service.suites.errors import ParameterError, Uncompilable
from service.suites.expectation import Expectation

_PARAMETER = "$PARAMETER"
# A parameter can also be an expression ("2 * limit"), which only GX evaluates. E and PI are numbers there.
_PLAIN_NAME = re.compile(r"(?!(?:e|pi)\Z)[a-z][a-z0-9_$]*\Z", re.IGNORECASE)
# Arguments that may be objects without being parameters.
_OBJECTS = {"row_condition", "result_format"}
# Arguments on which it depends whether the expectation can be compiled at all.
_NEEDED_BEFORE = {"type_", "type_list", "ignore_row_if"}


class Binding:
    """A configured expectation whose arguments are complete once a run gives its parameters."""

    def __init__(self, check: type[Check[Any]], expectation: Expectation) -> None:
        """Raises pydantic.ValidationError for arguments that GX would refuse, Uncompilable for what is left to it."""
        self.expectation = expectation
        self._check = check
        self._arguments = self._read(expectation.kwargs)
        self._kwargs = self._arguments.kwargs()
        condition = getattr(self._arguments, "row_condition", None)
        self._condition = compile_condition(condition) if isinstance(condition, Condition) else None
        self.parameters: dict[str, str] = {}
        for key, value in self._kwargs.items():
            if isinstance(value, dict) and key not in _OBJECTS:
                self.parameters[key] = _name_of(key, value)
        self._bound: tuple[str, Check[Any]] | None = None

    def bind(self, parameters: Mapping[str, Any]) -> Check[Any]:
        """The check for these values; the last one is kept, as the next run most often brings the same.

        Raises ParameterError for a value that is missing or doesn't fit.
        """
        if not self.parameters:
            return self._check(self.expectation, self._arguments, self._condition)
        values = {key: self._value(name, parameters) for key, name in self.parameters.items()}
        key = repr(values)
        if self._bound is None or self._bound[0] != key:
            try:
                arguments = self._read({**self._kwargs, **values})
            except pydantic.ValidationError as error:
                raise self._problem(explain(error)) from None
            self._bound = key, self._check(self.expectation, arguments, self._condition)
        return self._bound[1]

    def _value(self, name: str, parameters: Mapping[str, Any]) -> Any:
        if name not in parameters:
            raise self._problem(f"no value is given for its parameter {name}")
        if isinstance(parameters[name], dict):
            raise self._problem(f"the value of its parameter {name} is an object")
        return parameters[name]

    def _problem(self, message: str) -> ParameterError:
        return ParameterError.because(f"{self.expectation.type}: {message}.", field="expectation_parameters")

    def _read(self, kwargs: Mapping[str, Any]) -> Any:
        expectation = self.expectation
        about = {
            "id": expectation.id,
            "meta": dict(expectation.meta),
            "notes": expectation.notes,
            "severity": expectation.severity,
            **({"description": expectation.description} if expectation.description else {}),
        }
        return self._check.model(**{**about, **kwargs})


def _name_of(key: str, value: dict[Any, Any]) -> str:
    name = value.get(_PARAMETER)
    if key in _NEEDED_BEFORE:
        raise Uncompilable(f"{key} is given when the suite is run")
    if set(value) != {_PARAMETER} or not isinstance(name, str) or not _PLAIN_NAME.match(name):
        raise Uncompilable(f"{key} is an object that isn't a plain {_PARAMETER}")
    return name


def explain(error: pydantic.ValidationError) -> str:
    """What is wrong with which argument, in pydantic's words; one sentence for each argument."""
    messages: dict[str, str] = {}
    for problem in error.errors():
        field = ".".join(str(part) for part in problem["loc"] if part != "__root__")
        messages.setdefault(field, f"{field}: {problem['msg']}" if field else problem["msg"])
    if len(messages) > 1:
        # What the arguments as a whole lack follows from what is wrong with one of them.
        messages.pop("", None)
    return "; ".join(messages.values())
