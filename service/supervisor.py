"""The parent of all: opens the port, runs the workers and the processes behind them, replaces whichever dies."""

import asyncio
import contextlib
import logging
import shutil
import signal
import socket
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from service.errors import EX_CONFIG, ConfigurationError

logger = logging.getLogger(__name__)

BACKLOG = 2048
# A process that dies sooner than this after its start is restarted more and more slowly.
SETTLED_SECONDS = 5.0
FIRST_RESTART_SECONDS = 0.1
LONGEST_RESTART_SECONDS = 5.0
# What the workers may take beyond their own grace period before they are killed.
KILL_MARGIN_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Child:
    """What is run, and what it is called in the log. `first_arguments` are for its first start only."""

    name: str
    arguments: tuple[str, ...]
    listener: socket.socket | None = None
    first_arguments: tuple[str, ...] = ()


def open_listener(host: str, port: int) -> socket.socket:
    """The listening socket that all workers share; port 0 takes a free one. Raises ConfigurationError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"Can't listen on {host} port {port}: {error.strerror}. Stop what holds it, or choose another with --port."
        ) from error
    return listener


class Supervisor:
    """Runs until SIGTERM or SIGINT, or until the configuration turns out to be wrong."""

    def __init__(
        self, repo: Path, listener: socket.socket, workers: int, grace_seconds: float, expectations: Path | None = None
    ) -> None:
        """`expectations` is the folder of a GX project, `grace_seconds` what running requests may take after SIGTERM."""
        self._repo = repo
        self._expectations = expectations
        self._listener = listener
        self._workers = workers
        self._grace = grace_seconds
        self._stop = asyncio.Event()
        self._workers_ended = asyncio.Event()
        self._exit_code = 0

    async def run(self) -> int:
        """Supervise; gives the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        folder = Path(tempfile.mkdtemp(prefix="feature-service-"))
        try:
            behind, workers = self._children(folder)
            serving = [asyncio.create_task(self._keep(child, self._workers_ended)) for child in behind]
            working = [asyncio.create_task(self._keep(worker, self._stop)) for worker in workers]
            await self._stop.wait()
            self._listener.close()
            await asyncio.gather(*working)
            self._workers_ended.set()
            await asyncio.gather(*serving)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return self._exit_code

    def _children(self, folder: Path) -> tuple[list[Child], list[Child]]:
        socket_path, metrics = str(folder / "definitions.sock"), str(folder / "metrics")
        repo = str(self._repo)
        reader = ("-m", "service.catalog.process", "--repo", repo, "--socket", socket_path, "--metrics", metrics)
        writer = ("-m", "service.offline.process", "--repo", repo, "--definitions", socket_path, "--metrics", metrics)
        listen = str(self._listener.fileno())
        worker = ["-m", "service.worker", "--listen", listen, "--definitions", socket_path, "--metrics", metrics]
        worker += ["--repo", repo]
        if self._expectations is not None:
            worker += ["--expectations", str(self._expectations)]
        # What is wrong with validation ends the whole service when it starts; later it mustn't, since reads go on.
        names = [f"worker {number}" for number in range(1, self._workers + 1)]
        workers = [Child(name, tuple(worker), self._listener, ("--strict",)) for name in names]
        return [Child("definitions", reader), Child("offline", writer)], workers

    async def _keep(self, child: Child, stop: asyncio.Event) -> None:
        """Keep one process running until `stop`, then end it."""
        delay = 0.0
        stopping = asyncio.create_task(stop.wait())
        more = child.first_arguments
        while not stop.is_set():
            started = time.monotonic()
            process = await self._start(child, more)
            more = ()
            ended = asyncio.create_task(process.wait())
            await asyncio.wait((ended, stopping), return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                await self._end(child, process, ended)
                return
            if process.returncode == EX_CONFIG:
                self._exit_code = EX_CONFIG
                self._stop.set()
                return
            if stop.is_set():
                return
            settled = time.monotonic() - started > SETTLED_SECONDS
            delay = 0.0 if settled else min(LONGEST_RESTART_SECONDS, delay * 2 or FIRST_RESTART_SECONDS)
            logger.error("The %s process ended with code %s; another is started.", child.name, process.returncode)
            await asyncio.wait((stopping,), timeout=delay)

    async def _start(self, child: Child, more: Sequence[str]) -> Process:
        # A session of its own, so that Ctrl-C reaches the supervisor alone and the workers end in order. Its stdin is a
        # pipe that nobody writes to: it ends when the supervisor dies (service.lifeline).
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *child.arguments,
            *more,
            stdin=PIPE,
            pass_fds=[child.listener.fileno()] if child.listener else [],
            start_new_session=True,
        )

    async def _end(self, child: Child, process: Process, ended: "asyncio.Task[int]") -> None:
        """Ask a process to end, and kill it if it hasn't within the grace period."""
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await asyncio.wait((ended,), timeout=self._grace + KILL_MARGIN_SECONDS)
        if not ended.done():
            logger.error("The %s process (%d) didn't end in time and is killed.", child.name, process.pid)
            process.kill()
            await ended
