"""The console command `feature-service`."""

import argparse
import asyncio
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from service.errors import EX_CONFIG, ConfigurationError
from service.files.command import add_command, run_command
from service.logs import configure_logging
from service.parity.command import add_command as add_parity_command
from service.parity.command import run_command as run_parity_command
from service.settings import Settings, unknown_variables
from service.supervisor import Supervisor, open_listener
from service.terminal import positive

DEFAULT_PORT = 6566


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; 78 (EX_CONFIG) means that something has to be mended before it can start."""
    options = command_line().parse_args(arguments)
    if options.command == "validate":
        return run_command(options)
    if options.command == "parity":
        return run_parity_command(options)
    misspelt = unknown_variables(os.environ)
    if misspelt:
        print(f"feature-service: there is no such setting: {', '.join(misspelt)}; see docs/settings.md.", file=sys.stderr)
        return EX_CONFIG
    try:
        settings = Settings()
    except ValidationError as error:
        for problem in error.errors():
            name = "FEATURE_SERVICE_" + "_".join(map(str, problem["loc"])).upper()
            print(f"feature-service: {name}: {problem['msg']}, not {problem['input']!r}.", file=sys.stderr)
        return EX_CONFIG
    configure_logging("supervisor")
    try:
        return _serve(options, settings)
    except ConfigurationError as error:
        print(f"feature-service: {error}", file=sys.stderr)
        return EX_CONFIG


def _serve(options: argparse.Namespace, settings: Settings) -> int:
    listener = open_listener(options.host, options.port)
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    print(f"Listening on http://{shown}:{port}; ready when GET /health/ready answers 200.", flush=True)
    return asyncio.run(_supervise(options, listener, settings))


async def _supervise(options: argparse.Namespace, listener: socket.socket, settings: Settings) -> int:
    grace = settings.shutdown_grace_seconds
    supervisor = Supervisor(options.repo, listener, options.workers, grace, options.expectations)
    return await supervisor.run()


def command_line() -> argparse.ArgumentParser:
    """What the command takes."""
    parser = argparse.ArgumentParser(prog="feature-service", description="A fast, exact online feature server for Feast.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="serve a Feast repository over HTTP")
    serve.add_argument(
        "--repo", type=Path, required=True, help="folder with a feature_store.yaml, or such a file under any name"
    )
    serve.add_argument(
        "--expectations", type=Path, help="folder of a Great Expectations project: pushes are validated by its suites"
    )
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    serve.add_argument("--port", type=_port, default=DEFAULT_PORT, help="port; 0 takes a free one (default: %(default)s)")
    serve.add_argument("--workers", type=positive, default=1, help="worker processes (default: %(default)s)")
    add_command(commands)
    add_parity_command(commands)
    return parser


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535, not {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
