"""Files judged by suites: read as pandas reads them, in memory that doesn't grow with them, or refused with a reason."""

import gzip
import json
import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from service.files import csv_source, figures, parquet_source
from service.files.csv_source import CsvSource
from service.files.errors import UnreadableFile
from service.files.fingerprints import Repetitions
from service.files.forms import Kind
from service.files.parquet_source import ParquetSource
from service.files.source import open_source
from service.files.sums import CastSum, PairwiseSum
from service.files.tallies import UnexpectedRows
from service.files.validation import Request, Validation, validate_file
from service.suites import compile_suite
from service.suites.outcomes import MAX_RESULT_RECORDS

# Texts in CSV files about which pandas has its own mind.
TEXTS = (
    ("1", "2", "-3", "0", "007", "+5", " 6 ", "-0", " -6"),
    (
        "1.5",
        "2e3",
        ".5",
        "5.",
        "-1.e2",
        "1E-5",
        " 2.5 ",
        "0.1234567890123456789",
        "123456789012345678901.5",
        "1e308",
        "4.9e-324",
    ),
    ("inf", "-inf", "Infinity", "+INF", " inf", "iNf"),
    ("NA", "", "null", "nan", "-nan", "NaN", "None", "<NA>", "n/a"),
    ("True", "false", "TRUE", "tRue"),
    ("x", "NAN", "0x10", "1e400", "1_0", "1 2", "--1", "-", "1e", "٣", "1d5", "nan(1)", "é", "5-", "T", "infinit", "-5x"),
    ("9223372036854775807", "-9223372036854775808", "9223372036854775808", "18446744073709551615"),
    ("18446744073709551616", "99999999999999999999999", "-9223372036854775809", "99999999999999999999x"),
)
DRAWN_COLUMNS = 1500


def judge(path: Path, *expectations: Mapping[str, Any], result_format: Any = "SUMMARY", fallback: bool = False) -> Validation:
    """A file judged by some expectations."""
    entries = [{"kwargs": {}, **expectation} for expectation in expectations]
    suite = compile_suite({"name": "suite", "expectations": entries}, "suite.json")
    return validate_file(path, Request(suite, {}, result_format, fallback=fallback))


def about(column: str, kind: str, **kwargs: Any) -> dict[str, Any]:
    """An expectation about a column."""
    return {"type": f"expect_column_{kind}", "kwargs": {"column": column, **kwargs}}


def about_pair(kind: str) -> dict[str, Any]:
    """An expectation about two columns."""
    return {"type": f"expect_column_pair_{kind}", "kwargs": {"column_A": "a", "column_B": "b"}}


def only_result(validation: Validation) -> Any:
    """What GX's result says of the one expectation."""
    (judged,) = validation.judged
    assert judged.result is not None
    return judged.result["result"]


def as_read(path: Path) -> dict[str, tuple[str, list[Any]]]:
    """Each column's dtype and values, as our frame has them; a null is None."""
    source = open_source(path)
    _, forms = source.census(source.names)
    arrays: dict[str, list[Any]] = {name: [] for name in source.names}
    for batch in source.batches(source.names):
        for name in source.names:
            arrays[name] += forms[name].convert(batch.arrays[name]).to_pylist()
    return {name: (forms[name].dtype.name, arrays[name]) for name in source.names}


def as_pandas_reads(path: Path) -> dict[str, tuple[str, list[Any]]]:
    """The same of pandas' frame."""
    frame = pd.read_csv(path, low_memory=False, float_precision="round_trip")
    assert isinstance(frame.index, pd.RangeIndex)
    return {
        name: (str(column.dtype), [None if pd.isna(value) else value for value in column]) for name, column in frame.items()
    }


def test_the_dtype_of_a_csv_column_is_the_one_that_pandas_infers(tmp_path: Path) -> None:
    """From all of its texts together, whatever they are, with their values; what can't be told is left to GX."""
    draw = random.Random(1)
    path = tmp_path / "drawn.csv"
    left_to_gx = 0
    for _ in range(DRAWN_COLUMNS // 10):
        columns = []
        rows = draw.randint(0, 6)
        for _ in range(10):
            pools = draw.sample(TEXTS, draw.choice([1, 1, 2, 2, 3]))
            columns.append([draw.choice(draw.choice(pools)) for _ in range(rows)])
        # A last column, so that no line is empty.
        lines = [",".join([*(f'"{text}"' for text in texts), "."]) for texts in zip(*columns, strict=True)]
        path.write_text("\n".join([",".join("abcdefghijk"), *lines]) + "\n")
        ours, theirs = as_read(path), as_pandas_reads(path)
        _, forms = CsvSource(path).census("abcdefghij")
        for name, form in forms.items():
            if form.kind is Kind.FOREIGN:
                left_to_gx += 1
                continue
            texts = columns["abcdefghij".index(name)]
            assert ours[name] == theirs[name], texts
            assert [type(value) for value in ours[name][1]] == [type(value) for value in theirs[name][1]], texts
    assert left_to_gx < DRAWN_COLUMNS / 50


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,2\n",
        "a,b",
        "\ufeffa,b\r\n1,2\r\n",
        "\n\na,b\n\n1,2\n\n",
        ",b,\n0,1,2\n",
        'a,b\n"x\ny","q""q"\n"a,b",w"w\n',
        "a,b\n1,2\n   \n3,4",
        ' a ,b\n "z" , y\n',
        'a\n""\n\nx\n',
        'a,b\n"x"y,1\n',
    ],
)
def test_a_csv_file_has_the_columns_and_rows_that_pandas_reads(tmp_path: Path, text: str) -> None:
    """Headers without names, quotation marks, empty lines."""
    path = tmp_path / "file.csv"
    path.write_bytes(text.encode())
    assert as_read(path) == as_pandas_reads(path)
    compressed = tmp_path / "file.csv.gz"
    compressed.write_bytes(gzip.compress(text.encode()))
    assert as_read(compressed) == as_pandas_reads(path)


REFUSED: dict[str, tuple[bytes, str]] = {
    "short row.csv": (b"a,b\n1,2\n3\n", "row 3 .* 1 fields, and the header has 2"),
    "long row.csv": (b"a,b\n1,2,3\n", "row 2 .* 3 fields, and the header has 2"),
    "twice.csv": (b"a,a\n1,2\n", "2 columns called 'a'"),
    "open.csv": (b'a,b\n1,2\n"3,4\n', "quotation marks that are never closed"),
    "open last.csv": (b'a\n1\n"', "quotation marks that are never closed"),
    "spaces.csv": (b"a\n1\n  \n2\n", "nothing but spaces"),
    "latin.csv": (b"a,b\n1,\xe9\n", "isn't in UTF-8"),
    "binary.csv": (b"a,b\n\0\1\2,3\n", "zero bytes"),
    "mac.csv": (b"a,b\r1,2\r", "carriage returns without line feeds"),
    "empty.csv": (b"", "is empty"),
    "blank.csv": (b"\n\n", "no header"),
    "utf16.csv": ("a,b\n".encode("utf-16"), "UTF-16"),
    "zip.csv": (b"PK\x03\x04....", "workbook of Excel"),
    "cut.csv.gz": (gzip.compress(b"a,b\n" + b"1,2\n" * 9999)[:-20], "isn't a whole gzip file"),
    "plain.csv.gz": (b"a,b\n1,2\n", "isn't a whole gzip file"),
    "text.parquet": (b"a,b\n1,2\n", "looks like CSV"),
    "file.txt": (b"a,b\n1,2\n", "its name doesn't say what it is"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_pandas_would_read_otherwise_is_refused(tmp_path: Path, name: str) -> None:
    """With the file, the reason and what would be right."""
    content, reason = REFUSED[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=reason) as refusal:
        as_read(path)
    assert str(path) in str(refusal.value)


def test_a_parquet_file_that_is_damaged_is_refused(tmp_path: Path) -> None:
    """Cut off, or with bytes that were changed; a column that no expectation needs may be damaged."""
    path = tmp_path / "file.parquet"
    table = pa.table({"good": list(range(5000)), "bad": [f"text {number}" for number in range(5000)]})
    parquet.write_table(table, path)
    content = bytearray(path.read_bytes())
    column = parquet.ParquetFile(path).metadata.row_group(0).column(1)
    start = column.dictionary_page_offset or column.data_page_offset
    content[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    path.write_bytes(content)
    assert judge(path, about("good", "values_to_be_between", min_value=0)).passed
    with pytest.raises(UnreadableFile, match="is damaged"):
        judge(path, about("bad", "values_to_be_unique"))
    path.write_bytes(content[:-100])
    with pytest.raises(UnreadableFile, match="the end of the file is missing"):
        judge(path)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (pa.array([1, 2]), "int64"),
        (pa.array([1, None]), "float64"),
        (pa.array([1, 2], pa.int16()), "int16"),
        (pa.array([1, 2**64 - 1], pa.uint64()), "uint64"),
        (pa.array([1.5, None], pa.float32()), "float32"),
        (pa.array([True, False]), "bool"),
        (pa.array([True, None]), "object"),
        (pa.array(["a", None]), "object"),
        (pa.array([0, 1], pa.timestamp("us")), "datetime64[us]"),
        (pa.array([0, 1000], pa.timestamp("ns", "UTC")), "datetime64[ns, UTC]"),
        (pa.array([0, 1], pa.date32()), "object"),
        (pa.array([None, None], pa.null()), "object"),
    ],
    ids=str,
)
@pytest.mark.parametrize("statistics", [True, False])
def test_the_dtype_of_a_parquet_column_is_that_of_pandas(tmp_path: Path, values: Any, dtype: str, statistics: bool) -> None:
    """By the type where it decides, else by the statistics, or by reading the column."""
    path = tmp_path / "file.parquet"
    parquet.write_table(pa.table({"a": values}), path, write_statistics=statistics, row_group_size=1)
    rows, forms = ParquetSource(path).census(["a"])
    assert (rows, forms["a"].dtype.name) == (2, dtype)
    assert str(pd.read_parquet(path)["a"].dtype) == dtype


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([1, None], dtype="Int64"),
        pd.Series(["a", None], dtype="string"),
        pd.Series(["a", "b"], dtype="category"),
        pd.Series([Decimal("1.5"), None]),
        pd.Series([[1], [2, 3]]),
        pd.Series(pd.to_datetime([1, 2])),
    ],
    ids=lambda column: str(column.dtype),
)
def test_what_only_pandas_can_hold_is_left_to_gx(tmp_path: Path, column: "pd.Series[Any]") -> None:
    """Dtypes of its own, decimals, lists, timestamps of single nanoseconds."""
    path = tmp_path / "file.parquet"
    pd.DataFrame({"a": column, "b": [1, 2]}).to_parquet(path)
    validation = judge(path, about("a", "values_to_not_be_null"), about("b", "values_to_not_be_null"))
    left, ours = validation.judged
    assert (left.result, ours.result is None) == (None, False)
    assert str(left.by_gx).startswith("a is of")
    assert not validation.complete


NAIVE, AWARE = "2024-01-02T00:00:00", "2024-01-02T00:00:00+00:00"
TIMES, COARSE, SINGLE, NARROW = pa.timestamp("ns"), pa.timestamp("us"), pa.float32(), pa.int32()


@pytest.mark.parametrize(
    ("kind", "expectation", "compiled"),
    [
        (TIMES, about("a", "values_to_match_regex", regex="2024"), False),
        (TIMES, about("a", "value_lengths_to_equal", value=10), False),
        (TIMES, about("a", "mean_to_be_between", min_value=NAIVE), True),
        (COARSE, about("a", "mean_to_be_between", min_value=NAIVE), False),
        (COARSE, about("a", "min_to_be_between", min_value=NAIVE), True),
        (COARSE, about("a", "values_to_be_between", min_value=NAIVE), True),
        (COARSE, about("a", "values_to_be_between", min_value=AWARE), False),
        (COARSE, about("a", "values_to_be_in_set", value_set=[NAIVE]), False),
        (COARSE, about("b", "values_to_not_be_null", row_condition="a.notnull()", condition_parser="pandas"), False),
        (SINGLE, about("a", "values_to_be_between", min_value=0.7), True),
        (SINGLE, about("a", "values_to_be_in_set", value_set=[0.7]), True),
        (SINGLE, about("a", "min_to_be_between", min_value=0.5), True),
        (SINGLE, about("a", "min_to_be_between", min_value=0.7), False),
        (SINGLE, about("a", "min_to_be_between", min_value=1e300), False),
        (SINGLE, about("a", "sum_to_be_between", min_value=0.5), False),
        (SINGLE, about("a", "values_to_match_regex", regex="7"), False),
        (SINGLE, about("b", "values_to_not_be_null", row_condition="a > 0.7", condition_parser="pandas"), False),
        (SINGLE, about_pair("values_to_be_equal"), False),
        (TIMES, about_pair("values_to_be_equal"), False),
        (NARROW, about_pair("values_to_be_equal"), True),
        (NARROW, about("a", "values_to_be_of_type", type_="int32"), False),
        (NARROW, about("a", "sum_to_be_between", min_value=0), True),
    ],
)
def test_what_a_batch_or_such_a_column_does_not_tell_is_left_to_gx(
    tmp_path: Path, kind: Any, expectation: dict[str, Any], compiled: bool
) -> None:
    """And no more than that: GX takes long."""
    path = tmp_path / "file.parquet"
    parquet.write_table(pa.table({"a": pa.array([1000, 2000]).cast(kind), "b": ["x", None]}), path)
    (judged,) = judge(path, expectation).judged
    assert (judged.by_gx is None) == compiled
    assert (judged.result is not None) == compiled


def test_gx_evaluates_what_is_left_to_it_on_the_frame_that_pandas_reads(tmp_path: Path) -> None:
    """With the dtypes that the file has, and the rows counted from 0 whatever its index is; results in the suite's order."""
    path = tmp_path / "file.parquet"
    frame = pd.DataFrame(
        {"a": [Decimal(1), Decimal(2), Decimal(3)], "c": pd.Series(["x", "y", "x"], dtype="category"), "b": [1, 2, 3]}
    )
    frame.set_index(pd.Index([7, 8, 9])).to_parquet(path)
    validation = judge(
        path,
        about("a", "values_to_be_between", max_value=2),
        about("b", "values_to_be_between", max_value=2),
        about("c", "values_to_be_in_set", value_set=["x"]),
        about("b", "value_z_scores_to_be_less_than", threshold=9, double_sided=True),
        fallback=True,
    )
    assert [one.met for one in validation.judged] == [False, False, False, True]
    assert [bool(one.by_gx) for one in validation.judged] == [True, False, True, True]
    rows = [one.result["result"].get("partial_unexpected_index_list") for one in validation.judged if one.result]
    assert rows == [[2], [2], [1], []]


def test_columns_of_the_index_are_none_of_the_frame(tmp_path: Path) -> None:
    """As when pandas reads its own file."""
    path = tmp_path / "file.parquet"
    pd.DataFrame({"a": [1, 2], "b": [3, 4]}).set_index("a").to_parquet(path)
    names = only_result(judge(path, {"type": "expect_table_columns_to_match_ordered_list", "kwargs": {"column_list": ["b"]}}))
    assert names["observed_value"] == ["b"] == list(pd.read_parquet(path))


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that some rows come in several batches."""
    monkeypatch.setattr(parquet_source, "BATCH_ROWS", 10)
    monkeypatch.setattr(csv_source, "BLOCK_BYTES", 200)


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_what_is_repeated_in_different_batches_is_found_and_shown(tmp_path: Path, suffix: str) -> None:
    """All rows of a value that occurs twice, with the values, although these aren't remembered."""
    path = tmp_path / f"file{suffix}"
    frame = pd.DataFrame({"a": [f"é{row % 97}" for row in range(100)], "b": [row % 98 for row in range(100)]})
    frame.to_parquet(path) if suffix == ".parquet" else frame.to_csv(path, index=False)
    unique = only_result(judge(path, about("a", "values_to_be_unique"), result_format="COMPLETE"))
    assert unique["unexpected_index_list"] == [0, 1, 2, 97, 98, 99]
    assert unique["unexpected_list"] == ["é0", "é1", "é2"] * 2
    together = {"type": "expect_compound_columns_to_be_unique", "kwargs": {"column_list": ["b", "a"]}}
    assert judge(path, together).passed
    condition = about("b", "values_to_be_unique", row_condition="b < 1", condition_parser="pandas")
    assert only_result(judge(path, condition))["partial_unexpected_index_list"] == [0, 98]


def test_numbers_that_python_hashes_alike_are_told_apart(tmp_path: Path) -> None:
    """hash(-1) is hash(-2), and that of 2**61 - 1 is that of 0; -0.0 and 0.0 are the same."""
    path = tmp_path / "file.parquet"
    pd.DataFrame({"a": [-1, -2, 0, 2**61 - 1], "b": [-0.0, 0.0, 1.0, 2.0]}).to_parquet(path)
    a, both, b = (
        about("a", "values_to_be_unique"),
        {"type": "expect_compound_columns_to_be_unique", "kwargs": {"column_list": ["a", "b"]}},
        about("b", "values_to_be_unique"),
    )
    assert [one.met for one in judge(path, a, both, b).judged] == [True, True, False]


@pytest.mark.parametrize("count", [0, 1, 7, 129, 65_537, 131_077, 300_000])
def test_sums_in_parts_are_numpys_to_the_last_bit(count: int) -> None:
    """Of floats, and of integers that become floats."""
    draw = np.random.default_rng(count)
    floats, integers = draw.random(count) * 1000, draw.integers(2**60, 2**62, count)
    pairwise, cast = PairwiseSum(count), CastSum()
    for start in range(0, count, 40_003):
        pairwise.add(floats[start : start + 40_003])
        cast.add(integers[start : start + 40_003])
    assert pairwise.total() == floats.sum()
    assert cast.total() == integers.sum(dtype=np.float64)


@pytest.mark.parametrize("kind", ["mean", "sum", "median", "stdev"])
def test_a_sum_of_many_texts_fails_at_once(tmp_path: Path, kind: str) -> None:
    """Pandas puts them all together before it fails."""
    path = tmp_path / "file.csv"
    path.write_text("a\n" + "12;5\n" * (figures._MOST_OBJECTS + 1))
    (judged,) = judge(path, about("a", f"{kind}_to_be_between", min_value=1)).judged
    assert judged.result is not None
    assert judged.result["exception_info"]["exception_message"] == "Could not convert str '12;5' to numeric"


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody appends to it between the census and the checks."""
    path = tmp_path / "file.csv"
    path.write_text("a\n1\n2\n")
    census = CsvSource.census

    def and_then_append(source: CsvSource, names: Sequence[str]) -> Any:
        taken = census(source, names)
        path.write_text("a\n1\n2\n3\n")
        return taken

    monkeypatch.setattr(CsvSource, "census", and_then_append)
    with pytest.raises(UnreadableFile, match="changed while it was read"):
        judge(path, about("a", "values_to_not_be_null"))


def test_unexpected_rows_are_counted_and_only_the_first_kept() -> None:
    """All of them for who asks for all."""
    some, every = UnexpectedRows(3), UnexpectedRows(None)
    for rows in (some, every):
        rows.add([0, 5], 0)
        rows.add([1, 2, 3], 10)
        assert (len(rows), rows[:2], rows[0]) == (5, [0, 5], 0)
    assert (some.kept, every.kept) == ([0, 5, 11], [0, 5, 11, 12, 13])


def test_repetitions_are_told_by_batch() -> None:
    """Also among rows that are some of their batch's."""
    repetitions = Repetitions()
    repetitions.add(np.array([1, 2, 3], np.uint64), None, 0)
    repetitions.add(np.array([3, 4, 1], np.uint64), [5, 6, 9], 10)
    assert [(rows.tolist(), offset) for rows, offset in repetitions.rows()] == [([0, 2], 0), ([5, 9], 10)]


def test_a_complete_result_lists_all_rows_and_200_values(tmp_path: Path) -> None:
    """As GX does; other results list no more rows than they show."""
    path = tmp_path / "file.parquet"
    pd.DataFrame({"a": [-1] * 500}).to_parquet(path)
    expectation = about("a", "values_to_be_between", min_value=0)
    complete = only_result(judge(path, expectation, result_format="COMPLETE"))
    assert (len(complete["unexpected_index_list"]), len(complete["unexpected_list"])) == (500, MAX_RESULT_RECORDS)
    summary = only_result(judge(path, expectation))
    assert (summary["unexpected_count"], len(summary["partial_unexpected_index_list"])) == (500, 20)


# What a process may take that judges a million rows: its libraries (100 MB), a batch, and 8 bytes for some figures.
MOST_MEGABYTES = 250
_MEASURE = r"""
import json, re, sys
from pathlib import Path
from service.files.validation import Request, validate_file
from service.suites import compile_suite
suite = compile_suite(json.loads(sys.argv[2]), "suite.json")
validation = validate_file(Path(sys.argv[1]), Request(suite, {}, "SUMMARY"))
peak = int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) // 1024
print(json.dumps([[one.met for one in validation.judged], validation.rows, peak, "pandas" in sys.modules]))
"""


def test_a_million_rows_of_which_none_is_as_expected_take_little_memory(tmp_path: Path) -> None:
    """Neither the unexpected rows nor what uniqueness, distinct values and averages remember is kept as Python's objects."""
    rows = 1_000_000
    path = tmp_path / "file.parquet"
    ids = pa.array(np.arange(rows))
    table = pa.table(
        {
            "id": ids,
            "text": ids.cast(pa.string()),
            "amount": pa.array(np.full(rows, -1.5)),
            "twice": pa.array(np.arange(rows) // 2),
        }
    )
    parquet.write_table(table, path)
    expectations = [
        about("amount", "values_to_be_between", min_value=0),
        about("text", "values_to_be_in_set", value_set=["a"]),
        about("id", "values_to_be_null"),
        about("twice", "values_to_be_unique"),
        about("text", "values_to_be_unique"),
        about("text", "unique_value_count_to_be_between", min_value=rows),
        about("amount", "mean_to_be_between", min_value=0),
        about("amount", "median_to_be_between", min_value=0),
    ]
    document = json.dumps({"name": "suite", "expectations": expectations})
    printed = subprocess.run([sys.executable, "-c", _MEASURE, str(path), document], capture_output=True, text=True, check=True)
    met, seen, megabytes, imported_pandas = json.loads(printed.stdout)
    assert (met, seen) == ([False, False, False, False, True, True, False, False], rows)
    assert megabytes < MOST_MEGABYTES
    assert not imported_pandas
