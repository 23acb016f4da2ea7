"""A worker's end of one GX process: its start, requests and answers, its end."""

import asyncio
import contextlib
import socket
import sys
from asyncio.subprocess import PIPE, Process
from typing import Any

from service.errors import ValidationUnavailable
from service.suites.gx_messages import LENGTH, checked_length, parse_answer

MODULE = "service.suites.gx_process"
NOT_STARTED = "Great Expectations couldn't be started"


class GxConnection:
    """One process that is ready for requests, and the socket to it."""

    def __init__(self, process: Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self.pid = process.pid
        # Done when the process has ended.
        self.ended = asyncio.create_task(process.wait())

    @classmethod
    async def start(cls, seconds: float) -> "GxConnection":
        """Start a process, and wait until it is ready; raises ValidationUnavailable."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            with theirs:
                process = await _spawn(theirs.fileno())
            started = cls(process, *await asyncio.open_unix_connection(sock=ours))
        except OSError as error:
            ours.close()
            raise ValidationUnavailable(f"{NOT_STARTED}: {error}.") from error
        except BaseException:
            ours.close()
            raise
        try:
            async with asyncio.timeout(seconds):
                await started._receive()
        except TimeoutError:
            await started.kill()
            raise ValidationUnavailable(f"{NOT_STARTED} within {seconds:g} s.") from None
        except (OSError, asyncio.IncompleteReadError):
            await started.kill()
            raise ValidationUnavailable(f"{NOT_STARTED}; the service's log says why.") from None
        except BaseException:
            await started.kill()
            raise
        return started

    async def ask(self, request: bytes) -> dict[str, Any]:
        """Send one request and wait for its answer; raises OSError or IncompleteReadError when the process has gone."""
        self._writer.write(request)
        await self._writer.drain()
        return await self._receive()

    async def _receive(self) -> dict[str, Any]:
        length = checked_length(await self._reader.readexactly(LENGTH.size))
        return parse_answer(await self._reader.readexactly(length))

    async def kill(self) -> None:
        """End it, whatever it does, and see it gone."""
        self._writer.close()
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self.ended


async def _spawn(descriptor: int) -> Process:
    # Its stdin is a pipe that nobody writes to: it ends when this process does, and the other with it.
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", MODULE, str(descriptor), stdin=PIPE, pass_fds=[descriptor], start_new_session=True
    )
