"""The commands of docs/migration.md, against stock's server and ours over one Redis."""

import re
import runpy
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
import yaml
from feast import FeatureStore
from feast.feature_server import get_app

from service.metrics.definitions import DEFINITIONS
from tests.servers.waiting import wait_until

from .kiosk import FEASTS, OURS, PROJECT, Kiosk, row, stock_store
from .page import ROOT

PAGE = ROOT / "docs/migration.md"
_FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
# What the page says of the sample repository, and what it is here.
HERE = {
    "fraud_model_v1": "model",
    "customer_push_source": "visits_push",
    "customer_features": PROJECT,
    "range(1000, 12000)": "range(0, 20)",
    "range(100)": "range(5)",
    "1001": "1",
    "1002": "99",
}


def blocks(language: str) -> list[str]:
    """The page's blocks in a language, with this registry's names."""
    found = []
    for indent, kind, text in _FENCE.findall(PAGE.read_text()):
        if kind == language:
            lines = re.sub(f"^{indent}", "", text, flags=re.MULTILINE)
            for there, here in HERE.items():
                lines = lines.replace(there, here)
            found.append(lines)
    return found


# All but the start, and a question to the process for offline pushes, which isn't there.
COMMANDS = [block for block in blocks("bash") if "feature-service serve" not in block and "offline" not in block]


@contextmanager
def listening(store: FeatureStore) -> Iterator[int]:
    """Stock's server on a port, in a thread."""
    server = uvicorn.Server(uvicorn.Config(get_app(store, registry_ttl_sec=0), port=0, log_level="critical"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started, "that stock has started")
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def run(kiosk: Kiosk, tmp_path: Path) -> Iterator["Runner"]:
    """Runs a block of the page."""
    online = {"type": "redis", "connection_string": f"{kiosk.redis.host}:{kiosk.redis.port},db={OURS}"}
    with listening(stock_store(kiosk.world, online)) as port:
        yield Runner(port, kiosk, tmp_path)


class Runner:
    """Where the page's addresses are here, and a folder to run in."""

    def __init__(self, stock: int, kiosk: Kiosk, folder: Path) -> None:
        self._ports = {":6566": f":{stock}", ":6567": f":{kiosk.ours.port}"}
        self.folder = folder

    def __call__(self, command: list[str], text: str) -> str:
        """What it prints; it must end well."""
        for there, here in self._ports.items():
            text = text.replace(there, here)
        done = subprocess.run([*command, text], capture_output=True, text=True, cwd=self.folder, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


def test_the_comparison_finds_nothing(run: Runner) -> None:
    """Where both read the same Redis; and it counts statuses."""
    (script,) = (block for block in blocks("python") if "differences" in block)
    printed = run([sys.executable, "-c"], script)
    assert printed.startswith("0 differences; statuses here: {")
    assert "NOT_FOUND" in printed
    assert "OUTSIDE_MAX_AGE" in printed


def test_the_comparison_finds_what_differs(run: Runner, kiosk: Kiosk) -> None:
    """Where it compares with a server whose Redis has other rows."""
    kiosk.ours.client.post("/push", json={"push_source_name": "visits_push", "df": row(count=[8])})
    (script,) = (block for block in blocks("python") if "differences" in block)
    online = {"type": "redis", "connection_string": f"{kiosk.redis.host}:{kiosk.redis.port},db={FEASTS}"}
    with listening(stock_store(kiosk.world, online)) as other:
        printed = run([sys.executable, "-c"], script.replace(":6566", f":{other}"))
    assert "values of visits__count is 7 there and 8 here" in printed


def test_the_metrics_that_are_to_be_watched(kiosk: Kiosk) -> None:
    """Those of the table and of the way back."""
    named = set(re.findall(r"`(\w+?)(?:_total)?(?:\{|`)", PAGE.read_text().partition("## 4.")[2].partition("## 5.")[0]))
    assert {"requests", "offline_oldest_seconds", "catalog_age_seconds"} <= named
    assert named <= {*DEFINITIONS, "catalog_age_seconds", "cache_ttl_seconds", "feature_service_"}
    assert {"offline_entries", "offline_dead_entries"} <= set(DEFINITIONS)


@pytest.mark.parametrize("text", [pytest.param(block, id=f"block {n}") for n, block in enumerate(COMMANDS)])
def test_the_commands_run(run: Runner, text: str) -> None:
    """curl's, with something to show; the last one keeps it in a file."""
    printed = run(["bash", "-euo", "pipefail", "-c"], text)
    assert printed


def test_the_sdk_reads_through_it(
    kiosk: Kiosk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the page's feature_store.yaml, but for this registry's places."""
    (text,) = blocks("yaml")
    configuration = yaml.safe_load(text)
    configuration["registry"]["path"] = f"sqlite:///{kiosk.world.repo / 'registry.db'}"
    configuration["online_store"]["path"] = kiosk.ours.url
    (tmp_path / "feature_store.yaml").write_text(yaml.safe_dump(configuration))
    (script,) = (block for block in blocks("python") if "FeatureStore" in block)
    (tmp_path / "read.py").write_text(script)
    monkeypatch.chdir(tmp_path)
    runpy.run_path("read.py")
    assert "Ada" in capsys.readouterr().out
