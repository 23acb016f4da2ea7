"""One message to Slack about data that aren't as expected, with a link to Data Docs.

The webhook's address lets anybody post who knows it: it is in no message, no exception and no log line.
"""

import argparse
import contextlib
import email.utils
import logging
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.commands import add_json, finish, read_report, run
from pipelines.errors import AlertNotPosted, BadInput
from pipelines.slack_message import message

if TYPE_CHECKING:
    import httpx

WEBHOOK_VARIABLE = "SLACK_WEBHOOK"
DOCS_VARIABLE = "DATA_DOCS_URL"
ATTEMPTS = 4
ANSWER_SECONDS = 10.0
# Doubled after each attempt, unless Slack says for how long to wait.
FIRST_WAIT_SECONDS = 1.0
# Whoever waits longer had better be tried again as a whole.
LONGEST_WAIT_SECONDS = 60.0
SHOWN_BODY = 200
_LOGGERS = ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy")


def alert(
    summary: str,
    *,
    place: str | None = None,
    validation: Mapping[str, Any] | None = None,
    quarantined: Mapping[str, Any] | None = None,
    run_name: str | None = None,
    data_docs: str | None = None,
    webhook: str | None = None,
) -> None:
    """Post one message; raises AlertNotPosted when Slack doesn't take it, BadInput when there is no webhook to post to.

    `validation` and `quarantined` are what FileValidation and Quarantined give as JSON, `run_name` says which run it was (a
    DAG's, for instance). The link is `data_docs`, else the validation's, else DATA_DOCS_URL. The webhook is SLACK_WEBHOOK's,
    unless it is given.
    """
    address = webhook or os.environ.get(WEBHOOK_VARIABLE, "")
    if not address.startswith(("https://", "http://")):
        state = "isn't an http address" if address else "isn't set"
        raise BadInput(f"There is no webhook to post the alert to: {WEBHOOK_VARIABLE} {state}.")
    docs = data_docs or (validation or {}).get("data_docs") or os.environ.get(DOCS_VARIABLE)
    _post(address, message(summary, place=place, validation=validation, quarantined=quarantined, run_name=run_name, docs=docs))


def _post(address: str, content: Mapping[str, Any]) -> None:
    import httpx

    wait = FIRST_WAIT_SECONDS
    with _unlogged(), httpx.Client(timeout=ANSWER_SECONDS) as client:
        for attempt in range(1, ATTEMPTS + 1):
            problem, asked = _attempt(client, address, content)
            if problem is None:
                return
            pause = wait if asked is None else asked
            if attempt == ATTEMPTS or pause > LONGEST_WAIT_SECONDS:
                break
            time.sleep(pause)
            wait *= 2
    raise AlertNotPosted(f"Slack took no alert: {problem} (attempt {attempt} of {ATTEMPTS}). Try it again later.")


def _attempt(client: "httpx.Client", address: str, content: Mapping[str, Any]) -> tuple[str | None, float | None]:
    """What went wrong where another attempt may help, None if the message is posted, and how long Slack asks to wait.

    Raises AlertNotPosted where none would help, or where the message may have been posted: two would be worse than to look.
    """
    import httpx

    try:
        answer = client.post(address, json=content)
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        return f"it can't be reached ({type(error).__name__})", None
    except httpx.HTTPError as error:
        # The message of an exception may hold the address.
        raise AlertNotPosted(f"Slack didn't answer ({type(error).__name__}): look whether the alert is there.") from None
    except (httpx.InvalidURL, ValueError):
        raise BadInput(f"The alert can't be posted: {WEBHOOK_VARIABLE} isn't an address that can be used.") from None
    if answer.is_success:
        return None, None
    problem = f"it answers {answer.status_code} {answer.text[:SHOWN_BODY].replace(address, '...')!r}"
    if answer.status_code == httpx.codes.TOO_MANY_REQUESTS or answer.is_server_error:
        return problem, _retry_after(answer.headers.get("Retry-After"))
    raise AlertNotPosted(f"Slack took no alert: {problem}. Check {WEBHOOK_VARIABLE}, and whether the webhook was revoked.")


def _retry_after(value: str | None) -> float | None:
    """Seconds to wait: a number of them, or a date (RFC 9110, 10.2.3)."""
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    with contextlib.suppress(ValueError):
        return max(0.0, (email.utils.parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    return None


@contextmanager
def _unlogged() -> Iterator[None]:
    """Httpx logs the address of each request, httpcore's loggers parts of it."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [(logger, logger.level) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in before:
            logger.setLevel(level)


def add_command(commands: Any) -> None:
    """Add the command to the console command's."""
    parser = commands.add_parser(
        "alert",
        help="post one message to Slack",
        description=f"Post one message to Slack by the webhook in {WEBHOOK_VARIABLE}, with a link to Data Docs. "
        "Exit code: 0 if Slack took it, 2 if not.",
    )
    parser.add_argument("summary", help="what happened, in one line")
    parser.add_argument("--place", help="the file that it is about")
    parser.add_argument("--validation", type=Path, metavar="FILE", help="what `validate --json` printed")
    parser.add_argument("--quarantined", type=Path, metavar="FILE", help="what `quarantine --json` printed")
    parser.add_argument("--run-name", help="which run it was")
    parser.add_argument(
        "--data-docs", metavar="URL", help=f"where the result is shown (default: the validation's, {DOCS_VARIABLE})"
    )
    add_json(parser)


def run_command(options: argparse.Namespace) -> int:
    """Post it; returns the exit code."""
    return run(_run, options)


def _run(options: argparse.Namespace) -> int:
    alert(
        options.summary,
        place=options.place,
        validation=read_report(options.validation),
        quarantined=read_report(options.quarantined),
        run_name=options.run_name,
        data_docs=options.data_docs,
    )
    return finish(options, {"posted": True}, "Posted.")
