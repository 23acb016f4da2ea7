"""Validated data with features beside them, as of one given moment, as parquet; and the verdict of a checkpoint on it."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines.commands import (
    BAD_DATA,
    DONE,
    add_expectations,
    add_features,
    add_json,
    add_repo,
    features_of,
    finish,
    moment,
    run,
)
from pipelines.errors import BadInput, ObjectChanged
from pipelines.file_validation import text_of, validate_file
from pipelines.places import check_format, check_output, read_frame, write_table

CHECKPOINT = "enriched_data_checkpoint"
FEATURES = ("customer_stats:loyalty_score", "transaction_stats:txn_count_7d")
TIME = "event_timestamp"
_DESCRIPTION = """Join features to the rows of a file as of one moment, write them as parquet, and judge that by a checkpoint.
Every row is kept, in its order. Files are local paths or s3://bucket/key. Exit code: 0 if it is done, 1 if the result isn't as
expected, 2 if it couldn't be done."""


@dataclass(frozen=True, slots=True)
class Enrichment:
    """What was written."""

    rows: int
    columns: tuple[str, ...]
    place: str

    def as_json(self) -> dict[str, Any]:
        """The same for machines."""
        return asdict(self) | {"columns": list(self.columns)}


def enrich(
    repo: Path, source: str, features: Sequence[str] | str, output: str, event_time: datetime, *, etag: str | None = None
) -> Enrichment:
    """Join `features` (references, or the name of a feature service) to the rows of `source`, and write them to `output`.

    The features are those of `event_time`, which becomes the column event_timestamp: the end of the data interval and not the
    clock, so that a run for last week gives what it would have given then. With `etag`, the one of a FileValidation, nothing
    but the very bytes that were validated is enriched. Raises PipelineError; then `output` is what it was.
    """
    if event_time.tzinfo is None:
        raise BadInput(f"The event time {event_time.isoformat()} has no zone, so it isn't a moment; add Z or +00:00.")
    check_output(output)
    check_format(source)

    from pipelines.entities import entities, texts
    from pipelines.joining import joined, open_store, selected

    store = open_store(repo)
    selection = selected(store, features)
    read = read_frame(source, texts(selection))
    if etag is not None and read.stat.etag != etag:
        raise ObjectChanged(f"{source} was replaced since it was validated; nothing was enriched. Validate what is there now.")
    frame = read.frame
    if TIME in frame.columns:
        raise BadInput(f"{source} has a column {TIME} already: a training set is made of its own times, not an enrichment.")
    frame[TIME] = event_time.astimezone(UTC)
    table = joined(store, selection, entities(source, frame, selection))
    write_table(table, output)
    return Enrichment(table.num_rows, tuple(table.column_names), output)


def add_command(commands: Any) -> None:
    """Add the command to the console command's."""
    parser = commands.add_parser("enrich", help="join features to a file, and judge the result", description=_DESCRIPTION)
    add_repo(parser)
    parser.add_argument("--source", required=True, metavar="FILE", help="csv or parquet with the join keys")
    add_features(parser, FEATURES)
    parser.add_argument("--output", required=True, metavar="FILE", help="the parquet file to write")
    parser.add_argument(
        "--event-time",
        required=True,
        type=moment,
        metavar="TIME",
        help="as of when; ISO 8601 with a zone, 2026-01-31T12:00:00Z",
    )
    parser.add_argument("--etag", help="enrich nothing but the file with this ETag, as `validate --json` told it")
    parser.add_argument("--checkpoint", default=CHECKPOINT, help="what judges the result (default: %(default)s)")
    add_expectations(parser)
    add_json(parser)


def run_command(options: argparse.Namespace) -> int:
    """Enrich and judge; returns the exit code."""
    return run(_run, options)


def _run(options: argparse.Namespace) -> int:
    enriched = enrich(
        options.repo,
        options.source,
        features_of(options),
        options.output,
        options.event_time,
        etag=options.etag,
    )
    validation = validate_file(options.output, options.checkpoint, options.expectations)
    report = {"enrichment": enriched.as_json(), "validation": validation.as_json()}
    return finish(options, report, text_of(validation), DONE if validation.success else BAD_DATA)
