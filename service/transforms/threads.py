"""Calls that the event loop can't wait for: in threads, a few at a time for each function, each within its budget of time."""

import _thread
import asyncio
import ctypes
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from service.errors import Overloaded
from service.transforms.alarm import OverBudget

# At a time, for each function: a slow one uses up its own threads, never those of others.
THREADS = 2
# How soon a call that was interrupted, and goes on, is interrupted again.
AGAIN_SECONDS = 0.1


class Threads:
    """Those of one function. A call has a thread of its own: next to what is run in threads, starting one costs nothing.

    `running` counts them. A function that never ends doesn't keep the process from ending.
    """

    def __init__(self) -> None:
        self._waiting: deque[_Job] = deque()
        self.running = 0

    @property
    def waiting(self) -> int:
        """Calls that have no thread yet."""
        return len(self._waiting)

    def run(self, call: Callable[[], Any], seconds: float) -> "asyncio.Future[Any]":
        """What `call` gives or raises; OverBudget when that isn't there in time, waiting for a thread included.

        A call that is over its time is interrupted as far as it is in Python code. One that can't be interrupted keeps its
        thread, and the calls behind it end in time, too. Overloaded when no thread can be started.
        """
        loop = asyncio.get_running_loop()
        job = _Job(call, loop, self._next)
        timer = loop.call_later(seconds, self._expire, job)
        job.future.add_done_callback(lambda _: timer.cancel())
        self._waiting.append(job)
        self._start()
        return job.future

    def _start(self) -> None:
        while self._waiting and self.running < THREADS:
            job = self._waiting.popleft()
            if job.future.done():
                continue
            self.running += 1
            try:
                # Not threading.Thread: its start waits until the thread runs, for as long as another one has the interpreter.
                _thread.start_new_thread(job.run, ())
            except RuntimeError as error:
                self.running -= 1
                job.future.set_exception(Overloaded(f"No thread can be started for an on-demand function: {error}."))

    def _next(self) -> None:
        self.running -= 1
        self._start()

    def _expire(self, job: "_Job") -> None:
        job.expire()
        # All have the same time, so those that are over stand in front; they would be kept as long as a thread hangs.
        while self._waiting and self._waiting[0].future.done():
            self._waiting.popleft()


class _Job:
    """One call; it runs in a thread, and everything else happens in the event loop."""

    def __init__(self, call: Callable[[], Any], loop: asyncio.AbstractEventLoop, ended: Callable[[], None]) -> None:
        self._call = call
        self._loop = loop
        self._ended = ended
        self.future: asyncio.Future[Any] = loop.create_future()
        self._lock = threading.Lock()
        # The thread that is in the call at the moment.
        self._thread: int | None = None
        self._is_over = False

    def run(self) -> None:
        """In the thread."""
        result: Any = None
        error: BaseException | None = None
        try:
            with self._lock:
                self._thread = None if self._is_over else _thread.get_ident()
            try:
                result = None if self._is_over else self._call()
            finally:
                with self._lock:
                    self._thread = None
            # An interruption that was ordered just before is raised at the next jump back (in CPython 3.11 and later): here,
            # where it does no harm.
            for _ in range(2):
                pass
        except BaseException as raised:  # whatever it is, it ends this call only
            error = raised
        with self._lock:
            self._thread = None
        try:
            self._loop.call_soon_threadsafe(self._finish, result, error)
        except RuntimeError:  # the loop is closed: the process is about to end, and nobody waits any more
            return

    def _finish(self, result: Any, error: BaseException | None) -> None:
        self._is_over = True
        self._ended()
        if self.future.done():
            return
        if error is None:
            self.future.set_result(result)
        else:
            self.future.set_exception(error)

    def expire(self) -> None:
        """The time is up."""
        if not self.future.done():
            self.future.set_exception(OverBudget())
        with self._lock:
            self._is_over = True
            if self._thread is not None:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread), ctypes.py_object(OverBudget))
                self._loop.call_later(AGAIN_SECONDS, self.expire)
