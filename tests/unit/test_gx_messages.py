"""What goes to a GX process arrives as it is, and nothing can be built from it but values."""

import io
import math
import pickle
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from service.suites.gx_messages import LENGTH, checked_length, frame_answer, frame_request, parse_answer, parse_request, receive

VALUES: list[Any] = [
    None, True, 1, -(2**63), 2**64, -(10**40), 0.1, -0.0, math.inf, -math.inf, "€", "\ud800", "", b"\x00", [1, [2]], {"a": {}},
    date(2026, 3, 1), datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=timezone(timedelta(hours=2))),
    Decimal("1.10"), UUID(int=7),
]  # fmt: skip


def sent(kind: str, **arguments: Any) -> dict[str, Any]:
    """The arguments on the other side of the socket."""
    body = receive(io.BytesIO(frame_request(kind, **arguments)))
    assert body is not None
    received, arguments = parse_request(body)
    assert received == kind
    return arguments


def test_values_arrive_as_they_are() -> None:
    """With their types, which == doesn't tell apart."""
    assert [*map(repr, sent("validate", values=VALUES)["values"])] == [*map(repr, VALUES)]
    assert math.isnan(sent("validate", value=math.nan)["value"])


class Calling:
    """Its pickle calls a function when it is read."""

    def __reduce__(self) -> Any:
        return print, ("called",)


@pytest.mark.parametrize("value", [Calling(), print, np.float64(1.0), RuntimeError("x")])
def test_nothing_but_values_is_built(value: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A pickle that names another class or a function is refused, and runs nothing."""
    with pytest.raises(pickle.UnpicklingError, match="isn't a plain value"):
        sent("validate", values=[value])
    assert capsys.readouterr().out == ""


def test_an_answer_keeps_what_json_does_not_have() -> None:
    """NaN and infinities, and numpy's scalars by their value: a verdict that became text would always be true."""
    answer = {"success": np.bool_(False), "observed": [math.inf, np.float64(0.5), np.int64(2)], "at": date(2026, 3, 1)}
    body = receive(io.BytesIO(frame_answer(answer)))
    assert body is not None
    assert parse_answer(body) == {"success": False, "observed": [math.inf, 0.5, 2], "at": "2026-03-01"}


def test_a_stream_that_ends_gives_no_message() -> None:
    """Wherever it ends: whoever sent it is gone."""
    whole = frame_answer({"answer": "ready"})
    for length in range(len(whole)):
        assert receive(io.BytesIO(whole[:length])) is None


def test_a_length_that_cannot_be_meant_is_refused() -> None:
    """Rather than waited for."""
    with pytest.raises(ConnectionError, match="4294967295 bytes"):
        checked_length(LENGTH.pack(0xFFFFFFFF))
