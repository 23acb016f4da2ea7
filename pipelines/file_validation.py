"""A file judged by its checkpoint: Great Expectations runs it, keeps the result in its store and updates Data Docs.

Great Expectations gives wrong verdicts where threads share it, and two runs that write one index of Data Docs lose each other's
lines: one run at a time in a process, and in a project, by a lock beside the results.

The checkpoint's Slack action is left out unless it is asked for, and `pipelines.alert` posts the one message: GX's own
action fails the whole run where SLACK_WEBHOOK isn't set, waits for Slack without end, and takes a message that wasn't posted
for no failure.
"""

import argparse
import fcntl
import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import orjson

from pipelines.commands import BAD_DATA, DONE, add_expectations, add_json, finish, run
from pipelines.errors import BadInput, PipelineError
from pipelines.places import Read, name_of, read_frame

if TYPE_CHECKING:
    from great_expectations.checkpoint.checkpoint import CheckpointResult
    from great_expectations.data_context.data_context.abstract_data_context import AbstractDataContext

DOCS_VARIABLE = "DATA_DOCS_URL"
PROJECT_FILE = "great_expectations.yml"
LOCK_FILE = ".lock"
EXAMPLES = 20
_DESCRIPTION = """Judge a csv or parquet file (a local path or s3://bucket/key) by a checkpoint of a Great Expectations project;
the result goes to the project's store and to its Data Docs. Exit code: 0 if the file is as expected, 1 if not, 2 if that can't
be told."""
_one_at_a_time = threading.Lock()


@dataclass(frozen=True, slots=True)
class FileValidation:
    """What a checkpoint says of a file.

    `etag` is the one of the bytes that were judged. An entry of `failed` has type, column, kwargs and severity of an
    expectation, and of its result what there is: unexpected_count, unexpected_percent, rows (the first, counted from 0),
    examples, observed_value, or error where it couldn't be evaluated.
    """

    place: str
    etag: str
    checkpoint: str
    success: bool
    rows: int
    statistics: dict[str, Any]
    failed: list[dict[str, Any]]
    result_place: str | None
    data_docs: str | None

    def as_json(self) -> dict[str, Any]:
        """The same for machines."""
        return asdict(self)


def validate_file(place: str, checkpoint: str, expectations: Path, *, slack: bool = False) -> FileValidation:
    """Judge a file by a checkpoint of the project in the folder `expectations`; raises PipelineError where that can't be.

    With `slack`, the checkpoint's own Slack action runs, too, if it has one.
    """
    if not (expectations / PROJECT_FILE).is_file():
        raise BadInput(f"There is no Great Expectations project at {expectations}: it has no {PROJECT_FILE}.")
    read = read_frame(place)
    with _one_at_a_time, _locked(expectations):
        context = _context(expectations)
        return _report(context, checkpoint, read, _run(context, checkpoint, read, slack))


def _context(expectations: Path) -> "AbstractDataContext":
    import great_expectations as gx

    try:
        return gx.get_context(mode="file", context_root_dir=expectations)
    except Exception as error:  # GX's, marshmallow's, yaml's
        raise BadInput(f"The Great Expectations project at {expectations} can't be opened: {_described(error)}") from error


def _run(context: "AbstractDataContext", name: str, read: Read, slack: bool) -> "CheckpointResult":
    from great_expectations.core.run_identifier import RunIdentifier

    from pipelines.quiet_checkpoint import without_slack

    known = sorted(one.name for one in context.checkpoints.all())
    if name not in known:
        raise BadInput(f"The project has no checkpoint {name}; it has: {', '.join(known) or 'none'}.")
    # The run's name is a folder's, too.
    run_id = RunIdentifier(run_name=re.sub(r"[^\w.-]", "_", name_of(read.stat.place)), run_time=datetime.now(UTC))
    try:
        stored = context.checkpoints.get(name)
        checkpoint = stored if slack else without_slack(stored)
        return checkpoint.run(batch_parameters={"dataframe": read.frame}, run_id=run_id)
    except Exception as error:  # GX's, and those of its actions
        raise PipelineError(f"The checkpoint {name} can't be run on {read.stat.place}: {_described(error)}") from error


def _report(context: "AbstractDataContext", name: str, read: Read, result: "CheckpointResult") -> FileValidation:
    results: list[tuple[Any, dict[str, Any]]] = []
    for key, one in result.run_results.items():
        results.append((key, one.to_json_dict()))  # type: ignore[no-untyped-call]
    counts = ("evaluated_expectations", "successful_expectations", "unsuccessful_expectations")
    statistics: dict[str, Any] = {each: sum(one["statistics"][each] for _, one in results) for each in counts}
    evaluated = statistics["evaluated_expectations"]
    statistics["success_percent"] = 100 * statistics["successful_expectations"] / evaluated if evaluated else None
    if not evaluated:
        # A suite without expectations would pass whatever the file holds.
        raise BadInput(f"The checkpoint {name} evaluates no expectations.")
    failed = [_failed(one) for _, each in results for one in each["results"] if not one["success"]]
    first = results[0][0]
    return FileValidation(
        place=read.stat.place,
        etag=read.stat.etag,
        checkpoint=name,
        success=bool(result.success),
        rows=len(read.frame),
        statistics=statistics,
        failed=failed,
        result_place=_path(context.validation_results_store.store_backend.get_url_for_key(first.to_tuple())),
        data_docs=_docs(context, first),
    )


def _failed(one: Mapping[str, Any]) -> dict[str, Any]:
    configuration, result = one["expectation_config"], one.get("result") or {}
    kwargs = {name: value for name, value in configuration["kwargs"].items() if name != "batch_id"}
    failure = {
        "type": configuration["type"],
        "column": kwargs.get("column"),
        "kwargs": kwargs,
        "severity": configuration.get("severity"),
        "unexpected_count": result.get("unexpected_count"),
        "unexpected_percent": result.get("unexpected_percent"),
        "rows": (result.get("partial_unexpected_index_list") or result.get("unexpected_index_list") or [])[:EXAMPLES],
        "examples": (result.get("partial_unexpected_list") or [])[:EXAMPLES],
        "observed_value": result.get("observed_value"),
        "error": _exception(one.get("exception_info") or {}),
    }
    present = {key: value for key, value in failure.items() if value not in (None, []) or key in ("type", "column")}
    # Infinities and NaN, which JSON doesn't have, become null.
    plain: dict[str, Any] = orjson.loads(orjson.dumps(present, default=str, option=orjson.OPT_NON_STR_KEYS))
    return plain


def _exception(info: Mapping[str, Any]) -> str | None:
    """The message of an expectation that couldn't be evaluated; GX keeps one, or one for each metric."""
    each = [info] if "raised_exception" in info else list(info.values())
    messages = [str(one.get("exception_message")) for one in each if isinstance(one, Mapping) and one.get("raised_exception")]
    return messages[0] if messages else None


def _docs(context: "AbstractDataContext", key: Any) -> str | None:
    """Where the result is shown: at DATA_DOCS_URL if that is set, else where GX wrote it."""
    urls = [site["site_url"] for site in context.get_docs_sites_urls(resource_identifier=key) if site["site_url"]]
    if not urls:
        return None
    index = [site["site_url"] for site in context.get_docs_sites_urls() if site["site_url"]]
    public = os.environ.get(DOCS_VARIABLE)
    if not public or not index:
        return str(urls[0])
    root = str(index[0]).removesuffix("index.html")
    return public.rstrip("/").removesuffix("/index.html") + "/" + str(urls[0]).removeprefix(root)


def _path(url: str) -> str:
    """A file's path, or an address that is none."""
    parts = urlsplit(url)
    return unquote(parts.path) if parts.scheme == "file" else url


@contextmanager
def _locked(expectations: Path) -> Iterator[None]:
    folder = expectations / "uncommitted"
    try:
        folder.mkdir(exist_ok=True)
        with (folder / LOCK_FILE).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
    except PermissionError as error:
        raise BadInput(f"Results and Data Docs can't be written to {folder}: {error.strerror}.") from error


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def add_command(commands: Any) -> None:
    """Add the command to the console command's."""
    parser = commands.add_parser("validate", help="judge a file by its checkpoint", description=_DESCRIPTION)
    parser.add_argument("file", help="a csv or parquet file, or s3://bucket/key")
    parser.add_argument("--checkpoint", required=True, help="the checkpoint's name")
    add_expectations(parser)
    add_json(parser)


def run_command(options: argparse.Namespace) -> int:
    """Judge it; returns the exit code."""
    return run(_validate, options)


def _validate(options: argparse.Namespace) -> int:
    validation = validate_file(options.file, options.checkpoint, options.expectations)
    return finish(options, validation.as_json(), text_of(validation), DONE if validation.success else BAD_DATA)


def text_of(validation: FileValidation) -> str:
    """What is printed for people."""
    verdict = "is as expected" if validation.success else "is NOT as expected"
    evaluated = validation.statistics["evaluated_expectations"]
    lines = [f"{validation.place} {verdict}: {validation.rows:,} rows, {evaluated} expectations"]
    for one in validation.failed:
        of = f" of {one['column']}" if one["column"] else ""
        count = f": {one['unexpected_count']:,} rows" if "unexpected_count" in one else ""
        examples = f", such as {', '.join(map(str, one['examples'][:5]))}" if "examples" in one else ""
        error = f": {one['error']}" if "error" in one else ""
        lines.append(f"  {one['type']}{of}{count}{examples}{error}")
    return "\n".join([*lines, f"Result: {validation.result_place}", f"Data Docs: {validation.data_docs}"])
