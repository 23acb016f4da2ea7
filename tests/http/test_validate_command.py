"""`feature-service validate`, as somebody types it: what it prints, and how it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from service.cli import main
from service.files.command import shows_colour

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "service.cli", "validate"]
AS_EXPECTED, BAD_DATA, NOT_TOLD = 0, 1, 2
GOOD = {
    "customer_id": [1001, 1002, 1003],
    "tenure_months": [25, 0, 1200],
    "total_purchases": [150, 0, 1],
    "total_spend": [5500.0, 0.0, 9.99],
    "avg_purchase_value": [36.67, None, 9.99],
    "customer_segment": ["gold", None, "bronze"],
    "loyalty_score": [0.85, 0.0, 1.0],
}
SUITE = ["--suite", "customer_push_suite", "--expectations", str(ROOT / "expectations")]


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """A file that is as expected."""
    path = tmp_path / "good.parquet"
    pd.DataFrame(GOOD).to_parquet(path)
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """A file with two rows that aren't."""
    path = tmp_path / "bad.csv"
    pd.DataFrame({**GOOD, "customer_segment": ["Gold", None, "\x1b[31mred"], "total_spend": [1.0, -0.5, 2.0]}).to_csv(
        path, index=False
    )
    return path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a suite that has a parameter, warnings, and what only GX can evaluate."""
    suites = tmp_path / "project" / "suites"
    suites.mkdir(parents=True)
    scores = {"column": "tenure_months", "threshold": 1, "double_sided": True}
    expectations = [
        {"type": "expect_table_row_count_to_equal", "kwargs": {"value": {"$PARAMETER": "rows"}}},
        {
            "type": "expect_column_min_to_be_between",
            "kwargs": {"column": "tenure_months", "min_value": 1},
            "severity": "warning",
        },
        {"type": "expect_column_value_z_scores_to_be_less_than", "kwargs": scores, "severity": "info"},
    ]
    (suites / "mixed.json").write_text(json.dumps({"name": "mixed", "expectations": expectations}))
    return suites.parent


@pytest.fixture(autouse=True)
def a_terminal_of_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have another."""
    monkeypatch.setenv("COLUMNS", "80")


def ends(code: int, capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What the command prints, on both of its streams, when it ends with this code."""
    assert main(["validate", *map(str, arguments)]) == code
    printed = capsys.readouterr()
    return printed.out + printed.err


def test_a_file_as_expected_ends_with_0(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each expectation."""
    printed = ends(AS_EXPECTED, capsys, *SUITE, good)
    assert sum(line.startswith("ok ") for line in printed.splitlines()) == 8
    assert "8 expectations: 8 ok. The file is as expected." in printed


def test_a_bad_file_ends_with_1_and_shows_what_is_bad(bad: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """How many values, how much of a hundred, the first ones with their rows; nothing that a terminal would obey."""
    printed = ends(BAD_DATA, capsys, *SUITE, bad)
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    failed = lines.index("FAILED customer_segment must be one of 'bronze', 'silver', 2 (100%)")
    assert lines[failed + 1 : failed + 3] == ["'gold', 'platinum'", r"row 0: 'Gold', row 2: '\x1b[31mred'"]
    assert lines[lines.index("FAILED total_spend must be at least 0 1 (33.33%)") + 1] == "row 1: -0.5"
    assert "8 expectations: 6 ok, 2 failed. The file is NOT as expected." in printed
    assert "\x1b" not in printed


@pytest.mark.parametrize("columns", [30, 50, 80, 200])
def test_no_line_is_longer_than_the_terminal(
    bad: Path, capsys: pytest.CaptureFixture[str], columns: int, monkeypatch: Any
) -> None:
    """However narrow it is."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.chdir(bad.parent)
    printed = ends(BAD_DATA, capsys, *SUITE, bad.name)
    assert max(map(len, printed.splitlines())) <= columns
    assert "row 1: -0.5" in printed


def test_several_files_are_judged_one_after_the_other(
    good: Path, bad: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worst decides how it ends, and one that can't be read keeps none of the others from it."""
    monkeypatch.setenv("COLUMNS", "300")  # no path is folded, however deep the test's folder lies
    assert "good.parquet" in ends(BAD_DATA, capsys, *SUITE, bad, good)
    printed = ends(NOT_TOLD, capsys, *SUITE, good.parent / "nothing.csv", bad, good)
    assert "nothing.csv can't be read: No such file or directory." in printed
    assert "The file is NOT as expected." in printed
    assert "The file is as expected." in printed


def test_a_missing_column_is_a_failed_expectation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the nearest names that there are."""
    path = tmp_path / "file.csv"
    pd.DataFrame({**GOOD, "\x1b[31m": 0}).rename(columns={"total_spend": "total_spent"}).to_csv(path, index=False)
    printed = ends(BAD_DATA, capsys, *SUITE, path)
    assert "there is no column 'total_spend'; did you mean 'total_spent'" in printed
    assert "The file's columns: customer_id, tenure_months," in printed
    assert "\x1b" not in printed


def test_another_separator_is_guessed_at(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Pandas reads such a file as one of a single column, and so does this."""
    path = tmp_path / "file.csv"
    pd.DataFrame(GOOD).to_csv(path, index=False, sep=";")
    assert "is it separated by semicolons instead of commas?" in ends(BAD_DATA, capsys, *SUITE, path)


def test_json_is_what_gx_answers(bad: Path, good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line for each file, with as much of each result as is asked for."""
    assert main(["validate", *SUITE, "--json", "--result-format", "COMPLETE", str(bad), str(good)]) == BAD_DATA
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["success"], second["success"]) == (False, True)
    assert first["statistics"]["unsuccessful_expectations"] == 2
    assert first["suite_name"] == "customer_push_suite"
    results = [result["result"] for result in first["results"] if not result["success"]]
    assert [result["unexpected_index_list"] for result in results] == [[1], [0, 2]]


def test_infinities_are_null_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As in the service's answers: JSON has none."""
    path = tmp_path / "file.csv"
    pd.DataFrame({**GOOD, "loyalty_score": [float("inf"), 0.5, 0.5]}).to_csv(path, index=False)
    printed = ends(BAD_DATA, capsys, *SUITE, "--json", path)
    assert json.loads(printed, parse_constant=pytest.fail)["results"][-1]["result"]["partial_unexpected_list"] == [None]


def test_warnings_are_shown_and_end_with_0(good: Path, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only critical expectations decide; what GX evaluates is said."""
    options = ["--suite", "mixed", "--expectations", project, "--parameter", "rows=3"]
    printed = " ".join(ends(AS_EXPECTED, capsys, *options, good).split())
    assert "WARNING tenure_months the least value of tenure_months must be at least 1 found: 0" in printed
    assert "INFO tenure_months" in printed
    assert "by Great Expectations: only it has code for this type" in printed
    assert "Great Expectations itself evaluated 1 of them" in printed


def test_without_the_fallback_what_only_gx_can_tell_is_not_told(
    good: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the end says so, even if all else is as expected."""
    options = ["--suite", "mixed", "--expectations", project, "--parameter", "rows=3", "--no-fallback"]
    printed = ends(NOT_TOLD, capsys, *options, good)
    assert "NOT RUN" in printed
    assert "1 not evaluated" in printed
    printed = ends(NOT_TOLD, capsys, *options, "--json", good)
    assert "expect_column_value_z_scores_to_be_less_than isn't evaluated" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--suite", "customer_push_suit"], "Did you mean customer_push_suite"),
        (["--suite", "x"], "There are customer_data_suite, customer_push_suite, enriched_data_suite."),
        ([*SUITE, "--expectations", "nowhere"], "There is no folder nowhere/suites"),
        ([*SUITE, "--expectations", str(ROOT / "expectations/suites")], f"Did you mean --expectations {ROOT}/expectations?"),
        ([*SUITE, "--parameter", "limit=1"], "customer_push_suite has no parameter limit: it takes none."),
        ([*SUITE, "--result-format", "COMPLETE"], "give --json, too"),
        ([*SUITE, "--json", "--result-format", '{"result_format": "ALL"}'], "must be one of BOOLEAN_ONLY"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_asked_wrongly_is_told_in_a_line(
    good: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is wrong, and what would be right."""
    monkeypatch.chdir(ROOT)
    printed = ends(NOT_TOLD, capsys, *arguments, good)
    assert message in printed
    assert len(printed.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--suite"),
        (["--suite", "mixed", "--parameter", "rows"], "NAME=JSON, for instance limit=5"),
        (["--suite", "mixed", "--parameter", "rows=three"], """a text needs quotation marks: 'rows="three"'"""),
        (["--suite", "mixed", "--json", "--result-format", "complete"], "one of BOOLEAN_ONLY, BASIC, SUMMARY, COMPLETE"),
    ],
)
def test_options_that_cannot_be_read_end_with_2(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """By the parser of the command line."""
    with pytest.raises(SystemExit) as end:
        main(["validate", *arguments, "file.csv"])
    assert end.value.code == NOT_TOLD
    assert message in capsys.readouterr().err


def test_a_parameter_that_is_missing_is_asked_for(good: Path, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As it would be given."""
    printed = ends(NOT_TOLD, capsys, "--suite", "mixed", "--expectations", project, good)
    assert "mixed needs a value for rows: --parameter rows=..." in printed


def test_colours_are_for_terminals_whose_owner_wants_them() -> None:
    """See no-color.org."""

    class Terminal:
        def isatty(self) -> bool:
            return True

    terminal: Any = Terminal()
    assert shows_colour(terminal, {"TERM": "xterm"})
    assert shows_colour(terminal, {"NO_COLOR": ""})
    assert not shows_colour(terminal, {"NO_COLOR": "1"})
    assert not shows_colour(terminal, {"TERM": "dumb"})
    with Path(os.devnull).open() as file:
        assert not shows_colour(file, {"TERM": "xterm"})


def test_an_interrupt_ends_it_quietly(tmp_path: Path) -> None:
    """In the middle of a file."""
    path = tmp_path / "file.csv"
    header = ",".join(GOOD)
    path.write_text(header + "\n" + "1001,25,150,5500.0,36.67,gold,0.85\n" * 2_000_000)
    process = subprocess.Popen([*COMMAND, *SUITE, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)
    while str(path).encode() not in b"".join(_open_files(process.pid)):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert (process.returncode, out, err) == (-signal.SIGINT, b"", b"")


def _open_files(pid: int) -> list[bytes]:
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(bytes(link.readlink()))
        except OSError:
            continue
    return found


def test_a_reader_that_has_seen_enough_is_no_error(bad: Path) -> None:
    """`feature-service validate ... | head -1`."""
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.run([*COMMAND, *SUITE, str(bad)], stdout=writing, stderr=subprocess.PIPE, cwd=ROOT, check=False)
    os.close(writing)
    assert process.stderr == b""


def test_serving_loads_nothing_of_it() -> None:
    """Pyarrow and the suites come with the command, not with the console script."""
    script = "import sys, service.cli; print(*sorted(name for name in sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert not {"pyarrow", "numpy", "pandas", "service.suites", "service.files.validation"} & set(loaded)
