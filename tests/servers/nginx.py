"""Debian's nginx before several servers, set up as the Ingress asks its controller to."""

import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from pipelines.local.redis import HOST, free_port

from .child import ServerProcess
from .waiting import is_ok, wait_until

READY_SECONDS = 20.0
_ANNOTATION = "nginx.ingress.kubernetes.io/"
# What the annotations are called in nginx, and the unit that is left out there.
_DIRECTIVES = {
    "proxy-body-size": ("client_max_body_size", ""),
    "proxy-next-upstream": ("proxy_next_upstream", ""),
    "proxy-next-upstream-tries": ("proxy_next_upstream_tries", ""),
    "proxy-connect-timeout": ("proxy_connect_timeout", "s"),
    "proxy-read-timeout": ("proxy_read_timeout", "s"),
}


def missing() -> str | None:
    """What there isn't, to run it; None if all is there."""
    return None if _program() else "not installed: nginx (apt install nginx-light)"


class Nginx:
    """A proxy before `ports` of this machine. A context manager."""

    def __init__(self, folder: Path, ports: Sequence[int], annotations: Mapping[str, str]) -> None:
        """Nothing runs before it is entered; of `annotations` an Ingress's are obeyed, and one that isn't known is an error."""
        self._folder = folder
        self._ports = ports
        asked = {name.removeprefix(_ANNOTATION): value for name, value in annotations.items() if name.startswith(_ANNOTATION)}
        self._directives = [f"{_DIRECTIVES[name][0]} {value}{_DIRECTIVES[name][1]};" for name, value in asked.items()]
        self._process: ServerProcess | None = None
        self.url = f"http://{HOST}:{free_port()}"

    def __enter__(self) -> Self:
        """Start it, and wait until it answers."""
        command = [_program() or "nginx", "-p", self._folder, "-c", self._configure(), "-e", self._folder / "errors.log"]
        self._process = ServerProcess(command, self._folder / "nginx.log", dict(os.environ))
        self._process.wait_until(lambda: is_ok(f"{self.url}/health"), READY_SECONDS)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End it."""
        if self._process is not None:
            self._process.end()

    def switch(self, ports: Sequence[int]) -> None:
        """Send what comes from now on to these, as a controller does when the ready pods are others; nothing is broken off."""
        assert self._process is not None, "it doesn't run"
        self._ports = ports
        before = self._workers()
        self._configure()
        os.kill(self._process.pid, signal.SIGHUP)
        wait_until(lambda: self._workers() and not self._workers() & before, "that nginx has begun anew")

    def _workers(self) -> set[str]:
        assert self._process is not None, "it doesn't run"
        return set(Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split())

    def _configure(self) -> Path:
        path = self._folder / "nginx.conf"
        path.write_text(self._configuration())
        return path

    def _configuration(self) -> str:
        upstreams = "".join(f"    server {HOST}:{port} max_fails=0;\n" for port in self._ports)
        directives = "".join(f"      {each}\n" for each in self._directives)
        temporary = "".join(
            f"  {kind}_temp_path {self._folder / kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        return f"""
daemon off;
worker_processes 1;
pid {self._folder / "nginx.pid"};
events {{}}
http {{
  access_log off;
{temporary}  upstream service {{
{upstreams}    keepalive 32;
  }}
  server {{
    listen {self.url.removeprefix("http://")};
    location / {{
      proxy_pass http://service;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
{directives}    }}
  }}
}}
"""


def _program() -> str | None:
    return shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
