"""A limit on what runs in the event loop's own thread: a signal interrupts it, wherever in Python it is."""

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

Result = TypeVar("Result")


class OverBudget(BaseException):
    """Raised inside of a function that takes too long. Not an Exception: the function mustn't take it for one of its own."""


class Alarm:
    """Uses SIGALRM, so there is one for each process, and only its main thread can use it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._armed = False
        # Signals are handled in the main thread alone.
        self.usable = threading.current_thread() is threading.main_thread()
        if self.usable:
            signal.signal(signal.SIGALRM, self._ring)

    def run(self, function: Callable[[], Result]) -> Result:
        """What `function` gives; raises OverBudget when it takes too long. Hot: about a microsecond.

        The signal may come when the function has just ended: then it is raised here, and means the same.
        """
        try:
            self._armed = True
            signal.setitimer(signal.ITIMER_REAL, self._seconds)
            return function()
        finally:
            self._armed = False
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _ring(self, _: int, __: FrameType | None) -> None:
        if self._armed:
            self._armed = False
            raise OverBudget
