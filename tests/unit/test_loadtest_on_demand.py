"""The benchmark's on-demand features, what their tag brings, and Arrow answers: bodies, comparisons, and what is reported."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import orjson
import pandas as pd  # type: ignore[import-untyped]
import pytest

from loadtest import arrow, on_demand, plot, report, row_wise, time_client
from loadtest.answers import Comparison, compare_online_features
from loadtest.errors import BenchmarkError
from loadtest.forms import ALL_OF_ARROW, ARROW, CLIENT_JSON, PLAIN_JSON, Timing
from loadtest.records import Checked, FormTime, RowWise, Run
from loadtest.results import Results, load
from loadtest.scenario import Group, Scenario
from loadtest.servers import Kind, Server
from pipelines.local.layout import REPO_DIR
from pipelines.local.redis import free_port
from tests.unit.test_loadtest import answer

MIB = 2**20
STORED = ["stats:total_spend", "stats:loyalty_score"]
EPOCH, NOON = "1970-01-01T00:00:00Z", "2026-01-02T12:00:00Z"


def scenarios() -> dict[str, Scenario]:
    """Return the reads by name."""
    return {scenario.name: scenario for scenario in on_demand.scenarios(STORED, range(1001, 2001))}


def runs(name: str, stock: int, ours: int) -> list[Run]:
    """Return a run of each server in which each of 1000 requests cost so many microseconds."""
    both = ((Kind.STOCK, stock), (Kind.OURS, ours))
    return [Run(kind, name, 1, 1000, us / 1000, us * 8, us * 12, us * 1000, MIB, MIB) for kind, us in both]


@pytest.fixture
def found() -> Results:
    """Give results with all reads of on-demand features, some other scenarios, and both parts."""
    results = Results("2026-01-02 03:04:05", "python -m loadtest", {"processor": "a fast one"})
    results.scenarios = [
        Checked("push-10", "push of 10 rows", "pushes", 12, Comparison(18, 1113), Group.PUSHES, "10 rows"),
        Checked("1x4", "1 entity x 4 features", "sample", 10, Comparison(16, 80), Group.READS, "1 x 4"),
        *(
            Checked.of(scenario, "sample", Comparison(16, 700, times_unknown=200))
            for scenario in on_demand.scenarios(["v:a", "v:b", "v:c", "v:d"], range(1000))
        ),
    ]
    results.runs = [*runs("push-10", 4000, 250), *runs("1x4", 600, 50)]
    results.runs += [*runs("1x4+2-pandas", 3000, 600), *runs("100x4+2-pandas", 16_000, 1000)]
    results.runs += [*runs("1x4+2-python", 1000, 100), *runs("100x4+2-python", 9000, 800)]
    results.row_wise = [
        RowWise(tagged, connections, 1, 10_000, 10_000 * us / 1e6, 8 * us, 12 * us, us * (10_000 + connections))
        for tagged, connections, us in ((False, 8, 800), (True, 8, 400), (False, 64, 900), (True, 64, 100))
    ]
    times = {PLAIN_JSON: 9.0, CLIENT_JSON: 12.0, ARROW: 4.0, ALL_OF_ARROW: 6.0}
    results.forms = [FormTime(form, 1, Timing(500, ms, ms * 2, ms / 4, ms / 2)) for form, ms in times.items()]
    return results


def test_both_modes_are_asked_for_the_same_random_rows() -> None:
    """As many balances as customers, in euros and cents, the same in every process; only the view differs."""
    assert list(scenarios()) == ["1x2+2-pandas", "100x2+2-pandas", "1x2+2-python", "100x2+2-python"]
    assert scenarios()["100x2+2-pandas"].bodies == scenarios()["100x2+2-pandas"].bodies
    for entities in (1, 100):
        pandas, python = (
            [orjson.loads(body) for body in scenarios()[f"{entities}x2+2-{mode}"].bodies] for mode in ("pandas", "python")
        )
        assert [body["entities"] for body in pandas] == [body["entities"] for body in python]
        assert {tuple(body["features"][:2]) for body in (*pandas, *python)} == {tuple(STORED)}
        assert pandas[0]["features"][2:] == [f"customer_derived_features:{name}" for name in on_demand.DERIVED]
        assert python[0]["features"][2:] == [f"customer_derived_features_python:{name}" for name in on_demand.DERIVED]
        for body in pandas:
            assert len(set(body["entities"]["customer_id"])) == len(body["entities"]["current_balance"]) == entities
            assert all(balance == round(balance, 2) for balance in body["entities"]["current_balance"])
    balances = {body["entities"]["current_balance"][0] for body in pandas}
    assert len(balances) > 250


def test_a_time_that_stock_does_not_know_is_no_difference() -> None:
    """Of a computed feature alone, and only where stock says 1970; its values and statuses are compared as any other's."""
    stock, ours = answer({"ratio": [0.5, 2]}, time=EPOCH), answer({"ratio": [0.5, 2]}, time=NOON)
    assert compare_online_features(stock, ours, ["ratio"]) == Comparison(1, 2, times_unknown=2)
    assert compare_online_features(stock, ours, ["other"]).times_differ == 2
    assert compare_online_features(ours, stock, ["ratio"]).times_differ == 2
    wrong = compare_online_features(stock, answer({"ratio": [0.5, 3]}, "NULL_VALUE", NOON), ["ratio"])
    assert (wrong.values_differ, wrong.statuses_differ) == (1, {"stock PRESENT, ours NULL_VALUE (a null is stored)": 2})
    assert (wrong + wrong).times_unknown == 4


def test_on_demand_features_have_a_table_of_their_own(found: Results) -> None:
    """With what was compared; what other entities' statuses are is said of the stored features."""
    found.others = {"sample": Comparison(1, 100, statuses_differ={"stock PRESENT, ours NOT_FOUND": 3})}
    text = report.render(found, None)
    begin, end = text.index("### On-demand features\n"), text.index("### Pushes\n")
    assert text.index("### Reads\n") < text.index("stock PRESENT, ours NOT_FOUND") < begin
    table = text[begin:end]
    assert "| 1 entity x (4 + 2) features, pandas | 333 → 1,667 |" in table
    assert "3,000 → 600 | **5.00** | **5.00** | 4: reached |" in table
    assert "| **11.2** | **11.2** |  |" in table
    assert "2,800 values, statuses and event times by feature name, all of them equal. Left out are 800 event times" in table


def test_plain_python_is_compared_with_stocks_pandas_too(found: Results) -> None:
    """Which is what the aim is of: 3,000 microseconds against 100."""
    said = "1 entity **30.0** and **30.0** times (to reach 25: reached); 100 entities **20.0** and **20.0** times"
    assert f"beside pandas at stock Feast, requests/s and CPU: {said} (to reach 25: missed)." in report.render(found, None)
    found.runs = [run for run in found.runs if run.server is Kind.OURS]
    assert on_demand.beside_pandas(found) == ""


def test_the_picture_shows_them_between_reads_and_pushes(found: Results, tmp_path: Path) -> None:
    """Below a caption of their own."""
    rows, captions = plot.layout(found.scenarios)
    assert [row.scenario.label for row in rows] == ["1 x 4", "1, pandas", "100, pandas", "1, python", "100, python", "10 rows"]
    assert len(captions) == 3
    assert plot.draw(found, tmp_path / "plot.svg")


def test_a_repository_without_the_tag_differs_in_nothing_else(tmp_path: Path) -> None:
    """And is still one that Python reads."""
    plain = row_wise.untagged(REPO_DIR, tmp_path / "plain")
    tagged = (REPO_DIR / "features.py").read_text()
    text = (plain / "features.py").read_text()
    compile(text, "features.py", "exec")
    assert '"row_wise"' not in text
    assert len(tagged) - len(text) == len(row_wise.TAG)
    assert {file.name for file in plain.iterdir()} == {file.name for file in REPO_DIR.iterdir()} - {"__pycache__"}


def test_a_repository_that_has_no_tag_is_refused(tmp_path: Path) -> None:
    """Both sides of the comparison would be the same."""
    plain = row_wise.untagged(REPO_DIR, tmp_path / "plain")
    with pytest.raises(BenchmarkError, match="0 times, not once"):
        row_wise.untagged(plain, tmp_path / "again")


def test_the_tag_is_reported_by_connections(found: Results) -> None:
    """The aim is of both ratios."""
    text = report.render(found, None)
    assert "| 8 connections | 1,250 → 2,500 | 6.40 → 3.20 | 9.60 → 4.80 | 800 → 400 | **2.00** | **2.00** | 3: missed |" in text
    assert (
        "| 64 connections | 1,111 → 10,000 | 7.20 → 0.8 | 10.8 → 1.20 | 900 → 100 | **9.00** | **9.00** | 3: reached |" in text
    )


def test_arrow_is_reported_beside_json(found: Results) -> None:
    """From request to frame, and what it costs both."""
    text = report.render(found, None)
    assert "| JSON: httpx, orjson, `pandas.DataFrame` | 9.00 | 18.0 | 2.25 | 4.50 |" in text
    assert "takes **3.00** times less than JSON by the same client (to reach 2: reached), 2.25 times less than JSON" in text
    assert "always has, 1.50 times less than that." in text
    found.forms.append(FormTime(ARROW, 2, Timing(500, 18.0, 19.0, 1.0, 1.0)))
    assert "times less than JSON by the same client (to reach 2: missed)" in arrow.render(found)


def test_all_of_it_comes_back_from_json(found: Results, tmp_path: Path) -> None:
    """A page can be written again from what was kept."""
    assert load(found.save(tmp_path)) == found


def test_frames_are_the_same_by_values_whatever_their_types() -> None:
    """A column more is no matter, one less is."""
    expected = pd.DataFrame({"id": [1, 2], "a": [0.10000000149011612, 0.5]})
    typed = pd.DataFrame({"a": pd.Series([0.1, 0.5], dtype="float32"), "id": pd.Series([1, 2], dtype="Int64"), "a__ts": [1, 2]})
    time_client.check_same(expected, typed)
    for other in (typed.assign(a=[0.1, 0.5]), typed.drop(columns="id"), typed[::-1]):
        with pytest.raises(ValueError, match="isn't the same"):
            time_client.check_same(expected, other)


def test_a_client_is_timed_by_requests_after_the_warm_up() -> None:
    """List by list; once at least, however short the time. CPU is its own and that of the server's processes."""
    asked: list[Sequence[int]] = []

    def ask(ids: Sequence[int]) -> pd.DataFrame:
        asked.append(ids)
        sum(range(100_000))
        return pd.DataFrame()

    timing = time_client.measure(ask, [[1], [2]], 0.0, os.getpid())
    assert timing.requests == len(asked) - time_client.WARM_UP == 1
    assert asked[:3] == [[1], [2], [1]]
    timing = time_client.measure(ask, [[1]], 0.1, os.getpid())
    assert 0 < timing.p50_ms <= timing.p99_ms
    assert timing.client_ms > 0
    assert timing.server_ms > 0


def test_a_client_that_fails_ends_the_benchmark_with_what_it_said(tmp_path: Path) -> None:
    """Nobody listens at that port."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        server = Server(Kind.OURS, free_port(), process, tmp_path / "log")
        with pytest.raises(BenchmarkError, match=r"timing the client \(json\) failed:[\s\S]*Connection refused"):
            arrow.timed(PLAIN_JSON, server, [[1]], 0.1, ())
