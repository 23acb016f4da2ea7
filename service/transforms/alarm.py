"""A limit on what runs in the event loop's own thread: a signal interrupts it, wherever in Python it is."""

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

Result = TypeVar("Result")

# Parts of the budget after which a function that has taken the signal for something else gets the next one.
RINGS = 10


class OverBudget(BaseException):
    """Raised inside of a function that takes too long. Not an Exception: the function mustn't take it for one of its own."""


class Alarm:
    """Uses SIGALRM, so there is one for each process, and only its main thread can use it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._armed = False
        self._rang = False
        # Signals are handled in the main thread alone.
        self.usable = threading.current_thread() is threading.main_thread()
        if self.usable:
            signal.signal(signal.SIGALRM, self._ring)

    def run(self, function: Callable[[], Result]) -> Result:
        """What `function` gives or raises; raises OverBudget when it takes too long. Hot: about a microsecond.

        The signal comes again and again until the function has ended: a bare `except`, or Python itself in the middle of a
        `__del__`, may have swallowed one. Whatever comes of the function then, it was too slow.
        """
        self._rang = False
        try:
            self._armed = True
            signal.setitimer(signal.ITIMER_REAL, self._seconds, self._seconds / RINGS)
            return function()
        finally:
            self._armed = False
            signal.setitimer(signal.ITIMER_REAL, 0)
            if self._rang:
                raise OverBudget

    def _ring(self, _: int, frame: FrameType | None) -> None:
        if not self._armed:
            return
        self._rang = True
        # In `run` itself the function hasn't begun or is over: raised there, it would leave the clock running.
        if frame is None or frame.f_code is not Alarm.run.__code__:
            raise OverBudget
