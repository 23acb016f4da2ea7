"""The functions of a registry's on-demand views, loaded when they or the repository's files have changed."""

import contextlib
import hashlib
import logging
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from service.catalog.functions.messages import LENGTH_BYTES, FunctionSource, LoadedFunction, Order
from service.catalog.functions.repository_files import RepositoryFiles
from service.catalog.functions.source_text import fingerprint, parse_function

logger = logging.getLogger(__name__)

MODULE = "service.catalog.functions.process"
# For all functions of one reading. A thousand take two; but one that uses a helper in the file of the definitions has that
# file imported, and with it Feast: five more, and several times as much on a busy machine.
LOADING_SECONDS = 40
# What couldn't be loaded may be mended by more than a change of files: a package was installed, a host came back.
RETRY_SECONDS = 300.0
# Of what the repository's modules print at import.
LOGGED_CHARACTERS = 2000
# What is wrong with one function is often wrong with all.
LOGGED_MESSAGES = 50


class _NotStarted(Exception):
    """The process that loads functions ended before it came to the first one."""


class FunctionLoader:
    """Keeps what was loaded; one for each registry that is read."""

    def __init__(self, repository: Path | None, seconds: int = LOADING_SECONDS) -> None:
        """`repository` is the folder with the files that define the views, if there is one; `seconds` is for one `load`."""
        self._files = RepositoryFiles(repository)
        self._seconds = seconds
        # Whether functions are being loaded at this moment.
        self.busy = False
        self._fingerprint = ""
        # By digest: what came of the files as they are, when it was tried, and what last could be loaded.
        self._loaded: dict[str, LoadedFunction] = {}
        self._tried: dict[str, float] = {}
        self._good: dict[str, LoadedFunction] = {}
        # By digest: the fingerprint of what a text defines.
        self._texts: dict[str, str | None] = {}
        self._told: set[str] = set()

    def load(self, views: Mapping[str, FunctionSource]) -> dict[str, LoadedFunction]:
        """The functions of views (`name`, or `name@v2` for an earlier version), by view.

        Blocks for as long as `seconds` when there is something to load. What can't be loaded any more since the files have
        changed stays as it was; all that the owner of a view should know is logged, once.
        """
        if not views:
            return {}
        scanned = self._files.scan()
        if scanned != self._fingerprint:
            self._fingerprint, self._loaded, self._tried = scanned, {}, {}
        sources = {source.digest: source for source in views.values()}
        self.busy = True
        try:
            self._load(self._missing(sources.values()))
        finally:
            self.busy = False
        for kept in (self._loaded, self._tried, self._good, self._texts):
            for digest in kept.keys() - sources.keys():
                del kept[digest]
        found = {view: self._good.get(source.digest) or self._loaded[source.digest] for view, source in views.items()}
        self._tell(set(self._messages(views)))
        return found

    def _missing(self, sources: Iterable[FunctionSource]) -> list[FunctionSource]:
        """Those that are to be loaded; first what hasn't failed yet, for it may take all the time."""
        now = time.monotonic()
        missing = [
            source
            for source in sources
            if source.digest not in self._loaded
            or (self._loaded[source.digest].reason and now - self._tried.get(source.digest, -math.inf) > RETRY_SECONDS)
        ]
        return sorted(missing, key=lambda source: (source.digest in self._tried, source.digest))

    def _load(self, missing: list[FunctionSource]) -> None:
        deadline = time.monotonic() + self._seconds
        waiting = [self._with_module(source) for source in missing]
        while waiting:
            left = deadline - time.monotonic()
            if left <= 0:
                break
            try:
                replies, end = _run(Order(self._folder, self._fingerprint, self._seconds, waiting), left)
            except _NotStarted:
                logger.error("The process that loads functions didn't start; what it printed is above.")
                break
            if len(replies) < len(waiting):
                replies.append(LoadedFunction(waiting[len(replies)].digest, reason=end))
            for reply in replies:
                self._loaded[reply.digest] = reply
                self._tried[reply.digest] = time.monotonic()
                if not reply.reason:
                    self._good[reply.digest] = reply
            waiting = waiting[len(replies) :]
        for source in waiting:
            # Without a time at which it was tried: the next reading does.
            reason = f"wasn't loaded yet: others took {self._seconds} s, or the process that does it can't start."
            self._loaded[source.digest] = LoadedFunction(source.digest, reason=reason)

    @property
    def _folder(self) -> str | None:
        return str(self._files.folder.resolve()) if self._files.folder else None

    def _with_module(self, source: FunctionSource) -> FunctionSource:
        defined = self._defined(source)
        return msgspec.structs.replace(source, module=self._files.module(source.name, defined) if defined else "")

    def _defined(self, source: FunctionSource) -> str | None:
        if source.digest not in self._texts:
            definition = parse_function(source.text, source.name)
            self._texts[source.digest] = fingerprint(definition) if definition else None
        return self._texts[source.digest]

    def _messages(self, views: Mapping[str, FunctionSource]) -> Iterator[str]:
        for view, source in views.items():
            loaded = self._loaded[source.digest]
            if loaded.reason and source.digest in self._good:
                yield f"{view}: function {source.name} is served as it was; now it {loaded.reason} {loaded.note}"
            elif loaded.reason or loaded.note:
                yield f"{view}: function {source.name} {loaded.reason or 'is served.'} {loaded.note}"
            defined = self._defined(source)
            ours = self._files.functions(view, source.name) if defined and "@" not in view else []
            if ours and defined not in {each.fingerprint for each in ours}:
                yield (
                    f"{view}: the repository's function {source.name} ({ours[0].file}) differs from the registry's, which is "
                    "served; run feast apply."
                )

    def _tell(self, messages: set[str]) -> None:
        new = sorted(messages - self._told)
        for message in new[:LOGGED_MESSAGES]:
            logger.warning("On-demand feature view %s", message.rstrip())
        if len(new) > LOGGED_MESSAGES:
            logger.warning("There are %d more such messages.", len(new) - LOGGED_MESSAGES)
        self._told = messages


def digest_of(*parts: bytes) -> str:
    """Of all that the registry has of a function."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8))
        digest.update(part)
    return digest.hexdigest()


def _run(order: Order, seconds: float) -> tuple[list[LoadedFunction], str]:
    """The functions that one process loaded, in order; if not all, also the reason why it ended at the next."""
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
    with tempfile.TemporaryDirectory() as folder:
        replies, printed = Path(folder, "replies"), Path(folder, "printed")
        with (
            printed.open("wb") as output,
            subprocess.Popen(
                [sys.executable, "-m", MODULE, str(replies)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            ) as process,
        ):
            try:
                process.communicate(msgspec.msgpack.encode(order), timeout=seconds)
                end = f"made the process that loads it end with code {process.returncode}."
            except subprocess.TimeoutExpired:
                end = f"wasn't loaded within {seconds:.0f} s."
            finally:
                # And whatever the repository's modules have started.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        if said := printed.read_text(errors="replace").strip():
            logger.info("While functions were loaded, this was printed: %s", said[:LOGGED_CHARACTERS])
        if not replies.exists():
            raise _NotStarted
        return list(_replies(replies.read_bytes())), end


def _replies(data: bytes) -> Iterator[LoadedFunction]:
    """Those that were written whole."""
    start = 0
    while start + LENGTH_BYTES <= len(data):
        end = start + LENGTH_BYTES + int.from_bytes(data[start : start + LENGTH_BYTES])
        if end > len(data):
            return
        yield msgspec.msgpack.decode(data[start + LENGTH_BYTES : end], type=LoadedFunction)
        start = end
