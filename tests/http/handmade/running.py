"""The whole application on a port of its own, in a thread of the test, with uvicorn set up as a worker sets it up."""

import asyncio
import functools
import socket
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from service.app import FeatureService
from service.http import HotHttpProtocol
from service.settings import Settings
from tests.servers.waiting import wait_until

from .registry import Registry

READ_PATH = "/get-online-features"
HOST = "127.0.0.1"
CLIENT_SECONDS = 20.0


class Running:
    """A service that runs, and a client of it."""

    def __init__(self, app: FeatureService, port: int, registry: Registry) -> None:
        self.app = app
        self.port = port
        self.url = f"http://{HOST}:{port}"
        self.registry = registry
        self.client = httpx.Client(base_url=self.url, timeout=CLIENT_SECONDS)

    def post(self, body: bytes | Mapping[str, Any]) -> httpx.Response:
        """The answer to a read; bytes are sent as they are."""
        if isinstance(body, bytes):
            return self.client.post(READ_PATH, content=body, headers={"content-type": "application/json"})
        return self.client.post(READ_PATH, json=body)

    def read(self, features: list[str] | str, entities: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        """The answer to a read that must succeed; a string names a feature service."""
        asked = {"feature_service": features} if isinstance(features, str) else {"features": features}
        response = self.post({**asked, "entities": entities, **more})
        assert response.status_code == httpx.codes.OK, response.text
        answer: dict[str, Any] = response.json()
        return answer

    @property
    def ready(self) -> bool:
        """Whether it says so."""
        return self.client.get("/health/ready").status_code == httpx.codes.OK

    def metric(self, name: str, **labels: str) -> float:
        """One number of /metrics, 0 when it isn't there."""
        wanted = name + ("{" + ",".join(f'{key}="{value}"' for key, value in sorted(labels.items())) + "}" if labels else "")
        for line in self.client.get("/metrics").text.splitlines():
            series, _, value = line.rpartition(" ")
            if series == wanted:
                return float(value)
        return 0.0


@contextmanager
def running(
    registry: Registry, wait: bool = True, expectations: Path | None = None, strict: bool = False, **settings: Any
) -> Iterator[Running]:
    """The application with these settings; with `wait` it has definitions and Redis when it is handed over.

    `expectations` and `strict` are what a worker is told on its command line.
    """
    with tempfile.TemporaryDirectory(prefix="metrics-") as metrics, socket.create_server((HOST, 0)) as listener:
        app = FeatureService(Settings(**settings), registry.socket, Path(metrics), expectations, strict)
        config = uvicorn.Config(
            app,
            http=functools.partial(HotHttpProtocol, app),  # type: ignore[arg-type]
            interface="asgi3",
            loop="uvloop",
            ws="none",
            lifespan="on",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=5,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=_run, args=(server, config, listener), daemon=True)
        thread.start()
        served = Running(app, listener.getsockname()[1], registry)
        try:
            wait_until(lambda: server.started or not thread.is_alive(), "that the service has started")
            if wait:
                wait_until(lambda: served.ready, "that the service is ready")
            yield served
        finally:
            served.client.close()
            server.should_exit = True
            thread.join()


def _run(server: uvicorn.Server, config: uvicorn.Config, listener: socket.socket) -> None:
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(server.serve(sockets=[listener]))
