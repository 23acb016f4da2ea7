"""A file to be validated, whatever its format: what it must be, and how it is opened."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from service.files.errors import UnreadableFile
from service.files.forms import Form

PARQUET_MAGIC = b"PAR1"
# How files begin that are often given a name that ends in .csv, and what they are.
_OFTEN_MISTAKEN = {
    PARQUET_MAGIC: "a Parquet file: its name should end in .parquet",
    b"PK\x03\x04": "a zip file, or a workbook of Excel's: save it as CSV",
    b"\x1f\x8b": "compressed with gzip: its name should end in .csv.gz",
    b"\xff\xfe": "in UTF-16: save it in UTF-8",
    b"\xfe\xff": "in UTF-16: save it in UTF-8",
    b"\xd0\xcf\x11\xe0": "a workbook of an old Excel: save it as CSV",
    b"ARROW1": "an Arrow file: save it as Parquet",
}


class Batch(NamedTuple):
    """Some rows that follow each other: how many, and the columns that were asked for, as Arrow read them."""

    rows: int
    arrays: Mapping[str, Any]


class Source(Protocol):
    """A file that can be read again and again."""

    @property
    def path(self) -> Path:
        """Where it is."""

    @property
    def names(self) -> Sequence[str]:
        """The columns that pandas gives its frame, in their order."""

    @property
    def hint(self) -> str | None:
        """What may be wrong with it although it can be read."""

    def census(self, names: Sequence[str]) -> tuple[int, Mapping[str, Form]]:
        """How many rows there are, and the forms of these columns; raises UnreadableFile."""

    def batches(self, names: Sequence[str]) -> Iterator[Batch]:
        """These columns, read from the beginning; raises UnreadableFile."""


def open_source(path: Path) -> Source:
    """The file at a path, by the end of its name; raises UnreadableFile."""
    _check_path(path)
    name = path.name.lower()
    if name.endswith((".parquet", ".pq")):
        from service.files.parquet_source import ParquetSource

        return ParquetSource(path)
    if not name.endswith((".csv", ".csv.gz")):
        raise UnreadableFile(f"{path}: its name doesn't say what it is: it should end in .parquet, .csv or .csv.gz.")
    from service.files.csv_source import CsvSource

    return CsvSource(path)


def _check_path(path: Path) -> None:
    if str(path) == "-":
        raise UnreadableFile("What comes from standard input can't be judged: a file is read twice; save it first.")
    try:
        if path.is_dir():
            raise UnreadableFile(f"{path} is a folder; name the files in it, for instance {path}/*.parquet.")
        if path.exists() and not path.is_file():
            raise UnreadableFile(f"{path} isn't a regular file, and it has to be read twice: save it first.")
        with path.open("rb") as file:
            beginning = file.read(max(map(len, _OFTEN_MISTAKEN)))
    except OSError as error:
        raise UnreadableFile(f"{path} can't be read: {error.strerror}.") from error
    if not beginning:
        raise UnreadableFile(f"{path} is empty: there isn't even a header.")
    for magic, what in _OFTEN_MISTAKEN.items():
        if path.suffix.lower() == ".csv" and beginning.startswith(magic):
            raise UnreadableFile(f"{path} isn't a CSV file but {what}.")
