"""Request data of on-demand views: columns that the client sends beside the ids, checked. No I/O."""

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from service.codec.encoders import Unencodable, encoder_for
from service.codec.natives import native_for
from service.codec.values import codec_for
from service.errors import InvalidRequest, Problem

# Of floats, what surely fits.
_MOST = {"FLOAT": 3.4028234663852886e38, "DOUBLE": sys.float_info.max}


class RequestField:
    """A column of request data: checks it, and gives the values that a function gets."""

    def __init__(self, column: str, value_type: str) -> None:
        self.column = column
        self.value_type = value_type
        self._encoder = encoder_for(value_type)
        self._read = encoder_for(given_type(value_type))
        self._codec = codec_for(given_type(value_type))
        self._native = native_for(value_type)
        self._most = _MOST.get(value_type)

    def read(self, values: Sequence[Any]) -> Sequence[Any]:
        """Raises InvalidRequest naming each row that isn't of the type. Null is taken. Hot."""
        if self._most and set(map(type, values)) == {float} and max(values) <= self._most and min(values) >= -self._most:
            return values  # nothing would come of it
        try:
            encoded = self._encoder.encode(values)
            if self._read is not self._encoder:
                encoded = self._read.encode(values)
        except Unencodable:
            raise InvalidRequest(
                Problem(f"{self.column} {problem}.", f"entities.{self.column}", row)
                for row, value in enumerate(values)
                if (problem := self._encoder.problem(value)) is not None
            ) from None
        (column,), _ = self._codec.decode([encoded])
        try:
            return self._native(column)
        except OverflowError:
            raise InvalidRequest(self._beyond(column)) from None

    def _beyond(self, column: Sequence[Any]) -> Iterator[Problem]:
        for row, value in enumerate(column):
            try:
                self._native([value])
            except OverflowError:
                message = f"{self.column} must be a time of the years 1 to 9999, in seconds since 1970 ({self.value_type})."
                yield Problem(message, f"entities.{self.column}", row)


def given_type(value_type: str) -> str:
    """The type that request data of a type have for a function.

    A 32-bit number that the client has as a double stays one: so it is in a training set, and in stock.
    """
    return "DOUBLE" if value_type == "FLOAT" else value_type
