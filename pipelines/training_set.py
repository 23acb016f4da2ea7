"""A training set: features joined to entities as of each one's event_timestamp, as parquet."""

import argparse
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipelines.commands import add_features, add_json, add_repo, features_of, finish, run
from pipelines.places import check_format, check_output, read_frame, write_table

_DESCRIPTION = """Join features to entities, each as of its own event_timestamp (Feast's point-in-time join, on-demand feature
views included), and write parquet. Every entity is kept, in its order; features that it didn't have at that time are null.
Files are local paths or s3://bucket/key. Exit code: 0 if it is done, 2 if it couldn't be done."""


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """What was written, and how long it took."""

    rows: int
    columns: tuple[str, ...]
    seconds: float
    place: str

    def as_json(self) -> dict[str, Any]:
        """The same for machines."""
        return asdict(self) | {"columns": list(self.columns)}


def make_training_set(
    repo: Path, entities: str, features: Sequence[str] | str, output: str, *, full_feature_names: bool = False
) -> TrainingSet:
    """Join `features` (references, or the name of a feature service) to the entities, and write them to `output`, a parquet.

    `entities` is csv or parquet with the join keys, event_timestamp and the request data of on-demand views; whatever else it
    has (the label) is kept. Raises PipelineError; then `output` is what it was.
    """
    begin = time.monotonic()
    check_output(output)
    check_format(entities)
    from pipelines.entities import entities as checked
    from pipelines.entities import texts
    from pipelines.joining import joined, open_store, selected

    store = open_store(repo)
    selection = selected(store, features)
    given = read_frame(entities, texts(selection)).frame
    table = joined(store, selection, checked(entities, given, selection), full_feature_names=full_feature_names)
    write_table(table, output)
    return TrainingSet(table.num_rows, tuple(table.column_names), round(time.monotonic() - begin, 3), output)


def add_command(commands: Any) -> None:
    """Add the command to the console command's."""
    parser = commands.add_parser("training-set", help="join features to entities, as of their time", description=_DESCRIPTION)
    add_repo(parser)
    parser.add_argument("--entities", required=True, metavar="FILE", help="csv or parquet with event_timestamp")
    add_features(parser)
    parser.add_argument("--full-feature-names", action="store_true", help="name columns view__feature")
    parser.add_argument("--output", required=True, metavar="FILE", help="the parquet file to write")
    add_json(parser)


def run_command(options: argparse.Namespace) -> int:
    """Make it; returns the exit code."""
    return run(_run, options)


def _run(options: argparse.Namespace) -> int:
    made = make_training_set(
        options.repo,
        options.entities,
        features_of(options),
        options.output,
        full_feature_names=options.full_feature_names,
    )
    return finish(
        options, made.as_json(), f"{made.rows:,} rows of {len(made.columns)} columns in {made.place} ({made.seconds:.1f} s)"
    )
