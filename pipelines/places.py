"""Places: a local path or `s3://bucket/key`, the same to whoever reads or writes there.

read_frame     a csv or parquet file as a data frame, and the ETag of exactly those bytes
write_table    an Arrow table as parquet; what lay there is replaced at once, or stays if it fails
stat           size and ETag
copy, delete   of one very object, known by its ETag; quarantine makes a move of them
"""

import errno
import os
import tempfile
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import orjson

from pipelines import local_files
from pipelines.errors import BadInput, ObjectChanged, PipelineError, PlaceNotFound
from pipelines.stats import Stat

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped]
    import pyarrow as pa

SCHEME = "s3://"
CSV, PARQUET = (".csv", ".csv.gz"), (".parquet", ".pq")


@dataclass(frozen=True, slots=True)
class Read:
    """What lay at a place, and which object it was."""

    frame: "pd.DataFrame"
    stat: Stat


def is_s3(place: str) -> bool:
    """Whether a place is an address in S3."""
    return place.startswith(SCHEME)


def name_of(place: str) -> str:
    """The last part of a place."""
    return place.rstrip("/").rpartition("/")[2]


def inside(folder: str, name: str) -> str:
    """A place in a folder, which is a local path or `s3://bucket/prefix`."""
    return f"{folder.rstrip('/')}/{name}"


def check_format(place: str) -> None:
    """Refuse a place that isn't named as csv or parquet: BadInput."""
    if not place.lower().endswith((*CSV, *PARQUET)):
        raise BadInput(f"{place} is neither .csv, .csv.gz nor .parquet, so there is no telling how to read it.")


def check_output(place: str) -> None:
    """Refuse a place that a parquet file can't be written to, before the work is done: BadInput, AccessDenied ..."""
    if not place.lower().endswith(PARQUET):
        raise BadInput(f"The output {place} isn't named .parquet, which is what is written.")
    if is_s3(place):
        _s3().check_bucket(place)


def stat(place: str) -> Stat:
    """Size and ETag; raises PlaceNotFound."""
    return _s3().stat(place) if is_s3(place) else local_files.stat(place)


def stat_if_there(place: str) -> Stat | None:
    """Size and ETag, or None where nothing is."""
    try:
        return stat(place)
    except PlaceNotFound:
        return None


def read_frame(place: str, texts: Collection[str] = ()) -> Read:
    """A csv or parquet file as pandas reads it, every number exactly; raises PlaceNotFound, BadInput ...

    `texts` are columns of a csv that are texts even where they look like numbers (007).
    """
    check_format(place)
    with tempfile.TemporaryFile() as file:
        found = download(place, file)
        return Read(_parsed(place, file, texts), found)


def download(place: str, file: IO[bytes]) -> Stat:
    """Write what lies at a place to an open file, and tell which object it was."""
    return _s3().download(place, file) if is_s3(place) else local_files.download(place, file)


def write_table(table: "pa.Table", place: str) -> None:
    """Write parquet, never half of it."""
    import pyarrow.parquet as pq

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "table.parquet")
        try:
            pq.write_table(table, path)
        except OSError as error:
            raise PipelineError(f"{place} can't be written: {os.strerror(error.errno or errno.EIO)} in {folder}.") from error
        upload(path, place)


def upload(path: Path, place: str) -> None:
    """Put a local file at a place, at once."""
    if is_s3(place):
        _s3().upload(path, place)
    else:
        local_files.upload(path, place)


def write_json(content: Any, place: str) -> None:
    """Write JSON for machines and people; infinities and NaN, which it doesn't have, are null."""
    body = orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS, default=str)
    if is_s3(place):
        _s3().put(body, place, "application/json")
    else:
        local_files.put(body, place)


def copy(source: Stat, target: str) -> None:
    """Copy that very object to a place where nothing is; raises ObjectChanged when it isn't so."""
    if is_s3(source.place) and is_s3(target):
        _s3().copy(source, target)
        return
    with tempfile.NamedTemporaryFile() as file:
        if download(source.place, file).etag != source.etag:
            raise ObjectChanged(f"{source.place} isn't what it was when it was looked at.")
        file.flush()
        if is_s3(target):
            _s3().upload_new(Path(file.name), target)
        else:
            local_files.upload(Path(file.name), target, replace=False)


def same_content(one: Stat, other: Stat) -> bool:
    """Whether two places hold the same bytes; they are read where their ETags don't tell."""
    if one.size != other.size:
        return False
    return one.etag == other.etag or digest(one.place) == digest(other.place)


def digest(place: str) -> str:
    """SHA-256 of what lies at a place."""
    return _s3().digest(place) if is_s3(place) else local_files.stat(place).etag


def delete(found: Stat) -> None:
    """Delete that very object; raises ObjectChanged when another one is there."""
    if is_s3(found.place):
        _s3().delete(found.place, found.etag)
    else:
        local_files.delete(found.place, found.etag)


def _parsed(place: str, file: IO[bytes], texts: Collection[str]) -> "pd.DataFrame":
    import pandas as pd

    name = place.lower()
    try:
        if name.endswith(PARQUET):
            return pd.read_parquet(file).reset_index(drop=True)
        packed = "gzip" if name.endswith(".gz") else None
        frame = pd.read_csv(
            file, low_memory=False, float_precision="round_trip", compression=packed, dtype=dict.fromkeys(texts, "str")
        )
    except pd.errors.EmptyDataError as error:
        raise BadInput(f"{place} is empty: not even a header is there.") from error
    except (ValueError, OSError, EOFError, zlib.error) as error:
        # pandas' and Arrow's errors of what a file holds are ValueErrors and OSErrors.
        kind = "parquet" if name.endswith(PARQUET) else "csv"
        raise BadInput(f"{place} isn't {kind} that can be read: {str(error).strip()}") from error
    if not isinstance(frame.index, pd.RangeIndex):
        raise BadInput(f"{place}: its rows have more fields than its header. Quote values that hold commas.")
    return frame


def _s3() -> Any:
    """Boto3 takes half a second to import: only where S3 is used."""
    from pipelines import s3

    return s3
