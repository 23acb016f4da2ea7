"""A bad file moved out of the way, with what was found wrong with it beside it, and never lost.

    1  look at the original: is it the object that was validated?
    2  copy it to where nothing is
    3  compare both
    4  write the validation's result beside the copy
    5  delete the original, if it still is that object: the server decides

A failure or a kill at any step leaves the original or the whole copy, mostly both; the same call, made again, does the rest.
"""

import argparse
import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipelines.commands import add_json, finish, read_report, run
from pipelines.errors import BadInput, ObjectChanged, PlaceNotFound, PlaceTaken
from pipelines.places import copy, delete, download, inside, name_of, same_content, stat, stat_if_there, write_json
from pipelines.stats import Stat

RESULT_SUFFIX = ".validation.json"
_DESCRIPTION = """Move a file (a local path or s3://bucket/key) into a folder, with the result of its validation beside it. It
is copied, compared, and only then deleted; after a failure the same command does what isn't done yet. Exit code: 0 if it is
moved, 2 if it couldn't be moved."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Where the file is now, and where the result of its validation."""

    place: str
    result_place: str

    def as_json(self) -> dict[str, Any]:
        """The same for machines."""
        return asdict(self)


def quarantine(place: str, folder: str, validation: Mapping[str, Any] | None = None, etag: str | None = None) -> Quarantined:
    """Move a file into `folder`, which is to be another one for each run: a file that is there isn't overwritten.

    `validation` is FileValidation.as_json(); `etag`, by default the validation's, tells which object was judged. Raises
    ObjectChanged when another one is there now, PlaceTaken, PlaceNotFound and others; the original is lost in no case.
    """
    etag = (etag or (validation or {}).get("etag") or "").strip('"') or None
    target = inside(folder, name_of(place))
    if target == place:
        raise BadInput(f"{place} is in {folder} already: name another folder as quarantine.")
    moved = Quarantined(target, target + RESULT_SUFFIX)
    original = stat_if_there(place)
    if original is None:
        _finish_earlier(place, moved, validation, etag)
        return moved
    if etag is not None and original.etag != etag:
        raise ObjectChanged(f"{place} was replaced since it was validated; nothing was moved. Validate what is there now.")
    _copy(original, target)
    _write_result(original, moved, validation)
    _delete(original, target)
    return moved


def _copy(original: Stat, target: str) -> None:
    """Have the very same content at the target; raises PlaceTaken where something else is."""
    there = stat_if_there(target)
    if there is None:
        try:
            copy(original, target)
        except ObjectChanged:
            # Either the original was replaced, or a request that was sent twice met its own copy: the comparison tells.
            if stat(original.place).etag != original.etag:
                raise
        there = stat(target)
    if not same_content(original, there):
        raise PlaceTaken(
            f"{target} is there already and isn't what is at {original.place}; nothing was moved. Name another folder."
        )


def _delete(original: Stat, target: str) -> None:
    try:
        delete(original)
    except (ObjectChanged, PlaceNotFound) as error:
        # A request that is sent again, since its answer was lost, finds that the first one did it.
        if stat_if_there(original.place) is None:
            return
        raise ObjectChanged(
            f"{original.place} was replaced while it was moved: what was validated is in {target}, what is there now was left."
        ) from error


def _finish_earlier(place: str, moved: Quarantined, validation: Mapping[str, Any] | None, etag: str | None) -> None:
    """Where the original is gone: all is well if an earlier call moved it."""
    there = stat_if_there(moved.place)
    result = stat_if_there(moved.result_place)
    if there is None or result is None:
        # The original is deleted last, so an earlier call would have left both.
        raise PlaceNotFound(f"{place} isn't there, nor was it moved to {moved.place}. Check the address.")
    if etag is not None and there.etag != etag and _recorded(moved.result_place) != etag:
        raise PlaceTaken(f"{place} isn't there, and {moved.place} isn't what was validated. Look for it in other folders.")


def _write_result(original: Stat, moved: Quarantined, validation: Mapping[str, Any] | None) -> None:
    write_json(
        {
            "quarantined_from": original.place,
            "place": moved.place,
            "etag": original.etag,
            "size": original.size,
            "validation": validation,
        },
        moved.result_place,
    )


def _recorded(result_place: str) -> Any:
    """The original's ETag, as it was written beside the copy: a copy in parts has another one."""
    with tempfile.TemporaryFile() as file:
        download(result_place, file)
        try:
            return json.load(file).get("etag")
        except (ValueError, AttributeError):
            return None


def add_command(commands: Any) -> None:
    """Add the command to the console command's."""
    parser = commands.add_parser("quarantine", help="move a bad file out of the way", description=_DESCRIPTION)
    parser.add_argument("file", help="a file, or s3://bucket/key")
    parser.add_argument("--folder", required=True, help="where to: a folder, or s3://bucket/prefix; another one for each run")
    parser.add_argument("--validation", type=Path, metavar="FILE", help="what `validate --json` printed; kept beside the file")
    parser.add_argument("--etag", help="which object was validated (default: the validation's)")
    add_json(parser)


def run_command(options: argparse.Namespace) -> int:
    """Move it; returns the exit code."""
    return run(_run, options)


def _run(options: argparse.Namespace) -> int:
    moved = quarantine(options.file, options.folder, read_report(options.validation), options.etag)
    return finish(options, moved.as_json(), f"{options.file} is in {moved.place}, its result in {moved.result_place}")
