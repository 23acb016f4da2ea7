"""`feature-service serve` as a child process: its address, its processes, its log, its end."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pipelines.local.process import die_with_parent

from .waiting import wait_until

# Feast's imports take five seconds on a free core, and cores are seldom free.
READY_SECONDS = 60.0
LISTENING_SECONDS = 20.0
STOP_SECONDS = 30.0
REQUEST_SECONDS = 10.0

_LISTENING = re.compile(rb"^Listening on (http://\S+);", re.MULTILINE)
# A sample of Prometheus's text format: name, labels, value.
_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)


class ServiceEnded(Exception):
    """The service ended where it should have gone on; the message holds what it printed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an HTTP request got."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body's JSON."""
        return json.loads(self.body)


class ServiceProcess:
    """One `feature-service serve`, on a free port unless told otherwise. A context manager: it starts and stops.

    Several can be started before the first is waited for, so that their imports overlap.
    """

    def __init__(
        self,
        repo: Path,
        *,
        workers: int = 1,
        port: int = 0,
        environment: Mapping[str, str] | None = None,
        log: Path | None = None,
        expectations: Path | None = None,
    ) -> None:
        """`repo` is a folder or a yaml file, `expectations` a GX project; the log lies beside `repo`, or where `log` says."""
        folder = repo if repo.is_dir() else repo.parent
        self.repo = repo
        self.workers = workers
        self.log_file = log or folder / f"service-{id(self):x}.log"
        self._port = port
        self._expectations = expectations
        self._environment = {**os.environ, **(environment or {})}
        self._child: subprocess.Popen[bytes] | None = None
        self._url: str | None = None

    def __enter__(self) -> Self:
        """Start it and wait until it is ready."""
        self.start()
        try:
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop it."""
        self.stop()

    def start(self) -> Self:
        """Spawn it; it dies with this process. Doesn't wait for anything."""
        command = [str(Path(sys.executable).with_name("feature-service")), "serve", "--repo", str(self.repo)]
        command += ["--port", str(self._port), "--workers", str(self.workers)]
        if self._expectations is not None:
            command += ["--expectations", str(self._expectations)]
        with self.log_file.open("wb") as log:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                preexec_fn=die_with_parent(),
            )
        return self

    @property
    def _process(self) -> "subprocess.Popen[bytes]":
        assert self._child is not None, "the service hasn't been started"
        return self._child

    @property
    def pid(self) -> int:
        """The supervisor's process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative is the signal that killed it, as subprocess has it."""
        return self._process.poll()

    @property
    def log(self) -> str:
        """All that its processes have printed, both streams."""
        return self.log_file.read_text(errors="replace")

    @property
    def url(self) -> str:
        """Where it listens, as it says itself; waits for it to say so."""
        if self._url is None:
            self._url = self._wait_for(self._listening, "its address", LISTENING_SECONDS)
        return self._url

    @property
    def port(self) -> int:
        """The port of `url`."""
        return int(self.url.rpartition(":")[2])

    @property
    def worker_pids(self) -> list[int]:
        """Process ids of the workers that run now."""
        return _children(self.pid, "service.worker")

    @property
    def definitions_pid(self) -> int | None:
        """Process id of the one that reads the registry; None while there is none."""
        return next(iter(_children(self.pid, "service.catalog.process")), None)

    def wait_ready(self, seconds: float = READY_SECONDS) -> Self:
        """Return once every worker has a catalog and its connections to Redis; ServiceEnded if it ends before."""
        self._wait_for(self._all_ready, "that it is ready", seconds)
        return self

    def wait_ended(self, seconds: float = STOP_SECONDS) -> int:
        """The exit code, once it has ended; subprocess.TimeoutExpired if it doesn't."""
        return self._process.wait(seconds)

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the supervisor."""
        self._process.send_signal(number)

    def stop(self) -> None:
        """End it by SIGTERM, by SIGKILL when that takes too long; harmless when it has ended, or never began."""
        if self._child is None or self._child.poll() is not None:
            return
        self._child.terminate()
        try:
            self._child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the supervisor by SIGKILL; its children end by themselves."""
        self._process.kill()
        self._process.wait()

    def get(self, path: str) -> Answer:
        """Answer to a GET on a connection of its own, whatever its status."""
        return self._request(urllib.request.Request(self.url + path))  # noqa: S310 - http, by the service's own word

    def post(self, path: str, body: Any = None) -> Answer:
        """Answer to a POST of a JSON body on a connection of its own, whatever its status."""
        data = json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        return self._request(urllib.request.Request(self.url + path, data, headers, method="POST"))  # noqa: S310

    def read(self, body: Any) -> Answer:
        """Answer to a POST to /get-online-features."""
        return self.post("/get-online-features", body)

    def metric(self, name: str, **labels: str) -> float:
        """The sum of all samples of a metric that have these labels; its name without the service's prefix."""
        return sample_sum(self.get("/metrics").body.decode(), name, **labels)

    def _request(self, request: urllib.request.Request) -> Answer:
        try:
            with urllib.request.urlopen(request, timeout=REQUEST_SECONDS) as answer:  # noqa: S310
                return Answer(answer.status, dict(answer.headers.items()), answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers.items()), error.read())

    def _listening(self) -> str | None:
        found = _LISTENING.search(self.log_file.read_bytes())
        return found[1].decode() if found else None

    def _all_ready(self) -> bool:
        # /health/ready speaks for the worker that happens to answer; the pages of metrics speak for all.
        try:
            page = self.get("/metrics").body.decode() if self.get("/health/ready").status == 200 else ""
        except OSError:
            return False
        connected = {
            labels["purpose"]: value for name, labels, value in samples(page) if name == "feature_service_redis_connections"
        }
        reads = int(self._environment.get("FEATURE_SERVICE_REDIS_CONNECTIONS", "2"))
        return connected == {"reads": self.workers * reads, "writes": self.workers}

    def _wait_for(self, ask: Any, what: str, seconds: float) -> Any:
        def ask_the_living() -> Any:
            answer = ask()
            if not answer and self.exit_code is not None:
                raise ServiceEnded(f"The service ended with {self.exit_code} instead; it printed:\n{self.log}")
            return answer

        try:
            return wait_until(ask_the_living, what, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; it printed:\n{self.log}") from None


def samples(page: str) -> Iterator[tuple[str, dict[str, str], float]]:
    """Name, labels and value of every sample on a page of metrics."""
    for name, labels, value in _SAMPLE.findall(page):
        yield name, dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels)), float(value)


def sample_sum(page: str, name: str, **labels: str) -> float:
    """The sum of the samples of one metric that have these labels; its name without the service's prefix."""
    return sum(
        value
        for found, its_labels, value in samples(page)
        if found == f"feature_service_{name}" and labels.items() <= its_labels.items()
    )


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and isn't waited for doesn't."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _children(parent: int, module: str) -> list[int]:
    """The living children of a process that run a Python module."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:  # it has just ended
            continue
        if int(fields[1]) == parent and fields[0] != "Z" and module.encode() in words:
            found.append(int(folder.name))
    return sorted(found)
