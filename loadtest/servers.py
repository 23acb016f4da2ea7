"""The two servers as child processes: their commands, their start to the first answer, one request, their end."""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from loadtest import procstat
from loadtest.errors import ServerFailedError
from loadtest.scenario import Scenario
from pipelines.local.process import die_with_parent
from pipelines.local.redis import free_port

HOST = "127.0.0.1"
POLL_SECONDS = 0.02  # how exactly the start to the first answer is known
START_SECONDS = 120.0
STOP_SECONDS = 15.0
REPLY_SECONDS = 30.0
LOG_CHARACTERS = 2000
SETTLE_SECONDS, SETTLE_POLLS = 0.2, 50
SETTLED_PART = 0.1  # of a core: two of the kernel's ticks, since both servers do a little in the background


class Kind(StrEnum):
    """Which server."""

    STOCK = "stock"
    OURS = "ours"


@dataclass(frozen=True, slots=True)
class Site:
    """A Feast repository that is applied and filled: its folder, its configuration, variables this reads, its Redis.

    `expectations` is the folder of the suites that its push sources name; None where none does. Stock validates nothing.
    """

    folder: Path
    config: Path
    environment: Mapping[str, str]
    redis_pid: int
    expectations: Path | None = None


def command(kind: Kind, site: Site, port: int) -> list[str]:
    """Return the command that serves a site on 127.0.0.1 with one worker, no access log and no recycling of workers."""
    programs = Path(sys.executable).parent
    if kind is Kind.STOCK:
        stock = [str(programs / "feast"), "-c", str(site.folder), "-f", str(site.config), "serve"]
        return [*stock, "-p", str(port), "--workers", "1", "--no-access-log", "--max-requests", "0"]
    ours = [str(programs / "feature-service"), "serve", "--repo", str(site.config)]
    if site.expectations:
        ours += ["--expectations", str(site.expectations)]
    return [*ours, "--port", str(port), "--workers", "1"]


@dataclass(slots=True)
class Server:
    """A running server. `start_seconds` is from the start of its process to its first answer with features."""

    kind: Kind
    port: int
    process: subprocess.Popen[bytes]
    log: Path
    start_seconds: float = 0.0

    @property
    def usage(self) -> procstat.Tree:
        """CPU time and memory of all its processes, now."""
        return procstat.tree(self.process.pid)

    def ask(self, scenario: Scenario, body: bytes) -> bytes:
        """Return the body of a 2xx answer to one request; ServerFailedError for any other, OSError for none at all."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=REPLY_SECONDS)
        try:
            connection.request(scenario.method, scenario.path, body, dict(scenario.headers))
            answer = connection.getresponse()
            said = answer.read()
        except http.client.HTTPException as error:
            raise ServerFailedError(f"{self.kind} does not speak HTTP: {error!r}\n{self.log_end()}") from error
        finally:
            connection.close()
        if answer.status // 100 != 2:
            raise ServerFailedError(f"{self.kind} answers {answer.status}: {said[:500]!r}\n{self.log_end()}")
        return said

    def settle(self) -> procstat.Tree:
        """Wait, at most 10 s, until it does next to nothing, and return its usage: what it was asked is then done."""
        usage = self.usage
        for _ in range(SETTLE_POLLS):
            time.sleep(SETTLE_SECONDS)
            earlier, usage = usage, self.usage
            if usage.cpu_us - earlier.cpu_us <= SETTLED_PART * SETTLE_SECONDS * 1e6:
                break
        return usage

    def log_end(self) -> str:
        """Return the end of what it printed."""
        return self.log.read_text(errors="replace")[-LOG_CHARACTERS:]

    def check_alive(self) -> None:
        """Raise ServerFailedError when its process has ended."""
        if self.process.poll() is not None:
            raise ServerFailedError(f"{self.kind} ended with {self.process.returncode}:\n{self.log_end()}")

    def stop(self) -> None:
        """End it by SIGTERM, after 15 s by SIGKILL to its whole process group."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


@contextmanager
def serving(kind: Kind, site: Site, first: Scenario, pin: Sequence[str], logs: Path) -> Iterator[Server]:
    """Serve a site on a free port until the block ends; the block begins once the first request is answered.

    `pin` goes before the command (taskset); ServerFailedError when there is no answer within 120 s.
    """
    port = free_port()
    log = logs / f"{kind}-{port}.log"
    began = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*pin, *command(kind, site, port)],
            cwd=site.folder,
            env={**os.environ, **site.environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # the terminal's Ctrl-C is ours: it is stopped in order
            preexec_fn=die_with_parent(),
        )
    server = Server(kind, port, process, log)
    try:
        _wait_for_first_answer(server, first, began)
        yield server
    finally:
        server.stop()


def _wait_for_first_answer(server: Server, first: Scenario, began: float) -> None:
    refused = "it does not listen"
    while time.monotonic() < began + START_SECONDS:
        server.check_alive()
        try:
            server.ask(first, first.bodies[0])
        except (OSError, ServerFailedError) as error:
            refused = str(error)
            time.sleep(POLL_SECONDS)
        else:
            server.start_seconds = time.monotonic() - began
            return
    raise ServerFailedError(f"{server.kind} gives no answer after {START_SECONDS:.0f} s: {refused}\n{server.log_end()}")
