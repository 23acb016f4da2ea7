"""Runs a checkpoint on a file and raises with what failed.

    python expectations/run_validation.py FILE [--checkpoint NAME]

FILE is a csv or parquet file, or s3://bucket/key. The result is stored, Data Docs are updated, and Slack is told of a failure
where SLACK_WEBHOOK is set. Exit code: 0 if the file is as expected, 1 if not, 2 if that can't be told.
"""

import argparse
import json
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # pipelines, where this repository isn't installed

from pipelines.commands import BAD_DATA, DONE, NOT_DONE  # noqa: E402
from pipelines.errors import PipelineError, ValidationFailed  # noqa: E402
from pipelines.file_validation import FileValidation, text_of, validate_file  # noqa: E402
from service.terminal import run_for_terminal  # noqa: E402

CHECKPOINT = "customer_data_checkpoint"
WEBHOOK_VARIABLE = "SLACK_WEBHOOK"
TOLD = ("type", "kwargs", "unexpected_count", "rows", "examples", "observed_value", "error")


def run_validation(place: str, checkpoint: str = CHECKPOINT, project: Path = HERE) -> FileValidation:
    """Return the result of a file that is as expected.

    Raises ValidationFailed with the list of failed expectations, a line of JSON each; PipelineError where there is no telling.
    """
    slack = bool(os.environ.get(WEBHOOK_VARIABLE))
    if not slack:
        print(f"{WEBHOOK_VARIABLE} isn't set: nobody is told if it fails.", file=sys.stderr)
    validation = validate_file(place, checkpoint, project, slack=slack)
    if not validation.success:
        failed = [json.dumps({name: one[name] for name in TOLD if name in one}) for one in validation.failed]
        shown = f"Result: {validation.result_place}\nData Docs: {validation.data_docs}"
        raise ValidationFailed("\n".join([f"Validation of {place} FAILED. Failed expectations:", *failed, shown]))
    return validation


def main(options: argparse.Namespace) -> int:
    """Print what came out; returns the exit code."""
    try:
        print(text_of(run_validation(options.file, options.checkpoint)))
    except PipelineError as error:
        print(error, file=sys.stderr)
        return BAD_DATA if isinstance(error, ValidationFailed) else NOT_DONE
    return DONE


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", help="a csv or parquet file, or s3://bucket/key")
    parser.add_argument("--checkpoint", default=CHECKPOINT, help="default: %(default)s")
    sys.exit(run_for_terminal(main, parser.parse_args()))
