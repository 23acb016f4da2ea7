"""Which checks answer what Great Expectations would, for the columns that a file has; the others are left to it.

The checks of `service.suites` are exact for the columns that JSON leads to. A file may have others: numbers of fewer bits,
timestamps of other units, what only pandas can hold. And a file comes in batches, of which none shows what the whole column is.
"""

import re
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from service.files.forms import Form, Kind
from service.suites.aggregates import DeviationBetween, Maximum, MeanBetween, MedianBetween, Minimum, SumBetween
from service.suites.checks import Check
from service.suites.column_maps import Between, InSet, NotInSet
from service.suites.pair_maps import PairCheck
from service.suites.tables import TableCheck
from service.suites.text_maps import LengthsBetween, LengthsEqual, MatchRegex
from service.suites.type_maps import TypeCheck

# The keyword arguments that name columns.
_NAMING = ("column", "column_A", "column_B", "column_list")
_WORD = re.compile(r"\w+")
_TEXTUAL = (MatchRegex, LengthsBetween, LengthsEqual)
_SUMMING = (SumBetween, MeanBetween, MedianBetween, DeviationBetween)


def columns_in(kwargs: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """Which of a file's columns an expectation may ask for, with those of its row condition; rather too many than too few."""
    given = [kwargs.get(key) for key in _NAMING]
    wanted = {_folded(name) for value in given for name in (value if isinstance(value, list | tuple) else [value])}
    words = {_folded(word) for word in _words(kwargs.get("row_condition"))}
    return [name for name in names if _folded(name) in wanted | words]


def columns_of(check: Check[Any], names: Sequence[str]) -> list[str]:
    """The same for a check; one of the table only looks at the columns of its row condition."""
    kwargs = check.expectation.kwargs
    return columns_in({"row_condition": kwargs.get("row_condition")} if isinstance(check, TableCheck) else kwargs, names)


def _folded(name: Any) -> str:
    """Without case, and without the quotation marks that GX takes off."""
    return str(name).casefold().strip('"[]`')


def _words(condition: Any) -> Iterator[str]:
    if isinstance(condition, str):
        yield condition
        yield from _WORD.findall(condition)
    elif isinstance(condition, Mapping):
        for value in condition.values():
            yield from _words(value)
    elif isinstance(condition, Iterable):
        for value in condition:
            yield from _words(value)


def why_not(check: Check[Any], forms: Mapping[str, Form]) -> str | None:
    """Why a check isn't exact for its columns, which have these forms; None when it is."""
    condition = columns_in({"row_condition": check.expectation.kwargs.get("row_condition")}, list(forms))
    for name, form in forms.items():
        if form.kind is Kind.FOREIGN or not _is_exact(check, form) or (name in condition and _is_unusual(form)):
            return f"{name} is {form.described}"
    if isinstance(check, PairCheck) and not _are_compared_alike(list(forms.values())):
        return " and ".join(f"{name} is {form.described}" for name, form in forms.items())
    return None


def _is_unusual(form: Form) -> bool:
    return form.kind in (Kind.SINGLE, Kind.COARSE)


def _is_exact(check: Check[Any], form: Form) -> bool:
    """Whether a check of this one column is."""
    if isinstance(check, _TEXTUAL):
        # How pandas writes one time depends on all others of the column.
        return not form.dtype.is_datetime and form.kind is not Kind.SINGLE
    if isinstance(check, TypeCheck):
        # numpy has more names for these types than service.suites knows.
        return form.kind is Kind.PLAIN
    if isinstance(check, _SUMMING):
        return not _is_unusual(form)
    if isinstance(check, Minimum | Maximum) and form.kind is Kind.SINGLE:
        # numpy casts a bound to the column's type before it compares.
        return all(bound is None or _is_single(bound) for bound in _bounds(check))
    if form.kind is Kind.COARSE:
        return not isinstance(check, InSet | NotInSet) and (not isinstance(check, Between) or _are_alike(check, form))
    return True


def _are_alike(check: Between, form: Form) -> bool:
    """Whether both bounds, if there are two, are times with a timezone, or both without, as the column is."""
    bounds = [bound for bound in _bounds(check) if bound is not None]
    return all(isinstance(bound, datetime) and (bound.tzinfo is None) == (form.zone is None) for bound in bounds)


def _bounds(check: Check[Any]) -> tuple[Any, Any]:
    return check.arguments.min_value, check.arguments.max_value


def _is_single(bound: Any) -> bool:
    # In the machine's own format, which makes what is too large infinite.
    return isinstance(bound, float) and bool(struct.unpack("@f", struct.pack("@f", bound))[0] == bound)


def _are_compared_alike(forms: Sequence[Form]) -> bool:
    """Whether two columns compare value by value, whatever else they hold."""
    if any(form.dtype.is_datetime for form in forms):
        # Beside texts or days it is the whole column that decides how they are read.
        return all(form.dtype.is_datetime and form.kind is Kind.PLAIN for form in forms)
    # Values of float32 are rounded once more where GX reports them.
    return not any(form.kind is Kind.SINGLE for form in forms)
