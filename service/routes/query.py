"""Queries of raw routes: parameters that are known, each once, each with a value that it may have."""

from collections.abc import Collection, Mapping
from urllib.parse import parse_qs

from service.errors import InvalidRequest, Problem
from service.keys import shorten


def parse_query(query: bytes, known: Collection[str]) -> dict[str, str]:
    """The parameters of a query; raises InvalidRequest for those that aren't known or are there twice."""
    found = parse_qs(query.decode("latin-1"), keep_blank_values=True, encoding="utf-8", errors="replace")
    problems = [
        Problem(f"The parameter {shorten(name)} isn't known. Known are {', '.join(sorted(known))}.", shorten(name))
        for name in found
        if name not in known
    ]
    problems += [
        Problem(f"The parameter {shorten(name)} is there {len(values)} times.", shorten(name))
        for name, values in found.items()
        if len(values) > 1
    ]
    if problems:
        raise InvalidRequest(problems)
    return {name: values[0] for name, values in found.items()}


def choice(parameters: Mapping[str, str], name: str, choices: Collection[str], default: str) -> str:
    """The value of a parameter; raises InvalidRequest for one that it can't have."""
    value = parameters.get(name, default)
    if value not in choices and value != default:
        raise InvalidRequest.because(f"{name} must be {' or '.join(choices)}, not {shorten(value)!r}.", name)
    return value


def listed(parameters: Mapping[str, str], name: str, choices: Collection[str]) -> frozenset[str]:
    """The values of a parameter that takes several, separated by commas; raises InvalidRequest for those that it can't have."""
    values = frozenset(parameters[name].split(",") if name in parameters else ())
    unknown = sorted(values.difference(choices))
    if unknown:
        raise InvalidRequest(
            Problem(f"{name} may name {' and '.join(choices)}, not {shorten(value)!r}.", name) for value in unknown
        )
    return values
