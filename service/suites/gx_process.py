"""A process that evaluates with Great Expectations what `service.suites.compiler` doesn't compile.

Run by `service.suites.gx_pool` as `python -m service.suites.gx_process FD`, FD being a Unix socket that requests come from.
Only such processes import great_expectations and pandas. Each does one thing at a time, and ends with its socket, and with
the worker that started it, however that died.
"""

import fcntl
import gc
import logging
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from service.logs import configure_logging
from service.suites.gx_evaluator import Evaluator
from service.suites.gx_messages import Refused, described, frame_answer, parse_request, receive

logger = logging.getLogger(__name__)

STDIN, STDOUT, STDERR = 0, 1, 2
REQUESTS: dict[str, Callable[..., Any]] = {"validate": Evaluator.validate, "check": Evaluator.check}


def respond(evaluator: Evaluator, body: bytes) -> bytes:
    """The answer to one request, framed: `answer`, or `refused` with the `field` that is meant, or `failed`."""
    try:
        kind, arguments = parse_request(body)
        return frame_answer({"answer": REQUESTS[kind](evaluator, **arguments)})
    except Refused as refusal:
        return frame_answer({"refused": str(refusal), "field": refusal.field})
    except Exception as error:
        logger.exception("A request failed.")
        return frame_answer({"failed": described(error)})


def _end_with_parent() -> None:
    """Have the kernel end this process when stdin ends, which the worker holds open and never writes to.

    By a signal whose default is to end the process, and not by looking at stdin: a regular expression that has gone astray
    lets nothing else run in the interpreter.
    """
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(STDIN, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(STDIN, fcntl.F_SETFL, fcntl.fcntl(STDIN, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([STDIN], [], [], 0)[0]:  # it ended before
        sys.exit(0)


def _silence_gx() -> None:
    """Keep GX's progress bars, prints and warnings out of the log: what fails is said in the answer.

    Python's stdout and stderr are given away; the log's handler goes on writing to the real one.
    """
    os.dup2(STDERR, STDOUT)
    configure_logging("gx")
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    sys.stdout = sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - for as long as the process lives


def main() -> int:
    """Entry point."""
    _end_with_parent()
    _silence_gx()
    connection = socket.socket(fileno=int(sys.argv[1]))
    try:
        evaluator = Evaluator()
    except Exception:
        logger.exception("Great Expectations can't be started.")
        return 1
    # What has been imported stays: the collector needn't look at it again.
    gc.collect()
    gc.freeze()
    with connection, connection.makefile("rwb") as stream:
        stream.write(frame_answer({"answer": "ready"}))
        stream.flush()
        while (body := receive(stream)) is not None:
            stream.write(respond(evaluator, body))
            stream.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
