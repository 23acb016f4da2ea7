"""A CSV file as `pandas.read_csv(path, low_memory=False)` reads it; what can't be read the same way is refused.

Arrow splits the file into texts, as pandas does but for what is refused here. A row too many is put behind the last one: when
it doesn't come back, the file ends within quotation marks, which Arrow doesn't mind.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from service.files.byte_stream import ByteStream
from service.files.errors import UnreadableFile
from service.files.forms import Form
from service.files.source import Batch
from service.files.text_census import TextCensus

# A row has to fit into a block.
BLOCK_BYTES = 1 << 20
# What pandas takes for missing: the default of `na_values` in its documentation of read_csv.
NULLS = ["", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL",
         "NaN", "None", "n/a", "nan", "null"]  # fmt: skip
_END = "\u2020\u2020"
_UNCLOSED = "ends within quotation marks that are never closed"
_BLANK = " \t"
_SHOWN_CHARACTERS = 60


class CsvSource:
    """One CSV file, perhaps compressed with gzip."""

    def __init__(self, path: Path) -> None:
        """Raises UnreadableFile for one without a header, or with one that doesn't name its columns."""
        self.path = path
        self._invalid_row: Any = None
        self._header = self._read_header()
        self.names = [name or f"Unnamed: {place}" for place, name in enumerate(self._header)]
        for name, count in Counter(self.names).items():
            if count > 1:
                raise UnreadableFile(f"{path} has {count} columns called {name!r}; give each a name of its own.")
        if len(self.names) == 1 and not self.names[0].strip(_BLANK):
            raise UnreadableFile(f"{path}: its first line is blank; it should name the columns.")

    @property
    def hint(self) -> str | None:
        """What may be meant by a file that looks as if another separator than the comma had been used."""
        for separator, word in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
            if len(self.names) == 1 and separator in self.names[0]:
                return (
                    f"{self.path} has a single column, {_shown(self.names[0])!r}: is it separated by {word} instead of commas?"
                )
        return None

    def census(self, names: Sequence[str]) -> tuple[int, Mapping[str, Form]]:
        """See Source."""
        censuses = {name: TextCensus() for name in names}
        rows = 0
        for batch in self.batches(names):
            rows += batch.rows
            for name in names:
                censuses[name].observe(batch.arrays[name])
        return rows, {name: census.form for name, census in censuses.items()}

    def batches(self, names: Sequence[str]) -> Iterator[Batch]:
        """See Source. Columns of texts, null where pandas finds something missing."""
        # Rows can only be counted by reading a column of theirs.
        read = list(names) or self.names[:1]
        places = [self.names.index(name) for name in read]
        held = None
        for columns in self._blocks(places):
            if held is not None:
                yield self._batch(read, held)
            held = columns
        if held is None or any(column[-1].as_py() != _END for column in held):
            raise UnreadableFile(f"{self.path} {_UNCLOSED}.")
        yield self._batch(read, [column[:-1] for column in held])

    def _batch(self, names: Sequence[str], columns: Sequence[Any]) -> Batch:
        if len(self._header) == 1 and pc.min(pc.utf8_length(pc.utf8_trim(columns[0], _BLANK))).as_py() == 0:
            raise UnreadableFile(f"{self.path} has a line of nothing but spaces, which could be a value or none; remove it.")
        return Batch(len(columns[0]), dict(zip(names, columns, strict=True)))

    def _read_header(self) -> list[str]:
        """The first row. What is cut off behind it doesn't matter yet."""
        with self._opened() as stream:
            beginning = stream.take(BLOCK_BYTES)
            self._check(stream)
        try:
            reader = csv.open_csv(
                pa.BufferReader(beginning + b"\n"),
                read_options=csv.ReadOptions(block_size=BLOCK_BYTES + 1, use_threads=False),
                parse_options=csv.ParseOptions(newlines_in_values=True, invalid_row_handler=lambda _: "skip"),
            )
            return list(reader.schema.names)
        except pa.ArrowInvalid as error:
            raise UnreadableFile(f"{self.path} has no header: its first line should name the columns.") from error
        except UnicodeDecodeError as error:
            raise UnreadableFile(_not_utf8(self.path)) from error

    def _blocks(self, places: Sequence[int]) -> Iterator[Sequence[Any]]:
        """The columns at these places, some rows at a time; the last row is the one that was put behind the file's."""
        # Two columns without a name can't be told apart by name.
        include = [self._header[place] for place in places] if self._header.count("") < 2 else []
        options = csv.ConvertOptions(
            column_types=dict.fromkeys(self._header, pa.string()),
            include_columns=include,
            null_values=NULLS,
            strings_can_be_null=True,
        )
        end = "\n" + ",".join([_END] * len(self._header)) + "\n"
        with self._opened(end.encode()) as stream:
            try:
                reader = csv.open_csv(
                    pa.PythonFile(stream, "r"),
                    read_options=csv.ReadOptions(block_size=BLOCK_BYTES, use_threads=False),
                    parse_options=csv.ParseOptions(newlines_in_values=True, invalid_row_handler=self._look_at),
                    convert_options=options,
                )
                for batch in reader:
                    self._check(stream)
                    if batch.num_rows:
                        yield batch.columns if include else [batch.column(place) for place in places]
            except (pa.ArrowInvalid, OSError) as error:
                self._check(stream)
                raise self._explained(error) from error
            self._check(stream)

    @staticmethod
    def _check(stream: ByteStream) -> None:
        """Raise what was wrong with the bytes, which may not be raised where Arrow reads them."""
        if stream.problem is not None:
            raise UnreadableFile(stream.problem)

    def _look_at(self, row: Any) -> str:
        """What to do with a row of more or fewer fields than the header has."""
        if not row.text.strip(_BLANK):
            return "skip"
        self._invalid_row = row
        return "error"

    def _explained(self, error: Exception) -> UnreadableFile:
        row, message = self._invalid_row, str(error)
        if row is not None and _END in row.text:
            return UnreadableFile(f"{self.path} {_UNCLOSED}.")
        if row is not None:
            return UnreadableFile(
                f"{self.path}, row {row.number} (the header is row 1): it has {row.actual_columns} fields, and the header has "
                f"{row.expected_columns}: {_shown(row.text)!r}."
            )
        if "UTF8" in message:
            return UnreadableFile(_not_utf8(self.path))
        if "straddl" in message:
            return UnreadableFile(
                f"{self.path} has a row of more than {BLOCK_BYTES >> 20} MB, or quotation marks that are never closed."
            )
        return UnreadableFile(f"{self.path} can't be read as CSV: {message.partition(chr(10))[0].rstrip('.')}.")

    def _opened(self, end: bytes = b"") -> ByteStream:
        self._invalid_row = None
        try:
            return ByteStream(self.path, end)
        except OSError as error:
            raise UnreadableFile(f"{self.path} can't be read: {error.strerror}.") from error


def _not_utf8(path: Path) -> str:
    return f"{path} isn't in UTF-8; convert it first, for instance by iconv -f latin1 -t utf-8."


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."
