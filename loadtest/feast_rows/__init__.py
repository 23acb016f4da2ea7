"""What Feast's own online store makes of the rows of `customer_stats` in Redis: the benchmark's witness, in a child process.

The child (`__main__`) imports Feast; this, its client, doesn't.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from loadtest.errors import BenchmarkError
from loadtest.servers import Site
from loadtest.stored import StoredRow
from pipelines.local.process import die_with_parent

ANSWER = msgspec.json.Decoder(list[StoredRow | None])


class FeastRows:
    """Asks the child, one request after the other."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        """Take a running child; what it says on its stderr goes to `log`."""
        self._process = process
        self._log = log

    def read(self, ids: Sequence[int]) -> dict[int, StoredRow | None]:
        """Return what is stored of some customers; None of one of whom nothing is."""
        return dict(zip(ids, self._ask({"read": list(ids)}), strict=True))

    def forget(self, ids: Sequence[int]) -> None:
        """Delete all that is stored of some customers."""
        self._ask({"forget": list(ids)})

    def _ask(self, request: dict[str, Any]) -> list[StoredRow | None]:
        requests, answers = self._process.stdin, self._process.stdout
        if requests is None or answers is None:
            raise ValueError("the child needs pipes to talk through")
        try:
            requests.write(msgspec.json.encode(request) + b"\n")
            requests.flush()
            return ANSWER.decode(answers.readline())
        except (OSError, msgspec.MsgspecError) as error:
            raise BenchmarkError(f"reading rows through Feast failed: {error}\n{self._log.read_text()[-2000:]}") from error


@contextmanager
def feast_rows(site: Site, log: Path) -> Iterator[FeastRows]:
    """Start the child for a site; it idles between requests, and ends with the block."""
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "loadtest.feast_rows", str(site.config)],
            env={**os.environ, **site.environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,  # the terminal's Ctrl-C is ours: it ends when its input does
            preexec_fn=die_with_parent(),
        ) as process,
    ):
        try:
            yield FeastRows(process, log)
        finally:
            process.terminate()
