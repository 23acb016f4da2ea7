"""JSON bodies in general: parsed in one go when they are right, looked at again, field by field, when they aren't."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from service.catalog import nearest
from service.errors import InvalidRequest, MalformedRequest, Problem
from service.keys import describe, shorten

Body = TypeVar("Body", bound=msgspec.Struct)

# What decoding raises for a body that isn't right, whatever is wrong with it.
UNDECODABLE = (msgspec.DecodeError, RecursionError, ValueError)

_any = msgspec.json.Decoder()


class Field(NamedTuple):
    """What a field has to be, in words, and a check that yields what is wrong with a value. It gets the field's name."""

    wanted: str
    check: Callable[[str, Any], Iterator[Problem]]
    required: bool = False


class BodyParser(Generic[Body]):
    """Parses one kind of body."""

    def __init__(self, kind: type[Body], fields: Mapping[str, Field]) -> None:
        """`fields` are those of `kind`, each with a check that finds fault with whatever `kind` doesn't take."""
        self._decoder = msgspec.json.Decoder(kind)
        self._fields = fields

    def parse(self, data: bytes) -> Body:
        """Raises MalformedRequest when it isn't JSON, InvalidRequest naming each field that isn't right. Hot."""
        try:
            return self._decoder.decode(data)
        except UNDECODABLE:
            raise self.explain(data) from None

    def explain(self, data: bytes) -> InvalidRequest:
        """Why a body doesn't fit, found by parsing it without a schema."""
        try:
            body = _any.decode(data)
        except msgspec.ValidationError:
            # The only thing that can be wrong with a value of no particular type: a number of thousands of digits.
            return InvalidRequest.because("A number in the body is out of range: it fits neither 64 bits nor a double.")
        except RecursionError:
            return MalformedRequest.because("The body is nested too deeply.")
        except UnicodeDecodeError:
            return MalformedRequest.because("The body isn't UTF-8.")
        except (msgspec.DecodeError, ValueError) as error:
            reason = str(error).removeprefix("JSON is malformed: ") if data.strip() else "it is empty"
            return MalformedRequest.because(f"The body isn't JSON: {reason}.")
        found = InvalidRequest(self._problems(body))
        # Of fields that are given again the last one stands here, and it's an earlier one that isn't right.
        return found if found.problems else InvalidRequest.because("A field is there more than once. Give each once.")

    def _problems(self, body: Any) -> Iterator[Problem]:
        """Everything that is wrong with the shape of a body that is JSON."""
        if not isinstance(body, dict):
            yield Problem(f"The body must be a JSON object, not {describe(body)}.")
            return
        for name in body:
            if name not in self._fields:
                close = nearest(name, list(self._fields))
                hint = f" Did you mean {close[0]}?" if close else f" Known are {', '.join(self._fields)}."
                yield Problem(f"The field {shorten(name)} isn't known.{hint}", shorten(name))
        for name, field in self._fields.items():
            if name in body:
                yield from field.check(name, body[name])
            elif field.required:
                yield Problem(f"The field {name} is missing: {field.wanted}.", name)


def mistyped(name: str, wanted: str, value: Any) -> Problem:
    """A value that is of another kind."""
    return Problem(f"{name} must be {wanted}, not {describe(value)}.", name)


def flag(required: bool = False) -> Field:
    """A field that is true or false."""
    return of_kind("true or false", bool, required=required)


def of_kind(wanted: str, *kinds: type, required: bool = False) -> Field:
    """A field whose value is an instance of one of `kinds`."""

    def check(name: str, value: Any) -> Iterator[Problem]:
        if not isinstance(value, kinds):
            yield mistyped(name, wanted, value)

    return Field(wanted, check, required)


def one_of(*choices: str) -> Field:
    """A field whose value is one of a few strings."""
    wanted = " or ".join(f'"{choice}"' for choice in choices)

    def check(name: str, value: Any) -> Iterator[Problem]:
        if not isinstance(value, str) or value not in choices:
            yield mistyped(name, wanted, value)

    return Field(wanted, check)


def columns(item: str, required: bool = False) -> Field:
    """A field that is an object of lists; `item` says what the lists hold."""
    wanted = f"an object of columns, each a list of {item}"

    def check(name: str, value: Any) -> Iterator[Problem]:
        if not isinstance(value, dict):
            yield mistyped(name, wanted, value)
            return
        for column, values in value.items():
            if not isinstance(values, list):
                message = f"{shorten(column)} must be a list of {item}, one for each row, not {describe(values)}."
                yield Problem(message, f"{name}.{shorten(column)}")

    return Field(wanted, check, required)
