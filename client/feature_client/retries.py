"""When a call that failed is made again.

Every call may be: reads and checks change nothing, and of pushes the newest rows stand, however often they come.

Repeated is what may pass by itself: 502, 503, 504, connections that fail, timeouts. Never a 4xx, which says that the request
is wrong. The wait doubles with each attempt and is drawn from its whole length, so that clients that failed together don't
come back together; a server's Retry-After is waited for besides.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from feature_client.errors import FeatureClientError, Unavailable

# Seconds that an attempt gets at least: one that is sure to fail tells less than the failure before it did.
SHORTEST_ATTEMPT_SECONDS = 0.001


@dataclass(frozen=True, slots=True)
class Retries:
    """How often a call is made again, and when; `Retries(attempts=1)` for never.

    Times are seconds. The wait before the second attempt is at most `first_wait`; `longest_wait` caps what is drawn, and
    what a Retry-After may ask for besides. `attempt_timeout` gives an attempt up before the call's own time is over, to
    make another: for servers behind a load balancer. `clock` counts seconds, `draw` gives a number from 0 to 1.
    """

    attempts: int = 3
    first_wait: float = 0.1
    longest_wait: float = 5.0
    attempt_timeout: float | None = None
    clock: Callable[[], float] = time.monotonic
    draw: Callable[[], float] = random.random

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts must be at least 1, not {self.attempts}")


class Attempts:
    """The attempts of one call, whose time runs from here on."""

    __slots__ = ("_ends", "_made", "_retries")

    def __init__(self, retries: Retries, timeout: float) -> None:
        self._retries = retries
        self._ends = retries.clock() + timeout
        self._made = 0

    def begin(self) -> float:
        """Begin one; gives the seconds that it may take. Hot."""
        self._made += 1
        left = max(self._ends - self._retries.clock(), SHORTEST_ATTEMPT_SECONDS)
        longest = self._retries.attempt_timeout
        return left if longest is None else min(left, longest)

    def wait_after(self, error: FeatureClientError) -> float:
        """Seconds to wait before the next one; raises the error if there is to be none."""
        error.attempts = self._made
        if not error.is_passing or self._made >= self._retries.attempts:
            raise error
        wait = self._wait(error)
        if self._retries.clock() + wait + SHORTEST_ATTEMPT_SECONDS >= self._ends:
            raise error
        return wait

    def _wait(self, error: FeatureClientError) -> float:
        longest = self._retries.longest_wait
        backoff = self._retries.draw() * min(longest, self._retries.first_wait * 2.0 ** (self._made - 1))
        asked = error.retry_after if isinstance(error, Unavailable) else None
        return min(longest, asked or 0.0) + backoff
