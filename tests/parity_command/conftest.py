"""The sample repository as `make serve` serves it, and a small one with every kind of view: each with a service that runs."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.local.layout import EXPECTATIONS_DIR, REPO_DIR
from pipelines.local.prepare import prepare
from pipelines.local.redis import EmbeddedRedis
from service.cli import main
from tests.servers.service_process import ServiceProcess

from .market import Market, open_market


@dataclass(frozen=True)
class Served:
    """A repository, and the service that serves it."""

    config: Path
    environment: Mapping[str, str]
    service: ServiceProcess


@dataclass(frozen=True)
class Sites:
    """Both, started together, since most of the time is Feast's imports."""

    sample: Served
    market: Served
    repo: Market


def pytest_configure(config: pytest.Config) -> None:
    """Feast says so whenever one is applied."""
    config.addinivalue_line("filterwarnings", "ignore:On demand feature view is an experimental feature:RuntimeWarning")


@pytest.fixture(scope="session")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    """Both services, ready."""
    with ExitStack() as stack:
        redis = stack.enter_context(EmbeddedRedis(tmp_path_factory.mktemp("redis"), persist=False))
        # Beside what `prepare` waits for, which starts children and so has to be in the thread that goes on.
        pool = stack.enter_context(ThreadPoolExecutor(1))
        opening = pool.submit(open_market, tmp_path_factory.mktemp("market"), redis.connection_string)
        prepared = prepare(REPO_DIR, tmp_path_factory.mktemp("sample"))
        stack.callback(prepared.redis.stop)
        sample = ServiceProcess(
            prepared.config,
            environment=prepared.environment,
            log=tmp_path_factory.mktemp("log") / "service.log",
            expectations=EXPECTATIONS_DIR,
        )
        stack.callback(sample.stop)
        sample.start()
        opened = opening.result()
        market = ServiceProcess(opened.folder)
        stack.callback(market.stop)
        market.start()
        sample.wait_ready()
        market.wait_ready()
        yield Sites(Served(prepared.config, prepared.environment, sample), Served(opened.folder, {}, market), opened)


class Ran:
    """What the command printed, and how it ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    def __repr__(self) -> str:
        """Everything, for the report of a test that fails."""
        return f"exit code {self.code}\n{self.out}\n{self.err}"

    def counts(self, feature: str) -> list[int]:
        """The numbers of a feature's line: rows, equal, differing, only online, only offline, expired."""
        line = next(line for line in self.out.splitlines() if line.startswith(f"{feature} "))
        return [int(number.replace(",", "")) for number in line.split()[1:]]


Parity = Callable[..., Ran]


@pytest.fixture
def parity(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Parity:
    """Run `feature-service parity` in this process, which has Feast's imports behind it."""

    def run(served: Served, *arguments: str, url: str | None = None) -> Ran:
        for name, value in served.environment.items():
            monkeypatch.setenv(name, value)
        code = main(["parity", "--repo", str(served.config), "--url", url or served.service.url, *arguments])
        printed = capsys.readouterr()
        return Ran(code, printed.out, printed.err)

    return run
