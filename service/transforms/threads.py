"""Calls that the event loop can't wait for: in threads, a few at a time for each function, each within its budget of time."""

import _thread
import asyncio
import ctypes
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from service.transforms.alarm import OverBudget

# At a time, for each function: a slow one uses up its own threads, never those of others.
THREADS = 2


class Threads:
    """Those of one function. A call has a thread of its own: next to what is run in threads, starting one costs nothing.

    `running` counts them. A function that never ends doesn't keep the process from ending.
    """

    def __init__(self) -> None:
        self._waiting: deque[_Job] = deque()
        self.running = 0

    def run(self, call: Callable[[], Any], seconds: float) -> "asyncio.Future[Any]":
        """What `call` gives or raises; OverBudget when that isn't there in time, waiting for a thread included.

        A call that is over its time is interrupted as far as it is in Python code. One that can't be interrupted keeps its
        thread, and the calls behind it end in time, too.
        """
        loop = asyncio.get_running_loop()
        job = _Job(call, loop, self._next)
        timer = loop.call_later(seconds, job.expire)
        job.future.add_done_callback(lambda _: timer.cancel())
        self._waiting.append(job)
        self._start()
        return job.future

    def _start(self) -> None:
        while self._waiting and self.running < THREADS:
            job = self._waiting.popleft()
            if not job.future.done():
                self.running += 1
                # Not threading.Thread: its start waits until the thread runs, for as long as another one has the interpreter.
                _thread.start_new_thread(job.run, ())

    def _next(self) -> None:
        self.running -= 1
        self._start()


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

    def run(self) -> None:
        """In the thread."""
        result: Any = None
        error: BaseException = OverBudget()
        is_done = False
        try:
            try:
                with self._lock:
                    self._thread = threading.get_ident()
                result = self._call()
                is_done = True
            except Exception as raised:  # whatever the function raises is told
                error = raised
            finally:
                with self._lock:
                    self._thread = None
            # An interruption that was ordered just before is raised at the next jump back: here, where it does no harm.
            for _ in range(2):
                pass
        except OverBudget:
            is_done = False
        try:
            self._loop.call_soon_threadsafe(self._finish, is_done, result, error)
        except RuntimeError:  # the loop is closed: the process is about to end, and nobody waits any more
            return

    def _finish(self, is_done: bool, result: Any, error: BaseException) -> None:
        self._ended()
        if self.future.done():
            return
        if is_done:
            self.future.set_result(result)
        else:
            self.future.set_exception(error)

    def expire(self) -> None:
        """The time is up."""
        if not self.future.done():
            self.future.set_exception(OverBudget())
        with self._lock:
            if self._thread is not None:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread), ctypes.py_object(OverBudget))
