"""What the commands for a terminal have in common: how they end when they are interrupted, and numbers among their options."""

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Callable

# 2 is also what argparse ends with: it can't be told what was asked.
NOT_TOLD = 2


def run_for_terminal(run: Callable[[argparse.Namespace], int], options: argparse.Namespace) -> int:
    """The exit code of a command, also where its reader goes; where somebody presses Ctrl-C the process ends by that signal."""
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        return run(options)
    except KeyboardInterrupt:
        _end_by_interrupt()
        raise
    except BrokenPipeError:
        # Whoever read the output has seen enough; Python mustn't stumble over it once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOT_TOLD


def _end_by_interrupt() -> None:
    """End as a shell expects it: it goes on with its script or loop where a command ends otherwise.

    Not by Python's orderly end either: Arrow aborts in it when its threads were just being started.
    """
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)


def positive(text: str) -> int:
    """For argparse: a number from 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a number from 1, not {text!r}")
    return int(text)
