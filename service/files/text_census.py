"""Which dtype `pandas.read_csv` infers for a column of texts, with `low_memory=False`: for the column as a whole.

Source: `_convert_tokens` in pandas 2.3's _libs/parsers.pyx, which tries int64, float64 and bool, in this order, and leaves
texts when all fail; and how it leaves int64 for uint64, or for texts, when integers are too large.
"""

import math
from functools import partial
from typing import Any

import pyarrow as pa

from service.files.forms import Form, Kind
from service.files.numerals import (
    SPACE,
    as_booleans,
    as_floats,
    as_integers,
    as_integers_beside_nulls,
    characters,
    leading_integer,
)
from service.suites.dtypes import BOOL, FLOAT64, INT64, INT64_MAX, INT64_MIN, OBJECT, UINT64, UINT64_MAX

_TEXT = Form(OBJECT, "text", math.nan)
_INTEGERS = Form(INT64, "integers", convert=partial(as_integers, kind=pa.int64()))
_INTEGERS_AND_NULLS = Form(FLOAT64, "integers and nulls", math.nan, convert=as_integers_beside_nulls)
_UNSIGNED = Form(UINT64, "integers", convert=partial(as_integers, kind=pa.uint64()))
_FLOATS = Form(FLOAT64, "numbers", math.nan, convert=as_floats)
_BOOLEANS = Form(BOOL, "booleans", convert=as_booleans)
_BOOLEANS_AND_NULLS = Form(OBJECT, "booleans and nulls", math.nan, convert=as_booleans)
_UNFILTERED = Form(
    OBJECT, "integers beyond 64 bits beside nulls, which pandas leaves as the texts that they are", kind=Kind.FOREIGN
)
# A file without rows: pandas has nothing to infer from.
_EMPTY = Form(OBJECT, "nothing", math.nan)


class TextCensus:
    """What has been seen of one column; nulls are what pandas takes for missing."""

    def __init__(self) -> None:
        self._rows = 0
        self._nulls = self._any_present = False
        # What all values so far could be.
        self._integers = self._floats = self._booleans = True
        # Among integers: a minus, one that int64 doesn't hold, one that only uint64 holds, one too large for uint64.
        self._minus = self._beyond_int64 = self._unsigned = self._too_large = False

    def observe(self, texts: Any) -> None:
        """Take in the next rows."""
        self._rows += len(texts)
        if texts.null_count:
            self._nulls = True
            texts = texts.drop_null()
        if not len(texts):
            return
        self._any_present = True
        if self._integers and not self._too_large:
            self._observe_integers(texts)
        if not self._integers:
            self._floats = self._floats and as_floats(texts) is not None
        self._booleans = self._booleans and as_booleans(texts) is not None

    def _observe_integers(self, texts: Any) -> None:
        if not self._beyond_int64 and as_integers(texts, pa.int64()) is not None:
            self._minus = self._minus or b"-" in characters(texts)
            return
        for text in texts.to_pylist():
            self._observe_integer(text)
            if self._too_large or not self._integers:
                return

    def _observe_integer(self, text: str) -> None:
        """As pandas does, text by text: the first that isn't an integer, or is too large, decides.

        The digits at its beginning may be too large before it shows that there is something else behind them. Once there is
        one that int64 doesn't hold, the column is tried as uint64, and then all that begins with a minus is let through.
        """
        value, whole = leading_integer(text)
        self._minus = self._minus or "-" in text
        self._beyond_int64 = self._beyond_int64 or (value is not None and not INT64_MIN <= value <= INT64_MAX)
        if self._beyond_int64 and text.lstrip(SPACE).startswith("-"):
            return
        if value is not None and value > UINT64_MAX:
            self._too_large = True
        elif not whole:
            self._integers = False
        else:
            self._unsigned = self._unsigned or (value is not None and value > INT64_MAX)

    @property
    def form(self) -> Form:
        """What pandas makes of the column, once all of it has been seen."""
        if not self._any_present:
            return _FLOATS if self._rows else _EMPTY
        if self._too_large:
            return _TEXT
        if self._integers:
            return self._integer_form()
        if self._floats:
            return _FLOATS
        if self._booleans:
            return _BOOLEANS_AND_NULLS if self._nulls else _BOOLEANS
        return _TEXT

    def _integer_form(self) -> Form:
        if not self._beyond_int64:
            return _INTEGERS_AND_NULLS if self._nulls else _INTEGERS
        if self._unsigned and self._nulls:
            return _UNFILTERED
        return _UNSIGNED if self._unsigned and not self._minus else _TEXT
