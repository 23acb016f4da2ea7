"""Event times of pushed rows: marks in a body that become the time of sending, in order, so that no push is ever stale.

A push that isn't newer than what is stored costs a server something else than one that it writes. So a row's event time is
the time at which its request is sent, in ticks, of which no two requests have the same; the digits of a second behind the
tick are the row's place in its body, so that the rows of a body have different times, too:

    1 row       ticks of 1 us     2026-11-25T10:00:00.123456Z
    10 rows     ticks of 10 us    2026-11-25T10:00:00.12345 + 0Z ... 9Z
    1000 rows   ticks of 1 ms     2026-11-25T10:00:00.123 + 000Z ... 999Z

`wrk.STAMPED` does in Lua what `Ticks` and `text` do here.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

SECOND_DIGITS = 6  # microseconds: Feast's own writers keep no more
WHOLE_SECONDS = "%Y-%m-%dT%H:%M:%S."
TEXT_LENGTH = len("2026-11-25T10:00:00.") + SECOND_DIGITS


@dataclass(frozen=True, slots=True)
class Stamp:
    """How the bodies of one scenario are stamped: the rows of each decide how long a tick is."""

    rows: int

    @property
    def row_digits(self) -> int:
        """The digits of a second that belong to the row."""
        return len(str(self.rows - 1)) if self.rows > 1 else 0

    @property
    def tick_us(self) -> int:
        """The microseconds of a tick."""
        return int(10**self.row_digits)

    @property
    def mark(self) -> str:
        """What stands in a body for the tick; as long as its text, so that a body keeps its length."""
        return "@" * (TEXT_LENGTH - self.row_digits)

    def event_time(self, row: int) -> str:
        """The event time of a row, marked."""
        return f"{self.mark}{row:0{self.row_digits}d}Z" if self.row_digits else f"{self.mark}Z"

    def created_time(self) -> str:
        """The time at which the rows of a request were made, marked: not before any of their event times."""
        return f"{self.mark}{'9' * self.row_digits}Z"

    def text(self, tick: int) -> str:
        """The tick as it stands in a body, up to the row's digits."""
        seconds, microseconds = divmod(tick * self.tick_us, 10**SECOND_DIGITS)
        fraction = f"{microseconds:0{SECOND_DIGITS}d}"[: SECOND_DIGITS - self.row_digits]
        return datetime.fromtimestamp(seconds, UTC).strftime(WHOLE_SECONDS) + fraction

    def fill(self, body: bytes, tick: int) -> bytes:
        """A body that is ready to be sent."""
        return body.replace(self.mark.encode(), self.text(tick).encode())

    def event_us(self, tick: int, row: int) -> int:
        """The event time of a row in microseconds since 1970."""
        return tick * self.tick_us + row


class Ticks:
    """Ticks since 1970, each later than the one before: now, unless requests come faster than ticks."""

    def __init__(self, stamp: Stamp, clock: Callable[[], int] = time.time_ns) -> None:
        """`clock` gives nanoseconds since 1970."""
        self._nanoseconds = stamp.tick_us * 1000
        self._clock = clock
        self._last = 0

    def next(self) -> int:
        """The tick of the next request."""
        self._last = max(self._last + 1, self._clock() // self._nanoseconds)
        return self._last
