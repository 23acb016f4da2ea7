"""Replaces a local file as a whole: whoever reads it, and whatever dies, it is the old one or the new one."""

import contextlib
import fcntl
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def append_whole(path: Path, append: Callable[[Path], bool], confirm: Callable[[], None]) -> None:
    """Let `append` change a copy of the file, and put it in the file's place unless it says that it changed nothing.

    `confirm` is called right before, and raises when that mustn't be done any more. The file is locked (flock) meanwhile: a
    writer that was stopped after `confirm` can't put in place what another has gone beyond. Raises OSError, also when
    somebody else holds the lock or has changed the file since it was copied: then it is to be tried again.
    """
    path = path.resolve()
    copy = path.with_name(f".{path.name}.appending")
    with path.open("rb") as file:
        status = _lock(file, path)
        try:
            shutil.copyfile(path, copy)
            if not append(copy):
                return
            copy.chmod(stat.S_IMODE(status.st_mode))
            with contextlib.suppress(PermissionError):  # only root may give files away
                os.chown(copy, status.st_uid, status.st_gid)
            _sync(copy)
            confirm()
            if _version(path.stat()) != _version(status):
                raise OSError(f"{path} was changed by somebody else while rows were appended to a copy of it.")
            copy.replace(path)
            _sync(path.parent)
        finally:
            copy.unlink(missing_ok=True)


def _lock(file: BinaryIO, path: Path) -> os.stat_result:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OSError(f"Another process is appending to {path}.") from error
    status = os.fstat(file.fileno())
    if status.st_ino != path.stat().st_ino:
        raise OSError(f"{path} was replaced just now.")
    return status


def _version(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _sync(path: Path) -> None:
    """To the disk; a rename is durable once its folder is."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
