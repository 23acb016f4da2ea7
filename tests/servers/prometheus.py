"""Debian's Prometheus, scraping what a test runs."""

import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import yaml

from pipelines.local.redis import HOST, free_port

from .child import ServerProcess
from .waiting import is_ok

READY_SECONDS = 30.0
SCRAPE_SECONDS = 1


def missing() -> str | None:
    """What there isn't, to run it; None if all is there."""
    absent = [program for program in ("prometheus", "promtool") if shutil.which(program) is None]
    return f"not installed: {', '.join(absent)} (apt install prometheus)" if absent else None


class Prometheus:
    """Scrapes one address each second, as the job that the rules are written for. A context manager."""

    def __init__(self, folder: Path, target: str, job: str) -> None:
        """Nothing runs before it is entered; `target` is a URL, `folder` is for what it keeps."""
        self._folder = folder
        self._config = {
            "global": {"scrape_interval": f"{SCRAPE_SECONDS}s", "evaluation_interval": f"{SCRAPE_SECONDS}s"},
            "scrape_configs": [{"job_name": job, "static_configs": [{"targets": [urlsplit(target).netloc]}]}],
        }
        self._address = f"{HOST}:{free_port()}"
        self._process: ServerProcess | None = None

    def __enter__(self) -> Self:
        """Start it, and wait until it answers."""
        config = self._folder / "prometheus.yml"
        config.write_text(yaml.safe_dump(self._config))
        command = [
            "prometheus", f"--config.file={config}", f"--storage.tsdb.path={self._folder / 'data'}",
            f"--web.listen-address={self._address}",
        ]  # fmt: skip
        self._process = ServerProcess(command, self._folder / "prometheus.log", dict(os.environ))
        self._process.wait_until(lambda: is_ok(f"http://{self._address}/-/ready"), READY_SECONDS)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End it."""
        if self._process is not None:
            self._process.end()

    def query(self, expression: str) -> list[dict[str, Any]]:
        """What an expression gives now; AssertionError with Prometheus's words where it isn't one."""
        answer = httpx.get(f"http://{self._address}/api/v1/query", params={"query": expression}).json()
        assert answer["status"] == "success", f"{expression}: {answer}"
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found
