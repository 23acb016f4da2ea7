"""The bodies that clients send: parsed in one go when they are right, looked at again when they aren't."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from service.catalog import nearest
from service.errors import InvalidRequest, MalformedRequest, Problem
from service.keys import describe, shorten

_NO_FEATURES = msgspec.Raw(b"[]")


class OnlineFeaturesBody(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The body of /get-online-features. `features` stays as it came: its bytes are the plan's name."""

    entities: dict[str, list[Any]]
    features: msgspec.Raw = _NO_FEATURES
    feature_service: str | None = None
    full_feature_names: bool = False
    include_feature_view_version_metadata: bool = False


_body = msgspec.json.Decoder(OnlineFeaturesBody)
_names = msgspec.json.Decoder(list[str])
_any = msgspec.json.Decoder()

_FIELDS = {
    "entities": "an object of columns, each a list of ids",
    "features": 'a list of "view:feature" strings',
    "feature_service": "a string",
    "full_feature_names": "true or false",
    "include_feature_view_version_metadata": "true or false",
}


def parse_body(data: bytes) -> OnlineFeaturesBody:
    """Raises MalformedRequest when it isn't JSON, InvalidRequest naming each field that isn't right. Hot."""
    try:
        return _body.decode(data)
    except (msgspec.DecodeError, RecursionError, ValueError):
        raise _explain(data) from None


def parse_features(body: OnlineFeaturesBody, data: bytes) -> tuple[str, ...]:
    """The feature references of a body; raises InvalidRequest naming those that aren't strings."""
    try:
        return tuple(_names.decode(body.features))
    except (msgspec.DecodeError, RecursionError, ValueError):
        raise _explain(data) from None


def _explain(data: bytes) -> InvalidRequest:
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
    return InvalidRequest(_problems(body))


def _problems(body: Any) -> Iterator[Problem]:
    """Everything that is wrong with the shape of a body that is JSON."""
    if not isinstance(body, dict):
        yield Problem(f"The body must be a JSON object, not {describe(body)}.")
        return
    for name in body:
        if name not in _FIELDS:
            close = nearest(name, list(_FIELDS))
            hint = f" Did you mean {close[0]}?" if close else f" Known are {', '.join(_FIELDS)}."
            yield Problem(f"The field {shorten(name)} isn't known.{hint}", shorten(name))
    if "entities" not in body:
        yield Problem(f"The field entities is missing: {_FIELDS['entities']}.", "entities")
    for name, check in _CHECKS.items():
        if name in body:
            yield from check(name, body[name])


def _entities(name: str, value: Any) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield _mistyped(name, value)
        return
    for column, ids in value.items():
        if not isinstance(ids, list):
            message = f"{shorten(column)} must be a list of ids, one for each row, not {describe(ids)}."
            yield Problem(message, f"entities.{shorten(column)}")


def _features(name: str, value: Any) -> Iterator[Problem]:
    if not isinstance(value, list):
        yield _mistyped(name, value)
        return
    for position, item in enumerate(value):
        if not isinstance(item, str):
            message = f'A feature reference is a string, "view:feature", not {describe(item)}.'
            yield Problem(message, f"{name}[{position}]")


def _service(name: str, value: Any) -> Iterator[Problem]:
    if value is not None and not isinstance(value, str):
        yield _mistyped(name, value)


def _flag(name: str, value: Any) -> Iterator[Problem]:
    if not isinstance(value, bool):
        yield _mistyped(name, value)


def _mistyped(name: str, value: Any) -> Problem:
    return Problem(f"{name} must be {_FIELDS[name]}, not {describe(value)}.", name)


_CHECKS: dict[str, Callable[[str, Any], Iterator[Problem]]] = {
    "entities": _entities,
    "features": _features,
    "feature_service": _service,
    "full_feature_names": _flag,
    "include_feature_view_version_metadata": _flag,
}
