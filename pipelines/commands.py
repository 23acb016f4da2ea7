"""What the subcommands of `feature-pipelines` have in common: options, how they print, how they end.

0 if it is done, 1 if data aren't as expected, 2 if it couldn't be done.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from pipelines.errors import BadInput, PipelineError, ValidationFailed
from service.terminal import NOT_TOLD, run_for_terminal

PROGRAM = "feature-pipelines"
DONE, BAD_DATA, NOT_DONE = 0, 1, NOT_TOLD
EXPECTATIONS = Path("expectations")


def run(command: Callable[[argparse.Namespace], int], options: argparse.Namespace) -> int:
    """The exit code of a subcommand; what it raises is a message for people."""

    def told(options: argparse.Namespace) -> int:
        try:
            return command(options)
        except PipelineError as error:
            print(f"{PROGRAM}: {error}", file=sys.stderr)
            return BAD_DATA if isinstance(error, ValidationFailed) else NOT_DONE

    return run_for_terminal(told, options)


def finish(options: argparse.Namespace, report: Mapping[str, Any], text: str, code: int = DONE) -> int:
    """Print the report, as JSON or in words; returns the exit code."""
    if options.json:
        import orjson

        print(orjson.dumps(report, default=str, option=orjson.OPT_NON_STR_KEYS).decode(), flush=True)
    else:
        print(text, flush=True)
    return code


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add --json."""
    parser.add_argument("--json", action="store_true", help="print the report as one line of JSON")


def add_repo(parser: argparse.ArgumentParser) -> None:
    """Add --repo."""
    parser.add_argument(
        "--repo", type=Path, required=True, help="folder with a feature_store.yaml, or such a file under any name"
    )


def add_expectations(parser: argparse.ArgumentParser) -> None:
    """Add --expectations."""
    parser.add_argument(
        "--expectations",
        type=Path,
        default=EXPECTATIONS,
        help="folder of the Great Expectations project (default: ./%(default)s)",
    )


def add_features(parser: argparse.ArgumentParser, default: Sequence[str] | None = None) -> None:
    """Add --feature-service and --features, one of which is needed where there is no default."""
    asked = parser.add_mutually_exclusive_group(required=default is None)
    asked.add_argument("--feature-service", metavar="NAME", help="join all features of a feature service")
    asked.add_argument(
        "--features",
        nargs="+",
        default=default,
        metavar="VIEW:FEATURE",
        help="join these features" + (f" (default: {' '.join(default)})" if default else ""),
    )


def features_of(options: argparse.Namespace) -> Sequence[str] | str:
    """What was asked for by `add_features`."""
    service: str | None = options.feature_service
    return service if service is not None else list(options.features)


def moment(text: str) -> datetime:
    """For argparse: a time with its zone."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise argparse.ArgumentTypeError(f"a time with its zone, for instance 2026-11-25T10:00:00Z, not {text!r}")
    return found


def read_report(path: Path | None) -> dict[str, Any] | None:
    """A report that another subcommand printed; raises BadInput."""
    if path is None:
        return None
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} isn't a report as --json prints it: {error}") from error
    if not isinstance(content, dict):
        raise BadInput(f"{path} isn't a report as --json prints it: a {type(content).__name__} instead of an object.")
    return content
