"""The command `feature-service parity`: what it takes, what it prints, and how it ends.

0 if online and offline are equal, 1 if they differ, 2 if that can't be told: a wrong option or name, a service that can't be
reached, a view that Feast can't compute.
"""

import argparse
import math
import sys
import traceback
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from service.errors import FeatureServiceError
from service.terminal import NOT_TOLD, positive, run_for_terminal

EQUAL, DIFFERENT = 0, 1

DEFAULT_URL = "http://localhost:6566"
DEFAULT_SAMPLE = 1000
DEFAULT_SEED = 1
DEFAULT_SHOWN = 10
_DESCRIPTION = """Compare what the running service answers with what Feast's get_historical_features gives for training, on a
sample of entities of the offline store. Exit code: 0 if all values are equal, 1 if any differs, 2 for a wrong option or name,
or a service that can't be reached."""


def add_command(commands: Any) -> None:
    """Add the command to the console command's."""
    parser = commands.add_parser("parity", help="compare online features with those of training", description=_DESCRIPTION)
    parser.add_argument(
        "--repo", type=Path, required=True, help="folder with a feature_store.yaml, or such a file under any name"
    )
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument("--feature-service", metavar="NAME", help="compare all features of a feature service")
    asked.add_argument("--features", nargs="+", metavar="VIEW:FEATURE", help="compare these features")
    parser.add_argument("--url", default=DEFAULT_URL, help="where the service runs (default: %(default)s)")
    parser.add_argument(
        "--sample", type=positive, default=DEFAULT_SAMPLE, metavar="ROWS", help="entities to compare (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=_natural, default=DEFAULT_SEED, help="the same one draws the same sample (default: %(default)s)"
    )
    parser.add_argument(
        "--rtol",
        type=_tolerance,
        default=0.0,
        metavar="SHARE",
        help="take floats for equal that differ by this share, for instance 1e-6 (default: they must be the same)",
    )
    parser.add_argument(
        "--at", type=_moment, metavar="TIME", help="compare with the offline values of that time, ISO 8601 (default: of now)"
    )
    parser.add_argument(
        "--show",
        type=_natural,
        default=DEFAULT_SHOWN,
        metavar="NUMBER",
        help="differences that are listed (default: %(default)s)",
    )
    parser.add_argument("--format", choices=("table", "json"), default="table", help="(default: %(default)s)")


def run_command(options: argparse.Namespace) -> int:
    """Compare; returns the exit code."""
    return run_for_terminal(_run, options)


def _run(options: argparse.Namespace) -> int:
    from service.parity.run import Question, compare
    from service.parity.table import table

    question = Question(
        repo=options.repo,
        service=options.feature_service,
        references=options.features,
        url=options.url,
        sample=options.sample,
        seed=options.seed,
        rtol=options.rtol,
        at=options.at,
    )
    try:
        report = compare(question)
    except FeatureServiceError as error:
        print(f"feature-service: {error}", file=sys.stderr)
        return NOT_TOLD
    except Exception:  # Feast and its stores raise what they like; none of it is a difference
        traceback.print_exc()
        print("feature-service: Feast can't be asked; nothing was compared.", file=sys.stderr)
        return NOT_TOLD
    if options.format == "json":
        print(orjson.dumps(report.as_json(options.show), default=str).decode(), flush=True)
    else:
        print(table(report, options.show), end="", flush=True)
    if report.differences:
        return DIFFERENT
    return NOT_TOLD if report.not_compared else EQUAL


def _natural(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"a number from 0, not {text!r}")
    return int(text)


def _tolerance(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 <= share < 1:
        raise argparse.ArgumentTypeError(f"a share from 0 to 1, for instance 1e-6, not {text!r}")
    return share


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise argparse.ArgumentTypeError(f"a time with its zone, for instance 2026-11-25T10:00:00Z, not {text!r}")
    return moment
