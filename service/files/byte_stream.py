"""The bytes of a text file for Arrow, which reads them in a thread of its own, with something put behind them."""

import gzip
import io
import threading
import zlib
from pathlib import Path
from typing import Self

# Arrow reads ahead of what was asked for. When its reader is dropped in the middle it either asks once more, at once, or
# never again.
_LAST_READ_SECONDS = 0.1


class ByteStream:
    """What pyarrow takes for a file. Of what pandas reads in another way, or not at all, it tells in `problem`, and ends.

    Nothing is raised from `read`, and nothing may be read any more when the interpreter ends: both end the process.
    """

    closed = False

    def __init__(self, path: Path, end: bytes = b"") -> None:
        """`end` is what is put behind the file, which is decompressed if its name ends in .gz; raises OSError."""
        self.problem: str | None = None
        self._path = path
        self._end = end
        file: io.BufferedIOBase = path.open("rb")
        self._file = gzip.GzipFile(fileobj=file) if path.suffix.lower() == ".gz" else file
        self._raw = file
        self._after_return = False
        self._dropped = self._given_away = False
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._dropped = True
        if self._given_away:
            self._ended.wait(_LAST_READ_SECONDS)
        self._file.close()
        self._raw.close()

    def read(self, size: int) -> bytes:
        """The next bytes for Arrow, none at the end."""
        self._given_away = True
        block = b"" if self._dropped or self.problem else self.take(size)
        if not block:
            self._ended.set()
        return block

    def take(self, size: int) -> bytes:
        """The next bytes, none at the end."""
        try:
            block = self._file.read(max(size - len(self._end), 1))
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            self.problem = f"{self._path} isn't a whole gzip file: {str(error).rstrip('.')}."
            return b""
        except OSError as error:
            self.problem = f"{self._path} can't be read: {error.strerror}."
            return b""
        if len(block) < size - len(self._end):
            block, self._end = block + self._end, b""
        self.problem = self._defect(block)
        return b"" if self.problem else block

    def _defect(self, block: bytes) -> str | None:
        """What is wrong with some bytes."""
        if b"\0" in block:
            return f"{self._path} holds zero bytes: it isn't text, or in another encoding than UTF-8."
        # A carriage return alone ends a line for Arrow, and brings pandas 2.3 to a halt behind an empty line.
        alone = self._after_return and not block.startswith(b"\n")
        self._after_return = block.endswith(b"\r")
        if alone or (b"\r" in block and block.count(b"\r") - self._after_return > block.count(b"\r\n")):
            return f"{self._path} has carriage returns without line feeds; end its lines with \\n or \\r\\n."
        return None

    # What pyarrow asks of a file besides.

    def readable(self) -> bool:
        """It can be read."""
        return True

    def writable(self) -> bool:
        """It can't be written."""
        return False

    def seekable(self) -> bool:
        """It is read from the beginning to the end."""
        return False

    def close(self) -> None:
        """Closed by whom opened it."""
