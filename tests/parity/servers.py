"""The two servers that are compared: stock Feast's in this process, and ours as a child process over HTTP."""

import contextlib
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from feast import FeatureStore
from feast.feature_server import get_app

from pipelines.local.process import die_with_parent
from pipelines.local.redis import free_port

from .compare import Answer
from .world import World

with warnings.catch_warnings():  # Starlette would rather have httpx2
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

HOST = "127.0.0.1"
READY_SECONDS = 60.0  # Feast's imports take five seconds on a free core, and cores are seldom free
STOP_SECONDS = 30.0
POLL_SECONDS = 0.05
READ_PATH = "/get-online-features"


class StockServer:
    """Feast's own feature server, called without a network; errors come as answers."""

    def __init__(self, store: FeatureStore) -> None:
        """The registry is read once: a timer that reads it again would only add noise."""
        self._client = TestClient(get_app(store, registry_ttl_sec=0), raise_server_exceptions=False)

    def __enter__(self) -> Self:
        """Start the app's lifespan."""
        self._client.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        """End it."""
        self._client.__exit__(*error)

    def read(self, body: Mapping[str, Any]) -> httpx.Response:
        """Answer to a POST of the body."""
        return self.post(READ_PATH, body)

    def post(self, path: str, body: Mapping[str, Any]) -> httpx.Response:
        """Answer to a POST of the body to any path."""
        return self._client.post(path, json=body)


class OurServer:
    """`feature-service serve` for one repository, on a free port, with one worker."""

    def __init__(self, repo: Path, environment: Mapping[str, str] | None = None) -> None:
        """Start the process; `wait` or the context manager waits until it serves."""
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        self._log = repo / f"service-{self.port}.log"
        command = [str(Path(sys.executable).with_name("feature-service")), "serve", "--repo", str(repo)]
        command += ["--host", HOST, "--port", str(self.port), "--workers", "1"]
        with self._log.open("wb") as log:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                preexec_fn=die_with_parent(),
            )
        self.client = httpx.Client(base_url=self.url, timeout=10.0)

    def __enter__(self) -> Self:
        """Wait until it serves; stop it when it doesn't."""
        try:
            self.wait()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop it."""
        self.stop()

    def wait(self) -> None:
        """Return once /health/ready says 200; RuntimeError with what it printed when it ends or takes too long."""
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and self._child.poll() is None:
            with contextlib.suppress(httpx.TransportError):
                if self.client.get("/health/ready").status_code == httpx.codes.OK:
                    return
            time.sleep(POLL_SECONDS)
        state = "is not ready" if self._child.poll() is None else f"ended with {self._child.returncode}"
        raise RuntimeError(f"feature-service {state} after {READY_SECONDS:g} s or less; it printed:\n{self.output}")

    def stop(self) -> None:
        """End it by SIGTERM, by SIGKILL when that takes too long."""
        self.client.close()
        self._child.terminate()
        try:
            self._child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    @property
    def output(self) -> str:
        """All that it has printed."""
        return self._log.read_text(errors="replace")

    def read(self, body: Mapping[str, Any]) -> httpx.Response:
        """Answer to a POST of the body."""
        return self.client.post(READ_PATH, json=body)


@dataclass(frozen=True, repr=False)
class Sides:
    """One world, served by both."""

    world: World
    stock: StockServer
    ours: OurServer

    def answers(self, body: Mapping[str, Any]) -> tuple[Answer, Answer]:
        """Stock's and our answer to a body that both must serve."""
        theirs, mine = self.stock.read(body), self.ours.read(body)
        assert theirs.status_code == httpx.codes.OK, f"stock refuses {body}: {theirs.text}"
        assert mine.status_code == httpx.codes.OK, f"we refuse {body}: {mine.text}"
        return Answer(theirs.json()), Answer(mine.json())

    def answer(self, body: Mapping[str, Any]) -> Answer:
        """Our answer to a body that stock may not be able to serve."""
        response = self.ours.read(body)
        assert response.status_code == httpx.codes.OK, f"we refuse {body}: {response.text}"
        return Answer(response.json())
