"""`make serve`: prepares one machine, runs the service on it, and stops everything that it started, in order."""

import contextlib
import http.client
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Never

from pipelines.local.layout import ENVIRONMENT_FILE, EXPECTATIONS_DIR, LOCAL_DIR, REPO_DIR, RUN_FILE
from pipelines.local.ports import refusal
from pipelines.local.prepare import Prepared, prepare
from pipelines.local.process import AlreadyRunningError, RunFile, die_with_parent
from pipelines.local.redis import HOST, EmbeddedRedis

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
READY_SECONDS = 60.0
STOP_SECONDS = 30.0  # the service lets running requests end
POLL_SECONDS = 0.05
WATCH_SECONDS = 1.0


class CannotServeError(RuntimeError):
    """Something outside is in the way; the message says what and what to do."""


class Stop(BaseException):
    """Ctrl-C, SIGTERM or a closed terminal: stop everything, in order, and end well."""


def serve(
    port: int,
    workers: int,
    repo_dir: Path = REPO_DIR,
    local_dir: Path = LOCAL_DIR,
    command: Path = Path(sys.executable).parent / "feature-service",
) -> int:
    """Serve until told to stop (0) or until the service ends by itself (its exit code; 128 + n for signal n).

    `command` is the service's console command, by default the one installed beside this Python.

    Raises CannotServeError, PrepareError, RedisUnavailableError.
    """
    for number in STOP_SIGNALS:
        signal.signal(number, raise_stop)
    with ExitStack() as stack:
        try:
            run = take(local_dir / RUN_FILE)
            stack.callback(run.release)
            taken = refusal(port)
            if taken:
                raise CannotServeError(f"{taken}: stop it, or choose another one: make serve PORT={port + 1}")
            say("Preparing:\n")
            prepared = prepare(repo_dir, local_dir, say)
            stack.callback(prepared.redis.stop)
            run.record("redis", prepared.redis.pid)
            stack.callback(write_environment(local_dir / ENVIRONMENT_FILE, prepared).unlink)
            service = start_service(command, prepared, port, workers)
            stack.callback(stop_service, service)
            run.record("service", service.pid)
            say("  service:\n")
            begin = time.monotonic()
            if wait_ready(service, port):
                say(f"Ready after {time.monotonic() - begin:.1f} s; Ctrl-C stops it. Try:\n\n{curl(port)}\n\n")
                watch(service, prepared.redis, run)
        except Stop:
            say("\nStopping ...\n")
            return 0
        finally:
            ignore_stop()
        return exit_code(service)


def take(path: Path) -> RunFile:
    """Become the one `make serve` of this folder, ending what a killed one left behind."""
    try:
        run = RunFile(path)
    except AlreadyRunningError as error:
        raise CannotServeError(f"process {error.pid} serves already: stop it with Ctrl-C or kill {error.pid}") from None
    for name in run.end_leftovers():
        say(f"Ended the {name} that an earlier run left behind.\n")
    return run


def write_environment(path: Path, prepared: Prepared) -> Path:
    """Write what a shell reads (`. .local/environment`), so that Feast's and our commands work on what is served.

    Returns the path. FEAST_FS_YAML_FILE_PATH is where Feast's command and its FeatureStore look for a configuration.
    """
    variables = prepared.environment | {"FEAST_FS_YAML_FILE_PATH": str(prepared.config)}
    path.write_text("".join([f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()]))
    return path


def start_service(command: Path, prepared: Prepared, port: int, workers: int) -> subprocess.Popen[bytes]:
    """Start the console command that a container would start, on this machine's Redis, registry and data."""
    return subprocess.Popen(
        [
            *(command, "serve", "--repo", prepared.config, "--expectations", EXPECTATIONS_DIR),
            *("--port", str(port), "--workers", str(workers)),
        ],
        env=os.environ | prepared.environment,
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # the terminal's Ctrl-C is for this process, which ends its children in order
        preexec_fn=die_with_parent(),
    )


def stop_service(service: subprocess.Popen[bytes]) -> None:
    """End the service by SIGTERM; by SIGKILL, with its workers, when it takes over 30 s."""
    service.terminate()
    try:
        service.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(service.pid, signal.SIGKILL)
        service.wait()


def wait_ready(service: subprocess.Popen[bytes], port: int) -> bool:
    """Return True when the service is ready, False when it has ended; CannotServeError when it is not ready in 60 s."""
    deadline = time.monotonic() + READY_SECONDS
    while not is_ready(port):
        if service.poll() is not None:
            return False
        if time.monotonic() > deadline:
            raise CannotServeError(f"the service is not ready after {READY_SECONDS:.0f} s (GET /health/ready)")
        time.sleep(POLL_SECONDS)
    return True


def is_ready(port: int) -> bool:
    """Return whether GET /health/ready answers 200."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == http.HTTPStatus.OK
    return False


def curl(port: int) -> str:
    """Return a request that works when it is pasted into a shell."""
    features = ["customer_stats:total_spend", "customer_stats:loyalty_score", "transaction_stats:txn_count_7d"]
    body = json.dumps({"features": features, "entities": {"customer_id": [1001, 1002]}})
    return f"curl -s http://{HOST}:{port}/get-online-features -H 'Content-Type: application/json' -d '{body}'"


def watch(service: subprocess.Popen[bytes], redis: EmbeddedRedis, run: RunFile) -> None:
    """Return when the service ends; start Redis again, on its port and from its last save, when that ends."""
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            service.wait(WATCH_SECONDS)
            return
        if not redis.running:
            say("The embedded Redis ended: starting it again.\n")
            redis.restart()
            run.record("redis", redis.pid)


def exit_code(service: subprocess.Popen[bytes]) -> int:
    """Say that the service ended by itself and return what to exit with."""
    code = service.returncode
    how = f"exit code {code}" if code >= 0 else f"signal {-code}"
    say(f"The service ended by itself ({how}).\n")
    return code if code >= 0 else 128 - code


def raise_stop(_number: int, _frame: FrameType | None) -> Never:
    """Turn the first stop signal into an exception; later ones don't disturb the stopping."""
    ignore_stop()
    raise Stop


def ignore_stop() -> None:
    """Let nothing disturb the stopping, which is bounded in time."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def say(text: str) -> None:
    """Write to the terminal at once."""
    with contextlib.suppress(OSError):  # nobody reads it any more: no reason not to stop in order
        sys.stdout.write(text)
        sys.stdout.flush()
