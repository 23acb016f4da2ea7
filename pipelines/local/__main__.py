"""`python -m pipelines.local serve`: what `make serve` calls."""

import argparse
import sys
from pathlib import Path

from pipelines.local.layout import LOCAL_DIR, REPO_DIR
from pipelines.local.prepare import PrepareError
from pipelines.local.redis import RedisUnavailableError
from pipelines.local.serve import CannotServeError, serve


def main() -> int:
    """Run the command line and return the exit code; a failure is a message, not a traceback."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.local", description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("serve", help="prepare this machine and serve features on it")
    command.add_argument("--port", type=int, default=6566)
    command.add_argument("--workers", type=int, default=1)
    command.add_argument("--repo-dir", type=Path, default=REPO_DIR, help="the Feast repository (default: %(default)s)")
    command.add_argument("--local-dir", type=Path, default=LOCAL_DIR, help="where all data goes (default: %(default)s)")
    options = parser.parse_args()
    try:
        return serve(options.port, options.workers, options.repo_dir, options.local_dir)
    except (CannotServeError, PrepareError, RedisUnavailableError) as error:
        sys.stderr.write(f"make serve: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
