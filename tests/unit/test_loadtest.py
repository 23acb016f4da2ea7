"""The benchmark's own arithmetic: wrk's output, /proc, the comparison of answers, and the report."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from loadtest import __main__ as command
from loadtest import markdown, plot, procstat, report, results, soak, wrk
from loadtest.answers import Comparison, compare_online_features, ids_alive
from loadtest.errors import BenchmarkError, MissingToolError, PageError, ServerFailedError
from loadtest.machine import check_tools
from loadtest.records import Checked, Run, Start
from loadtest.results import Results
from loadtest.scenario import online_features
from loadtest.servers import Kind

# What wrk 4.1.0 printed with the script of `wrk.script`.
GOOD_OUTPUT = """\
Running 1s test @ http://127.0.0.1:41877
  1 threads and 8 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    42.59ms    7.06ms  48.00ms   95.65%
    Req/Sec   161.60     18.74   191.00     40.00%
  Latency Distribution
     50%   43.95ms
     75%   44.00ms
     90%   44.03ms
     99%   47.99ms
  161 requests in 1.00s, 18.53KB read
Requests/sec:    160.51
Transfer/sec:     18.47KB
loadtest-result 161 1003055 43952 44026 47992 47999 0 0 0 0 0
"""
BAD_OUTPUT = """\
Running 1s test @ http://127.0.0.1:34547
  1 threads and 8 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    42.60ms    7.28ms  48.05ms   95.65%
    Req/Sec   138.00     16.84   160.00     40.00%
  Latency Distribution
     50%   43.90ms
     75%   44.00ms
     90%   44.05ms
     99%   48.03ms
  138 requests in 1.00s, 15.91KB read
  Non-2xx or 3xx responses: 2
Requests/sec:    137.49
Transfer/sec:     15.85KB
loadtest-result 138 1003708 43903 44052 48033 48047 0 0 0 2 0
"""

# Spends a known amount of CPU time in a child that ends, in a child that stays, and itself; says when it is done.
BURN = """
import subprocess, sys, time
burn = "import time\\nwhile time.process_time() < 0.3: pass\\n"
subprocess.run([sys.executable, "-c", burn], check=True)
stays = subprocess.Popen([sys.executable, "-c", burn + "print(flush=True); input()"], stdin=-1, stdout=-1)
stays.stdout.readline()
while time.process_time() < 0.3: pass
print(stays.pid, flush=True)
input()
stays.communicate(b"\\n")
"""
TICK = procstat.TICK_MICROSECONDS


def answer(columns: dict[str, list[object]], status: str = "PRESENT", time: str = "2026-01-02T03:04:05Z") -> bytes:
    """Return an answer of `/get-online-features` with one status and one event time for all."""
    vectors = [
        {"values": values, "statuses": [status] * len(values), "event_timestamps": [time] * len(values)}
        for values in columns.values()
    ]
    return orjson.dumps({"metadata": {"feature_names": list(columns)}, "results": vectors})


def run(server: Kind, number: int, cpu_us: int) -> Run:
    """Return a run of the scenario `1x4` in which each of 1000 requests cost so many microseconds."""
    return Run(server, "1x4", number, 1000, cpu_us / 1000, cpu_us * 8, cpu_us * 12, cpu_us * 1000, 200 << 20, 300 << 20)


@pytest.fixture
def measured() -> Results:
    """Give three rounds in which ours took 50 us a request and stock 600, give or take."""
    found = Results("2026-01-02 03:04:05", "python -m loadtest", {"processor": "a fast one", "runs": "3 rounds"})
    found.scenarios = [Checked("1x4", "1 entity x 4 features", "sample", 10, Comparison(16, 80))]
    found.runs = [run(Kind.STOCK, n, us) for n, us in enumerate((590, 600, 640), 1)]
    found.runs += [run(Kind.OURS, n, us) for n, us in enumerate((49, 50, 60), 1)]
    found.starts = [Start(kind, "sample", 1, 1.5, 100 << 20, 150 << 20) for kind in Kind]
    return found


def test_a_run_of_wrk_is_read_from_its_last_line() -> None:
    """Requests, seconds and latencies come out in the units that they are documented in."""
    load = wrk.parse(GOOD_OUTPUT)
    assert load == wrk.Load(161, 1.003055, 43952, 44026, 47992, 47999)
    assert load.per_second == pytest.approx(160.51, abs=0.005)


def test_one_answer_outside_2xx_fails_the_run() -> None:
    """A server that sheds load must not look fast."""
    with pytest.raises(ServerFailedError, match=r"2 of 138 requests failed .*2 x status"):
        wrk.parse(BAD_OUTPUT)


def test_output_without_a_result_fails_the_run() -> None:
    """It isn't taken for zero requests a second."""
    with pytest.raises(BenchmarkError, match="no result"):
        wrk.parse("unable to connect to 127.0.0.1:1 Connection refused")


def test_any_bytes_survive_as_a_lua_string() -> None:
    """Quotes, backslashes and bytes outside ASCII are escaped by number, digits after them included."""
    assert wrk.lua_string(b'a"\\\n\xff1') == '"a\\034\\092\\010\\2551"'


def test_a_scenario_has_the_same_bodies_every_time() -> None:
    """Different random entities a body, the same in every process, and none twice in one body."""
    one = online_features(10, 12, range(1001, 11_001), "customer_id", {"features": ["v:f"]})
    again = online_features(10, 12, list(range(1001, 11_001)), "customer_id", {"features": ["v:f"]})
    assert one.bodies == again.bodies
    ids = [tuple(orjson.loads(body)["entities"]["customer_id"]) for body in one.bodies]
    assert len(set(ids)) == len(ids) == 256
    assert all(len(set(each)) == 10 for each in ids)


@pytest.fixture
def burner() -> Iterator[tuple[int, int]]:
    """Give the process ids of a parent and its living child; each, and a child that ended, used 0.3 s of CPU time."""
    with subprocess.Popen([sys.executable, "-c", BURN], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        yield parent.pid, int(parent.stdout.readline())
        parent.communicate(b"\n")


def test_cpu_time_of_a_tree_counts_children_that_live_and_that_ended(burner: tuple[int, int]) -> None:
    """Three processes used 0.3 s each; the kernel may cut each down to whole ticks."""
    parent, child = burner
    tree = procstat.tree(parent)
    assert [process.pid for process in tree.processes] == [parent, child]
    assert tree.processes[0].ended_children_us >= 300_000 - 2 * TICK
    assert tree.processes[1].own_us >= 300_000 - 2 * TICK
    assert tree.cpu_us >= 900_000 - 6 * TICK


def test_memory_is_of_the_tree_and_of_the_busiest_process(burner: tuple[int, int]) -> None:
    """The worker is who used most CPU since some moment, not who used most since the start."""
    parent, child = burner
    tree = procstat.tree(parent)
    at_start = procstat.Tree(tuple(replace(p, own_us=0) for p in tree.processes if p.pid == child))
    assert tree.busiest_since(tree) in {parent, child}
    assert procstat.Tree(tree.processes[1:]).busiest_since(at_start) == child
    assert 0 < tree.rss_bytes(child) < 200 << 20
    assert 0 < tree.pss_bytes <= tree.rss_bytes(parent) + tree.rss_bytes(child)
    assert tree.rss_bytes(0) == 0


def test_a_process_is_read_in_spite_of_its_name() -> None:
    """The name in /proc/<pid>/stat may hold spaces and parentheses; a zombie is no process any more."""
    fields = "S 7 7 7 0 -1 0 0 0 0 0 150 50 30 20 20 0 1 0 99 4096 10 0"
    process = procstat.parse_stat(42, f"42 (a) b (c)) {fields}", pss_bytes=5)
    assert process == procstat.Process(42, 7, 200 * TICK, 50 * TICK, 10 * procstat.PAGE_BYTES, 5)
    assert procstat.parse_stat(42, f"42 (x) Z{fields[1:]}") is None


def test_a_process_that_is_gone_has_an_empty_tree() -> None:
    """Nothing raises: the server's end is noticed elsewhere."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert procstat.tree(gone.pid) == procstat.Tree(())


def test_answers_are_equal_in_any_order_of_features() -> None:
    """Stock's order isn't stable; that of rows counts."""
    stock = answer({"id": [1, 2], "a": [0.5, 0.7]})
    assert compare_online_features(stock, answer({"a": [0.5, 0.7], "id": [1, 2]})) == Comparison(1, 4)
    swapped = compare_online_features(stock, answer({"id": [2, 1], "a": [0.7, 0.5]}))
    assert swapped.values_differ == 4
    assert not swapped.same


def test_differences_are_counted_by_kind_and_shown() -> None:
    """A status says why it differs; 1 and 1.0 are not the same value."""
    found = compare_online_features(answer({"a": [1]}), answer({"a": [1.0]}, "NOT_FOUND", "1970-01-01T00:00:00Z"))
    assert (found.values_differ, found.times_differ) == (1, 1)
    assert found.statuses_differ == {"stock PRESENT, ours NOT_FOUND (the entity isn't stored)": 1}
    assert found.examples[0] == "a, row 0: stock 1, ours 1.0"
    assert (found + found).statuses_differ == {"stock PRESENT, ours NOT_FOUND (the entity isn't stored)": 2}


def test_other_features_or_rows_are_a_difference() -> None:
    """Nothing is compared then, and both shapes are shown."""
    found = compare_online_features(answer({"a": [1]}), answer({"a": [1, 2]}))
    assert (found.names_differ, found.examples) == (1, ("rows by feature: stock a[1], ours a[2]",))


def test_an_answer_of_another_kind_is_refused() -> None:
    """An error body isn't compared as if it were features."""
    with pytest.raises(ValueError, match="not an answer with features"):
        compare_online_features(answer({"a": [1]}), b'{"detail": "no"}')


def test_only_complete_entities_within_their_ttl_are_alive() -> None:
    """Null and old values rule an entity out, whatever the status says."""
    found = answer({"id": [1, 2, 3], "a": [5, None, 5], "b": [1, 1, 1]}, time="2026-01-02T00:00:00Z")
    late = {"a": datetime(2026, 1, 1, tzinfo=UTC), "b": datetime(2026, 1, 1, tzinfo=UTC)}
    assert list(ids_alive(found, "id", late)) == [1, 3]
    assert list(ids_alive(found, "id", late | {"b": datetime(2026, 1, 3, tzinfo=UTC)})) == []


def test_ratios_are_of_medians_over_the_rounds(measured: Results) -> None:
    """600 us against 50 is 12 times less; the same in requests/s, which are one million divided by that here."""
    assert measured.ratios("1x4") == pytest.approx((12, 12))
    stock = measured.measured("1x4", Kind.STOCK)
    assert stock
    assert (stock.cpu_us, stock.p50_ms, stock.cpu_spread) == pytest.approx((600, 4.8, 50 / 600))


def test_requests_under_way_at_the_end_count_for_cpu_time_only(measured: Results) -> None:
    """The server finishes them, but nobody waits for the answers."""
    slow = replace(measured.runs[0], requests=16, under_way=4, cpu_us=2000)
    assert slow.cpu_us_per_request == 100


def test_a_server_that_had_less_than_its_core_is_reported(measured: Results) -> None:
    """Its requests/s say something about the machine then, not about the server."""
    assert "of its core" not in report.render(measured, None)
    measured.runs[0] = replace(measured.runs[0], seconds=2 * measured.runs[0].seconds)
    assert "used only 50% of its core" in report.render(measured, None)


def test_raw_results_come_back_from_json(measured: Results, tmp_path: Path) -> None:
    """A page can be written again from what was kept."""
    file = measured.save(tmp_path)
    assert results.load(file) == results.load(tmp_path / "latest.json") == measured


def test_raw_results_of_a_time_before_pushes_can_still_be_read(measured: Results, tmp_path: Path) -> None:
    """What wasn't known then is empty; every scenario was a read."""
    kept = orjson.loads(measured.save(tmp_path).read_bytes())
    for scenario in kept["scenarios"]:
        del scenario["group"], scenario["label"]
    for each in kept["runs"]:
        del each["redis_us"]
    del kept["left"], kept["row_wise"], kept["forms"], kept["beside"], kept["suites"], kept["files"]
    old = tmp_path / "old.json"
    old.write_bytes(orjson.dumps(kept))
    assert results.load(old) == measured


def test_the_report_shows_both_servers_the_ratios_and_the_target(measured: Results) -> None:
    """One row a scenario, with the verdict."""
    text = report.render(measured, "performance.svg")
    assert "### Reads" in text
    assert "### Pushes" not in text
    row = next(line for line in text.splitlines() if line.startswith("| 1 entity x 4 features"))
    assert "1,667 → 20,000 |" in row
    assert "600 → 50.0 | **12.0** | **12.0** | 10: reached |" in row
    assert "](performance.svg)" in text
    assert "| start to first answer, s | 1.50 | 1.50 |" in text
    assert "all of them equal" in text
    assert "processor: a fast one." in text


def test_one_server_alone_has_a_report_without_ratios(measured: Results, tmp_path: Path) -> None:
    """Nothing is compared, and there is nothing to draw."""
    measured.runs = [each for each in measured.runs if each.server is Kind.OURS]
    measured.scenarios = [replace(each, comparison=None) for each in measured.scenarios]
    text = report.render(measured, None)
    assert "times" not in next(line for line in text.splitlines() if line.startswith("| this service |"))
    assert "Only one server ran" in text
    assert not plot.draw(measured, tmp_path / "plot.svg")


def test_the_same_results_give_the_same_picture(measured: Results, tmp_path: Path) -> None:
    """So that a page written again changes nothing."""
    one, two = tmp_path / "one.svg", tmp_path / "two.svg"
    assert plot.draw(measured, one)
    assert plot.draw(measured, two)
    assert one.read_bytes() == two.read_bytes()


def test_prose_around_the_markers_is_left_alone(tmp_path: Path) -> None:
    """Only what stands between them is replaced, however often."""
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- bench:begin -->\nold\n<!-- bench:end -->\nafter\n")
    for text in ("newer", "newest"):
        markdown.put_between(page, "bench", text)
    assert page.read_text() == "before\n<!-- bench:begin -->\nnewest\n<!-- bench:end -->\nafter\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<!-- bench:begin -->",
        "<!-- bench:end --><!-- bench:begin -->",
        "<!-- bench:begin --><!-- bench:end -->" * 2,
    ],
)
def test_a_page_without_one_pair_of_markers_is_refused(tmp_path: Path, text: str) -> None:
    """Rather than guess where the report belongs."""
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(PageError, match="bench:begin"):
        markdown.put_between(page, "bench", "new")
    assert page.read_text() == text


def test_a_soak_shows_growth_from_the_first_sample_under_load() -> None:
    """What the first requests load into memory once is no growth."""
    samples = [soak.Sample(n * 1000, rss << 20) for n, rss in enumerate((60, 70, 70, 71))]
    assert soak.growth_mib(samples) == 1
    text = soak.render(samples, "2026-01-02", "python -m loadtest --soak 3000")
    assert "| 3,000 | 71.0 |" in text
    assert "+1.0 MiB. A line through these samples rises by 524.29 bytes a request." in text


def test_missing_programs_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And the command ends with 2, before it starts anything."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match=r"needs wrk and taskset; .*apt-get install wrk util-linux"):
        check_tools()
    assert command.main(["--quick"]) == 2


def test_a_scenario_that_there_is_not_is_refused_with_those_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is started."""
    with pytest.raises(SystemExit):
        command.parse_arguments(["--scenario", "push-7"])
    said = capsys.readouterr().err
    scenarios = ("10x12", "100x4+2-pandas", "1x4+2-python", "push-1000")
    assert all(name in said for name in (*scenarios, "row-wise", "arrow", "reads-beside-pushes", "validation", "files"))


def test_the_reported_command_leaves_out_where_the_page_went() -> None:
    """Paths say nothing about the measurement."""
    assert command.parse_arguments(["--quick", "--output", "x.md"]).command == "python -m loadtest --quick"
    assert command.parse_arguments(["--output=x.md"]).command == "python -m loadtest"
