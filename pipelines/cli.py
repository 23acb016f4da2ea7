"""The console command `feature-pipelines`: the steps of the DAGs, for a shell, cron and notebooks.

0 if it is done, 1 if data aren't as expected, 2 if it couldn't be done. What a step needs is imported when it runs.
"""

import argparse
import sys
from collections.abc import Sequence

from pipelines import alert, enrichment, file_validation, materialize, quarantine, training_set
from pipelines.commands import PROGRAM

_STEPS = {
    "materialize": materialize,
    "training-set": training_set,
    "validate": file_validation,
    "enrich": enrichment,
    "quarantine": quarantine,
    "alert": alert,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    options = _parser().parse_args(arguments)
    code: int = _STEPS[options.command].run_command(options)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, description="The batch half of the feature store, step by step.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for step in _STEPS.values():
        step.add_command(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
