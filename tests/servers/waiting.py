"""Waiting for something to become true, with a bound and a message."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

import httpx

POLL_SECONDS = 0.02
ASK_SECONDS = 5.0

T = TypeVar("T")


def wait_until(ask: Callable[[], T], what: str, seconds: float = 20.0) -> T:
    """The first true answer of `ask`; AssertionError naming `what` and the last answer when none comes in time."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < deadline, _late(what, seconds, answer)
        time.sleep(POLL_SECONDS)
    return answer


async def until(ask: Callable[[], T], what: str, seconds: float = 20.0) -> T:
    """The same, while the event loop goes on."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < deadline, _late(what, seconds, answer)
        await asyncio.sleep(POLL_SECONDS / 4)
    return answer


def is_ok(url: str, *, headers: dict[str, str] | None = None, verify: bool = True) -> bool:
    """Whether a GET is answered by 200 now; something to wait for."""
    try:
        return httpx.get(url, headers=headers, verify=verify, timeout=ASK_SECONDS).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def _late(what: str, seconds: float, answer: object) -> str:
    return f"{what}: not within {seconds:g} s; the last answer was {answer!r}"
