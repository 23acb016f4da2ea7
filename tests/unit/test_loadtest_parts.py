"""The benchmark's other parts: reads beside pushes, suites and files, and what the report and the picture make of pushes."""

import sys
import time
from pathlib import Path

import pytest

from loadtest import beside, files, plot, report, time_suite, validation
from loadtest.answers import Comparison
from loadtest.errors import BenchmarkError
from loadtest.records import Beside, Checked, FileTime, Left, Run, SuiteTime
from loadtest.results import Results, load
from loadtest.scenario import Group
from loadtest.servers import Kind
from loadtest.stored import Kept

MIB = 2**20


@pytest.fixture
def found() -> Results:
    """Give results with a read, a push, and all other parts."""
    results = Results("2026-01-02 03:04:05", "python -m loadtest", {"processor": "a fast one"})
    results.scenarios = [
        Checked("push-10", "push of 10 rows", "pushes", 12, Comparison(18, 1113), Group.PUSHES, "10 rows"),
        Checked("1x4", "1 entity x 4 features", "sample", 10, Comparison(16, 80), Group.READS, "1 x 4"),
    ]
    results.runs = [
        Run(kind, name, 1, 1000, us / 1000, us * 8, us * 12, us * 1000, MIB, MIB, redis_us=20_000)
        for name, stock, ours in (("1x4", 600, 50), ("push-10", 4000, 250))
        for kind, us in ((Kind.STOCK, stock), (Kind.OURS, ours))
    ]
    results.left = [Left(kind, "push-10", 1, Kept(500)) for kind in Kind]
    results.beside = [
        Beside(1, 5000, 10.0, 800, 1500),
        Beside(1, 4500, 10.0, 900, 2400, pushes=2000, pushes_p99_us=3000),
    ]
    results.suites = [SuiteTime(1, 10, 0.02, 25.0), SuiteTime(1000, 10, 2.5, 30.0)]
    for rows, gx, ours in ((10, 4.0, 0.5), (1_000_000, 9.0, 3.0)):
        for kind in files.FORMATS:
            results.files.append(FileTime(kind, files.GX, rows, 9, gx, 900 * MIB))
            results.files.append(FileTime(kind, files.OURS, rows, 9, ours, 100 * MIB))
    return results


def test_reads_and_pushes_have_tables_of_their_own(found: Results) -> None:
    """Each with what was compared before it was timed, and Redis's share."""
    text = report.render(found, None)
    reads, pushes = text.index("### Reads\n"), text.index("### Pushes\n")
    assert reads < text.index("| 1 entity x 4 features | 1,667 → 20,000 |") < text.index("80 values, statuses") < pushes
    assert "| push of 10 rows | 250 → 4,000 | 32.0 → 2.00 | 48.0 → 3.00 | 4,000 → 250 | 20.0 → 20.0 |" in text[pushes:]
    assert "**16.0** | **16.0** | 12: reached |" in text[pushes:]
    assert "1,113 fields of Redis's hashes, all equal byte for byte" in text[pushes:]
    assert "500 of 500 keys looked at held the newest row pushed through this service." in text


def test_rows_that_stock_lost_are_told(found: Results) -> None:
    """Of two pushes at the same moment stock may keep the older one."""
    found.left.append(Left(Kind.STOCK, "push-10", 2, Kept(500, older=3)))
    text = report.render(found, None)
    assert "997 of 1,000 keys looked at held the newest row pushed through stock Feast; the others had lost it" in text


def test_reads_beside_pushes_are_reported_with_the_ratio_of_their_p99(found: Results) -> None:
    """The aim is less than twice."""
    text = report.render(found, None)
    assert "| alone | 500 | 0.8 | 1.50 |" in text
    assert "| while 200 pushes/s of 10 rows arrive | 450 | 0.9 | 2.40 |" in text
    assert "| times |  |  | **1.60** |" in text
    assert "less than 2 times that without pushes: reached. All rows of 2,000 pushes were written" in text
    found.beside.append(Beside(2, 4500, 10.0, 900, 9000, pushes=2000, pushes_p99_us=3000))
    assert "without pushes: missed" in beside.render(found)


def test_validation_alone_is_reported_with_its_aim(found: Results) -> None:
    """In milliseconds, and how many times faster."""
    text = report.render(found, None)
    assert "| 1 row x 10 expectations | 25.0 | 0.02 | **1,250** | 0.05: reached |" in text
    assert "| 1,000 rows x 10 expectations | 30.0 | 2.50 | **12.0** | 2: missed |" in text


def test_files_are_reported_with_time_and_memory(found: Results) -> None:
    """And what starting takes, which the file of few rows shows."""
    text = report.render(found, None)
    assert "| parquet | 9.00 | 3.00 | **3.00** | 900 | 100 |" in text
    assert "| csv | 9.00 | 3.00 | **3.00** | 900 | 100 |" in text
    assert f"{files.GX} 4.00 s, {files.OURS} 0.5 s." in text


def test_what_was_not_measured_is_not_reported() -> None:
    """A part alone has a report, too."""
    alone = Results("2026-01-02 03:04:05", "python -m loadtest", {"processor": "a fast one"}, suites=[SuiteTime(1, 10, 1, 2)])
    text = report.render(alone, None)
    assert "### Validation alone" in text
    assert not any(title in text for title in ("### Reads", "### Pushes", "### Validating a file", "### Start"))


def test_all_of_it_comes_back_from_json(found: Results, tmp_path: Path) -> None:
    """A page can be written again from what was kept."""
    assert load(found.save(tmp_path)) == found


def test_the_picture_shows_reads_above_pushes_each_below_a_caption(found: Results, tmp_path: Path) -> None:
    """Whatever their order in the results."""
    rows, captions = plot.layout(found.scenarios)
    assert [row.scenario.name for row in rows] == ["1x4", "push-10"]
    places = [*captions.values(), *(row.place for row in rows)]
    assert sorted(places) == [places[0], places[2], places[1], places[3]]
    assert plot.draw(found, tmp_path / "plot.svg")


def test_both_validate_the_same_suite_of_ten_expectations_and_agree() -> None:
    """The compiled one says of each expectation whether it is met; all are."""
    document = time_suite.suite_document()
    data = time_suite.columns(5)
    assert len(document["expectations"]) == 10
    assert {len(column) for column in data.values()} == {5}
    assert time_suite.compiled(document, data, 5)() == [True] * 10
    assert time_suite.compiled(document, {**data, "loyalty_score": [2.0] * 5}, 5)().count(False) == 1


def test_a_timing_is_of_one_validation_however_short() -> None:
    """Short ones are timed together: so many of it make up the CPU time of all. The verdicts are kept."""
    calls = 0

    def validate() -> list[bool]:
        nonlocal calls
        calls += 1
        return [sum(range(2_000)) > 0, False]

    began = time.process_time()
    timing = time_suite.measure(validate)
    together = (time.process_time() - began) * 1000
    assert timing.verdicts == [True, False]
    assert together / 5 < calls * timing.milliseconds < together * 5


def test_a_child_that_fails_ends_the_benchmark_with_what_it_said(tmp_path: Path) -> None:
    """Of the suite's timing."""
    with pytest.raises(BenchmarkError, match="No module named"):
        validation.timed("compiled", 0, [sys.executable, "-m", "no_such_module"])


def test_a_file_that_is_not_good_ends_the_benchmark(tmp_path: Path) -> None:
    """With the output of the one who found it."""
    command = [sys.executable, "-c", "print('3 rows are bad'); raise SystemExit(1)"]
    with pytest.raises(BenchmarkError, match=r"ended with 1:\n3 rows are bad"):
        files.run(command, tmp_path / "output.log")


def test_memory_of_a_file_s_validation_is_its_peak(tmp_path: Path) -> None:
    """What was given back before the end counts."""
    command = [sys.executable, "-c", "x = bytearray(200 * 2**20); del x"]
    seconds, peak_rss = files.run(command, tmp_path / "output.log")
    assert seconds > 0
    assert peak_rss > 200 * MIB
