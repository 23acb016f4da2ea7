"""Local files, with what `pipelines.s3` has for objects: a file appears as a whole or not at all."""

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pipelines.errors import AccessDenied, ObjectChanged, PipelineError, PlaceNotFound
from pipelines.stats import Stat


def stat(place: str) -> Stat:
    """Size and SHA-256 of a file, which is read for it; raises PlaceNotFound."""
    with _told(place, "read"), Path(place).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Stat(place, file.tell(), digest)


def download(place: str, file: IO[bytes]) -> Stat:
    """Copy a file into an open one, and tell which it was."""
    with _told(place, "read"), Path(place).open("rb") as source:
        shutil.copyfileobj(source, file)
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]  # any file that is open for reading
    size = file.tell()
    file.seek(0)
    return Stat(place, size, digest)


def upload(path: Path, place: str, *, replace: bool = True) -> None:
    """Write a file's content; what lay there is replaced at once, or stays as it was if this fails.

    Raises ObjectChanged when something lies there and isn't to be replaced.
    """
    target = Path(place)
    with _told(place, "write"):
        target.parent.mkdir(parents=True, exist_ok=True)
        with _partial(target) as partial:
            with path.open("rb") as source, partial.open("wb") as file:
                shutil.copyfileobj(source, file)
                file.flush()
                os.fsync(file.fileno())
            if replace:
                partial.replace(target)
            else:
                os.link(partial, target)
        _sync_folder(target.parent)


def put(body: bytes, place: str) -> None:
    """Write a small file."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(body)
        file.flush()
        upload(Path(file.name), place)


def delete(place: str, etag: str) -> None:
    """Delete a file if it is still that one; raises ObjectChanged."""
    with _told(place, "delete"):
        if stat(place).etag != etag:
            raise ObjectChanged(f"{place} isn't what it was when it was looked at; it isn't deleted.")
        Path(place).unlink()


@contextmanager
def _partial(target: Path) -> Iterator[Path]:
    """A name beside the target, so that it can take its place in one step."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".partial")
    os.close(handle)
    # mkstemp's files are for their owner alone.
    umask = os.umask(0)
    os.umask(umask)
    Path(name).chmod(0o666 & ~umask)
    try:
        yield Path(name)
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()


def _sync_folder(folder: Path) -> None:
    """A file's name outlives a power cut when its folder was written, too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _told(place: str, doing: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise PlaceNotFound(f"{place} isn't there: check the path, and whether it was written already.") from error
    except FileExistsError as error:
        raise ObjectChanged(f"{place} is there already; it isn't overwritten.") from error
    except PermissionError as error:
        raise AccessDenied(f"This user may not {doing} {place}: {error.strerror}.") from error
    except OSError as error:
        raise PipelineError(f"{place} can't be used ({doing}): {error.strerror or error}.") from error
