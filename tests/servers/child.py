"""A server program as a child process: started, waited for, ended; its log in the error when it doesn't come up."""

import contextlib
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pipelines.local.process import die_with_parent

POLL_SECONDS = 0.05
STOP_SECONDS = 20.0
LOG_LINES = 12


class ServerFailed(RuntimeError):
    """It didn't start, or ended where it should have gone on; the message holds the end of its log."""


class ServerProcess:
    """One child. It dies with the process that started it."""

    def __init__(
        self, command: Sequence[str | Path], log: Path, environment: Mapping[str, str], user: str | None = None
    ) -> None:
        """Start it, as another user of this machine if one is given."""
        self._name = Path(command[0]).name
        self._log = log
        with log.open("ab") as output:
            self._child = subprocess.Popen(
                list(command),
                cwd=log.parent,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                user=user,
                start_new_session=True,
                preexec_fn=die_with_parent(),
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    def wait_until(self, answers: Callable[[], bool], seconds: float) -> None:
        """Return when `answers()`; ServerFailed when the child ends or takes longer."""
        deadline = time.monotonic() + seconds
        while not answers():
            if self._child.poll() is not None or time.monotonic() > deadline:
                self.end()
                log = "\n".join(self._log.read_text(errors="replace").splitlines()[-LOG_LINES:])
                raise ServerFailed(f"{self._name} doesn't answer (exit code {self._child.returncode}):\n{log}")
            time.sleep(POLL_SECONDS)

    def end(self, number: int | None = None) -> None:
        """End it by SIGTERM or another signal, by SIGKILL if that takes too long; harmless when it has ended."""
        if self._child.poll() is None:
            self._child.terminate() if number is None else self._child.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(STOP_SECONDS)
        self._child.kill()
        self._child.wait()
