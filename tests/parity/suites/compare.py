"""Two results of one expectation, compared field by field."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

Result = Mapping[str, Any]

# Parts of messages that tell which of two things numpy asked first, how it writes an array, or where an object lies.
_DIFFERENT_BY_NATURE = [
    (re.compile(r"^'[<>=]+' not supported between instances of '.*' and '.*'$"), "values don't compare"),
    (
        re.compile(r"^Invalid comparison between dtype=.*|^can't compare datetime.datetime to datetime.date$"),
        "values don't compare",
    ),
    (re.compile(r"^Cannot convert .* to numeric$|^Cannot convert .*$"), "values aren't numbers"),
    (re.compile(r"^Unknown datetime string format.*|.* not likely a datetime$|.* is out of range for month.*"), "not a time"),
    (re.compile(r"^Cannot compare .*|^can't compare offset-naive.*"), "values don't compare"),
    (re.compile(r"0x[0-9a-f]+"), "0x"),
    (re.compile(r" -0\.0 "), " 0.0 "),
]


def differences(reference: Result, ours: Result) -> Iterator[str]:
    """Where two results differ. Exceptions are alike when both raised, with the same first line of their message."""
    if reference["success"] is not ours["success"]:
        yield f"success is {ours['success']}, not {reference['success']}"
    yield from _differences("expectation_config", _without_batch(reference["expectation_config"]), ours["expectation_config"])
    yield from _differences("meta", reference["meta"], ours["meta"])
    messages = messages_of(reference["exception_info"])
    own = messages_of(ours["exception_info"])
    if bool(messages) != bool(own):
        yield f"raised {own or 'nothing'}, not {messages or 'nothing'}"
    elif messages and not own & messages:
        yield f"message {own} isn't among {messages}"
    yield from _differences("result", reference["result"], ours["result"])


def messages_of(info: Mapping[str, Any]) -> set[str]:
    """The first lines of what was raised: GX nests exceptions of metrics under the metric's id."""
    parts = [info] if "raised_exception" in info else list(info.values())
    return {_first_line(part["exception_message"]) for part in parts if part["raised_exception"]}


def _first_line(message: str) -> str:
    line = message.partition("\n")[0]
    for pattern, plain in _DIFFERENT_BY_NATURE:
        line = pattern.sub(plain, line)
    return line


def _without_batch(configuration: Mapping[str, Any]) -> dict[str, Any]:
    kwargs = {key: value for key, value in configuration["kwargs"].items() if key != "batch_id"}
    return {**configuration, "kwargs": kwargs}


def _differences(path: str, reference: Any, ours: Any) -> Iterator[str]:
    if isinstance(reference, dict) and isinstance(ours, dict):
        for key in reference.keys() | ours.keys():
            if key not in ours or key not in reference:
                yield f"{path}.{key} is {'missing' if key not in ours else 'too much'}"
            else:
                yield from _differences(f"{path}.{key}", reference[key], ours[key])
    elif isinstance(reference, list) and isinstance(ours, list) and len(reference) == len(ours):
        for index, (one, other) in enumerate(zip(reference, ours, strict=True)):
            yield from _differences(f"{path}[{index}]", one, other)
    elif not _is_same(reference, ours):
        yield f"{path} is {ours!r}, not {reference!r}"


def _is_same(reference: Any, ours: Any) -> bool:
    """Equal, and of the same JSON type: 1 isn't 1.0, and isn't true."""
    if isinstance(reference, float) != isinstance(ours, float) or isinstance(reference, bool) != isinstance(ours, bool):
        return False
    return bool(reference == ours)
