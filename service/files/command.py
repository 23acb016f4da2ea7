"""The command `feature-service validate`: what it takes, what it prints, and how it ends.

0 if the file is as expected, 1 if not, 2 if that can't be told: a wrong option, or a file or suite that can't be read.
"""

import argparse
import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import orjson

from service.errors import FeatureServiceError
from service.terminal import NOT_TOLD, run_for_terminal

if TYPE_CHECKING:
    from service.files.validation import Request, Validation

AS_EXPECTED, BAD_DATA = 0, 1

LEVELS = ("BOOLEAN_ONLY", "BASIC", "SUMMARY", "COMPLETE")
# How much the table needs of each result.
_TABLE_FORMAT = "SUMMARY"
_FALLBACK_COLUMNS = 80
_DESCRIPTION = """Judge files by a suite of Great Expectations, in memory that doesn't grow with them. Exit code: 0 if all
critical expectations are met, 1 for bad data, 2 for a wrong option or a file or suite that can't be read."""


def add_command(commands: Any) -> None:
    """Add the command to the console command's."""
    parser = commands.add_parser("validate", help="judge files by a suite of expectations", description=_DESCRIPTION)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a .parquet, .csv or .csv.gz file")
    parser.add_argument("--suite", required=True, help="the suite's name")
    parser.add_argument(
        "--expectations",
        type=Path,
        default=Path("expectations"),
        help="folder of the Great Expectations project that has it (default: ./%(default)s)",
    )
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        type=_parameter,
        metavar="NAME=JSON",
        help="value of a $PARAMETER of the suite; once for each",
    )
    parser.add_argument("--json", action="store_true", help="print Great Expectations' result, a line for each file")
    parser.add_argument(
        "--result-format",
        type=_result_format,
        metavar="LEVEL",
        help=f"how much --json says: {', '.join(LEVELS)}, or an object of Great Expectations' as JSON (default: SUMMARY)",
    )
    parser.add_argument(
        "--no-fallback", action="store_true", help="don't ask Great Expectations itself, even where only it can tell"
    )


def run_command(options: argparse.Namespace) -> int:
    """Judge the files; returns the exit code."""
    return run_for_terminal(_run, options)


def _run(options: argparse.Namespace) -> int:
    from service.files.suites import load_suite

    if options.result_format is not None and not options.json:
        return _refuse("--result-format says what --json prints; give --json, too.")
    try:
        suite = load_suite(options.expectations, options.suite)
        request = _request(options, suite)
    except FeatureServiceError as error:
        return _refuse(str(error))
    return max(_judge(path, request, options) for path in options.files)


def _request(options: argparse.Namespace, suite: Any) -> "Request":
    from service.files.suites import check_parameters
    from service.files.validation import Request

    parameters = dict(options.parameter)
    check_parameters(suite, parameters)
    return Request(suite, parameters, options.result_format or _TABLE_FORMAT, fallback=not options.no_fallback)


def _judge(path: Path, request: "Request", options: argparse.Namespace) -> int:
    from service.files.validation import validate_file

    try:
        validation = validate_file(path, request)
    except FeatureServiceError as error:
        return _refuse(str(error))
    if options.json:
        _print_json(validation)
    else:
        _print_table(validation)
    if validation.source.hint:
        print(f"feature-service: {validation.source.hint}", file=sys.stderr)
    if not validation.complete:
        return NOT_TOLD
    return AS_EXPECTED if validation.passed else BAD_DATA


def _print_table(validation: "Validation") -> None:
    from service.files.table import table

    width = shutil.get_terminal_size((_FALLBACK_COLUMNS, 0)).columns
    print(table(validation, width, colour=shows_colour(sys.stdout, os.environ)), flush=True)


def _print_json(validation: "Validation") -> None:
    print(_as_json(validation.as_gx()), flush=True)
    for one in validation.judged:
        if one.result is None:
            _refuse(f"{one.expectation.type} isn't evaluated: only Great Expectations can, since {one.by_gx}.")


def _as_json(content: Any) -> str:
    """As the service answers: infinities, which JSON doesn't have, are null."""
    try:
        return orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS, default=str).decode()
    except TypeError:
        # An integer of more than 64 bits.
        return json.dumps(content, ensure_ascii=False, default=str)


def shows_colour(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether colours may be printed: to a terminal that has them, and to nobody who doesn't want them (no-color.org)."""
    return stream.isatty() and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"


def _refuse(message: str) -> int:
    print(f"feature-service: {message}", file=sys.stderr)
    return NOT_TOLD


def _parameter(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"a parameter is given as NAME=JSON, for instance limit=5, not {text!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        example = json.dumps(value)
        raise argparse.ArgumentTypeError(f"{value!r} isn't JSON; a text needs quotation marks: '{name}={example}'") from None


def _result_format(text: str) -> str | dict[str, Any]:
    if text in LEVELS:
        return text
    try:
        wanted = json.loads(text)
    except ValueError:
        wanted = None
    if not isinstance(wanted, dict):
        raise argparse.ArgumentTypeError(f"one of {', '.join(LEVELS)}, or an object as JSON, not {text!r}")
    return wanted
