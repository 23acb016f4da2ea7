"""A worker's end of the process that materializes: its start, what it tells, its end. Imports no Feast."""

import asyncio
import contextlib
import logging
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson

from service.materialization.job import Job

logger = logging.getLogger(__name__)

MODULE = "service.materialization.process"
# The first line names all views with their times: some 150 bytes each.
LONGEST_LINE = 16 * 1024 * 1024
# What it may take to end once it is asked to; well under FEATURE_SERVICE_SHUTDOWN_GRACE_SECONDS.
END_SECONDS = 5.0


class Child:
    """One process, which does one job."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.pid = process.pid
        self.ended = asyncio.create_task(process.wait())

    @classmethod
    async def start(cls, repo: Path, job: Job) -> "Child":
        """Start it and give it the job; raises OSError where there is no process to be had."""
        # In the worker's session, which no terminal has: Linux weighs sessions against each other before it looks at what
        # a process says of itself (sched(7), autogroup), and this one is to yield to the worker. Its stdin stays open, and
        # ends when the worker does, and the process with it.
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", MODULE, "--repo", str(repo),
            stdin=PIPE, stdout=PIPE, limit=LONGEST_LINE,
        )  # fmt: skip
        child = cls(process)
        assert process.stdin is not None  # noqa: S101 - it is a pipe, as was asked for
        process.stdin.write(orjson.dumps(job.to_json()) + b"\n")
        with contextlib.suppress(ConnectionError):  # it has ended already, and its exit code will say so
            await process.stdin.drain()
        return child

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """What it tells, until it ends."""
        assert self._process.stdout is not None  # noqa: S101 - as above
        async for line in self._process.stdout:
            try:
                yield orjson.loads(line)
            except orjson.JSONDecodeError:
                logger.warning("The materialization process (%d) said what isn't JSON: %r", self.pid, line[:200])

    async def see_off(self, told_all: bool) -> int:
        """Its exit code, once it has ended: by itself if it has told all, or else by a signal."""
        if told_all:
            await asyncio.wait((self.ended,), timeout=END_SECONDS)
        if not self.ended.done():
            await self.end()
        return await self.ended

    async def end(self) -> None:
        """Ask it to end, kill it if it doesn't, and see it gone."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        await asyncio.wait((self.ended,), timeout=END_SECONDS)
        if not self.ended.done():
            logger.error("The materialization process (%d) doesn't end and is killed.", self.pid)
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        await self.ended
