"""Waiting for something to become true, with a bound and a message."""

import time
from collections.abc import Callable
from typing import TypeVar

POLL_SECONDS = 0.02

T = TypeVar("T")


def wait_until(ask: Callable[[], T], what: str, seconds: float = 20.0) -> T:
    """The first true answer of `ask`; AssertionError naming `what` and the last answer when none comes in time."""
    deadline = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s; the last answer was {answer!r}"
        time.sleep(POLL_SECONDS)
