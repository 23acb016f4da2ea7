"""The folder of suites as the service sees it: compiled when it starts, and again when a file changes.

A suite is never lost on the way: what can't be read or compiled any more, or is gone, leaves the suite that was in force
where it is, and is reported until it is mended.
"""

import asyncio
import json
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from service.errors import ConfigurationError, Unavailable
from service.metrics import Metrics
from service.suites.compiler import compile_suite
from service.suites.suite import Suite

logger = logging.getLogger(__name__)

# Where a GX project keeps its suites: expectations_store in great_expectations.yml.
SUITES_FOLDER = "suites"
REFRESH_SECONDS = 1.0
# A file may change twice within one tick of the file system's clock: as long as its time is this close, its content counts.
UNSETTLED_NANOSECONDS = 2_000_000_000
GONE = "its file is gone"

# Why GX can't evaluate some expectations of a suite's document, a sentence each: service.suites.gx_pool.GxPool.check.
Check = Callable[[Mapping[str, Any]], Awaitable[list[str]]]


class _File(NamedTuple):
    """What was read, and by what to tell that it is still the same; None says that it has to be read again."""

    stamp: tuple[int, ...] | None
    content: bytes


class SuiteRepository:
    """All suites of a GX project. `suites` and `failures` are replaced by one assignment each; a request takes a suite once."""

    def __init__(self, project: Path, metrics: Metrics, check: Check | None = None, strict: bool = True) -> None:
        """Read and compile all suites in the project's folder; `check` is asked about those that aren't compiled whole.

        Raises ConfigurationError, which names each file that can't be used and says why; unless `strict` is False: then such a
        suite isn't in force, and is reported until its file is mended.
        """
        self._folder = project / SUITES_FOLDER
        self._metrics = metrics
        self._check = check
        self._files: dict[str, _File] = {}
        self._task: asyncio.Task[None] | None = None
        self._refreshing = asyncio.Lock()
        self._strict = strict
        suites, reasons = self._load()
        if reasons and strict:
            raise ConfigurationError("\n".join(reasons.values()))
        self.suites: Mapping[str, Suite] = MappingProxyType(suites)
        # Of each suite whose file can't be used now, the reason.
        self.failures: Mapping[str, str] = MappingProxyType(reasons)

    def _load(self) -> tuple[dict[str, Suite], dict[str, str]]:
        if not self._folder.is_dir():
            raise ConfigurationError(f"There is no folder of suites at {self._folder}.")
        suites: dict[str, Suite] = {}
        reasons: dict[str, str] = {}
        for name, path in self._paths().items():
            try:
                self._files[name] = _read(path)
                suites[name] = _compile(path, self._files[name].content)
            except OSError as error:
                reasons[name] = f"{path} can't be read: {error.strerror}."
            except ConfigurationError as error:
                reasons[name] = str(error)
            self._metrics.set("suite_load_failures", name in reasons, name)
        return suites, reasons

    @property
    def names(self) -> list[str]:
        """The names of all suites in force."""
        return sorted(self.suites)

    @property
    def falls_back(self) -> bool:
        """Whether any suite has expectations that GX itself has to evaluate."""
        return any(_falls_back(suite) for suite in self.suites.values())

    def get(self, name: str) -> Suite | None:
        """A suite by its name."""
        return self.suites.get(name)

    async def start(self) -> None:
        """Ask GX about what isn't compiled, then look after the files in the background.

        Raises ConfigurationError if GX can't evaluate a suite, and what `check` raises if it can't be asked; unless not strict.
        """
        if self._strict:
            reasons = [reason for suite in self.suites.values() for reason in await self._refusals(suite)]
            if reasons:
                raise ConfigurationError("\n".join(reasons))
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop looking after the files."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            await self.refresh()

    async def refresh(self) -> None:
        """Look at the files now, and put in place what has changed; a failure is reported, not raised."""
        async with self._refreshing:
            outcomes = await asyncio.to_thread(self._changes)
            for name, outcome in outcomes.items():
                if isinstance(outcome, Suite):
                    outcomes[name] = await self._checked(name, outcome)
            if outcomes:
                self._swap(outcomes)

    def _changes(self) -> dict[str, Suite | str]:
        """Of each suite whose file is new, gone or not what it was: the new suite, or why there is none. Runs in a thread."""
        paths = self._paths()
        outcomes: dict[str, Suite | str] = {}
        for name, path in paths.items():
            outcome = self._look_at(name, path)
            if outcome is not None:
                outcomes[name] = outcome
        for name in self._files.keys() - paths.keys():
            self._look_again_at(name)
            outcomes[name] = GONE
        return outcomes

    def _look_at(self, name: str, path: Path) -> Suite | str | None:
        before = self._files.get(name)
        try:
            if before is not None and before.stamp is not None and before.stamp == _stamp(path.stat()):
                return None
            file = self._files[name] = _read(path)
            if before is not None and before.content == file.content and name not in self.failures:
                return None
            return _compile(path, file.content)
        except OSError as error:
            self._look_again_at(name)
            return f"{path} can't be read: {error.strerror}."
        except ConfigurationError as error:
            return str(error)
        except Exception as error:
            logger.exception("%s can't be compiled.", path)
            return f"{path} can't be compiled: {type(error).__name__}: {error}."

    def _look_again_at(self, name: str) -> None:
        """Have a file read the next time, even if nothing tells that it changed: access to it may come back."""
        if name in self._files:
            self._files[name] = self._files[name]._replace(stamp=None)

    async def _checked(self, name: str, suite: Suite) -> Suite | str:
        try:
            reasons = await self._refusals(suite)
        except Unavailable as error:
            self._look_again_at(name)
            return f"{self._folder / name}.json can't be checked: {error}"
        return " ".join(reasons) or suite

    async def _refusals(self, suite: Suite) -> list[str]:
        if self._check is None or not _falls_back(suite):
            return []
        return [f"{self._folder / suite.name}.json: {reason}" for reason in await self._check(suite.document)]

    def _swap(self, outcomes: Mapping[str, Suite | str]) -> None:
        suites, failures = dict(self.suites), dict(self.failures)
        for name, outcome in outcomes.items():
            self._metrics.set("suite_load_failures", isinstance(outcome, str), name)
            if isinstance(outcome, str):
                if failures.get(name) != outcome:
                    logger.error("Suite %s %s: %s", name, "stays as it was" if name in suites else "isn't in force", outcome)
                failures[name] = outcome
            else:
                failures.pop(name, None)
                suites[name] = outcome
                self._metrics.count("suite_swaps", name)
                logger.info("Suite %s in place: %d expectations.", name, len(outcome.expectations))
        self.suites, self.failures = MappingProxyType(suites), MappingProxyType(failures)

    def _paths(self) -> dict[str, Path]:
        return {path.stem: path for path in sorted(self._folder.glob("*.json"))}


def _falls_back(suite: Suite) -> bool:
    return not all(expectation.compiled for expectation in suite.expectations)


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    return status.st_mtime_ns, status.st_size, status.st_ino


def _read(path: Path) -> _File:
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        settled = time.time_ns() - status.st_mtime_ns > UNSETTLED_NANOSECONDS
        return _File(_stamp(status) if settled else None, file.read())


def _compile(path: Path, content: bytes) -> Suite:
    """The suite in a file; raises ConfigurationError, which names the file."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path} isn't JSON: {error}.") from error
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path} isn't a suite: it holds {type(document).__name__} instead of an object.")
    suite = compile_suite(document, str(path))
    if suite.name != path.stem:
        raise ConfigurationError(f"{path} holds the suite {suite.name!r}: a suite lies in a file that is named after it.")
    return suite
