"""One worker process: the application on a listening socket that the supervisor opened."""

import argparse
import asyncio
import faulthandler
import functools
import logging
import signal
import socket
import sys
from pathlib import Path

import uvicorn

from service.app import FeatureService
from service.errors import EX_CONFIG, ConfigurationError
from service.http import HotHttpProtocol
from service.lifeline import hold_lifeline
from service.logs import configure_logging
from service.settings import Settings

logger = logging.getLogger(__name__)

# Idle connections of model servers are kept; a load balancer in front usually closes at 60 s.
KEEP_ALIVE_SECONDS = 75
# How long a thread may keep the interpreter from the event loop, which needs it twice for each read: functions of on-demand
# views that take long run in threads. Python's default of 5 ms would be 10 ms a read.
SWITCH_SECONDS = 0.0005
# A worker whose event loop has stood still for so long ends, and the supervisor starts another one: a function that doesn't
# come back from a library's code can't be interrupted otherwise. The log then has where it was.
STANDSTILL_SECONDS = 10.0
ALIVE_EVERY_SECONDS = 1.0
# A worker accepts connections when it can answer, so that it refuses none which others could have taken: those beside it, when
# it takes a dead one's place. It doesn't wait for longer than this for a registry that doesn't answer; then it says so.
ACCEPT_SECONDS = 8.0
LOOK_SECONDS = 0.1


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="service.worker", description=__doc__)
    parser.add_argument("--listen", type=int, required=True, help="file descriptor of the listening socket")
    parser.add_argument("--definitions", type=Path, required=True, help="socket of the definitions process")
    parser.add_argument("--metrics", type=Path, required=True, help="folder of the metric slots")
    parser.add_argument("--expectations", type=Path, help="folder of a GX project")
    parser.add_argument("--repo", type=Path, help="what feature-service serve was given, for materializations")
    parser.add_argument("--strict", action="store_true", help="end where validation is misconfigured")
    arguments = parser.parse_args()
    configure_logging("worker")
    sys.setswitchinterval(SWITCH_SECONDS)
    settings = Settings()
    try:
        app = FeatureService(
            settings, arguments.definitions, arguments.metrics, arguments.expectations, arguments.strict, arguments.repo
        )
    except ConfigurationError as error:
        logger.error("%s", error)
        return EX_CONFIG
    config = server_config(app, settings)
    server = _Server(config, app)
    # Not handle_exit, after which uvicorn ends the process by the signal, and no exit code says what is wrong.
    app.on_fatal = functools.partial(setattr, server, "should_exit", True)
    app.before_accepting = functools.partial(_until_it_can_answer, app, server)
    listener = socket.socket(fileno=arguments.listen)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(_serve(server, listener))
    if app.fatal is not None:
        logger.error("%s", app.fatal)
        return EX_CONFIG
    return 0


def server_config(app: FeatureService, settings: Settings) -> uvicorn.Config:
    """How uvicorn serves the application."""
    return uvicorn.Config(
        app,
        http=functools.partial(HotHttpProtocol, app),  # type: ignore[arg-type]
        loop="uvloop",
        interface="asgi3",
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.shutdown_grace_seconds,
        backlog=2048,
    )


class _Server(uvicorn.Server):
    """Tells the application that it is to stop before running requests are waited for: one may wait for a materialization."""

    def __init__(self, config: uvicorn.Config, app: FeatureService) -> None:
        super().__init__(config)
        self._application = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's."""
        self._application.interrupt()
        await super().shutdown(sockets)


async def _until_it_can_answer(app: FeatureService, server: uvicorn.Server) -> None:
    """Wait for definitions and Redis, or for the reason why there are none; not when the process is to end."""
    trying = asyncio.ensure_future(app.tried())
    waited = 0.0
    while not trying.done() and not server.should_exit and waited < ACCEPT_SECONDS:
        await asyncio.wait((trying,), timeout=LOOK_SECONDS)
        waited += LOOK_SECONDS
    trying.cancel()


async def _serve(server: uvicorn.Server, listener: socket.socket) -> None:
    _stay_alive(asyncio.get_running_loop())
    hold_lifeline(lambda: server.handle_exit(signal.SIGTERM, None))
    await server.serve(sockets=[listener])


def _stay_alive(loop: asyncio.AbstractEventLoop) -> None:
    """Put off the end of the process, again and again. The clock runs outside of Python, so nothing in it can hold it up."""
    faulthandler.dump_traceback_later(STANDSTILL_SECONDS, exit=True)
    loop.call_later(ALIVE_EVERY_SECONDS, _stay_alive, loop)


if __name__ == "__main__":
    sys.exit(main())
