"""What a process counts: kept in a file of its own, taken over by whoever comes after it, never lost or counted twice."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.metrics import Metrics
from service.metrics.definitions import DEFINITIONS, ENTITIES, PREFIX
from service.metrics.page import CELLS
from service.metrics.slots import MAX_SLOTS

COUNTER = """
import sys, time
from pathlib import Path
from service.metrics import Metrics

metrics = Metrics(Path(sys.argv[1]))
metrics.count("requests", "/get-online-features", "200", amount=int(sys.argv[2]))
metrics.set("workers", 1)
print("counted", flush=True)
time.sleep(600)
"""

READS = {"route": "/get-online-features", "status": "200"}


def total(metrics: Metrics, name: str, **labels: str) -> float:
    """One sample of the page; 0 when it isn't there."""
    for family in text_string_to_metric_families(metrics.page().decode()):
        for sample in family.samples:
            if sample.name == PREFIX + name and sample.labels == labels:
                return float(sample.value)
    return 0.0


@pytest.fixture
def metrics(tmp_path: Path) -> Iterator[Metrics]:
    """A process's metrics, alone in a folder."""
    taken = Metrics(tmp_path)
    yield taken
    taken.close()


def slots(folder: Path) -> list[str]:
    """The slots in a folder."""
    return sorted(path.name for path in folder.glob("slot-*.cells"))


def test_a_series_keeps_its_cell(metrics: Metrics) -> None:
    """Looked up once, counted with an addition ever after."""
    cell = metrics.cell("requests", "/a", "200")
    metrics.cells[cell] += 2
    metrics.count("requests", "/a", "200")
    assert metrics.cell("requests", "/a", "200") == cell
    assert metrics.cell("requests", "/a", "404") != cell
    assert metrics.cells[cell] == 3


def test_several_processes_have_a_slot_each(tmp_path: Path) -> None:
    """And one page shows them all."""
    several = [Metrics(tmp_path) for _ in range(3)]
    for number, each in enumerate(several, 1):
        each.count("requests", *READS.values(), amount=number)
    assert slots(tmp_path) == ["slot-0.cells", "slot-1.cells", "slot-2.cells"]
    assert {total(each, "requests_total", **READS) for each in several} == {6}
    for each in several:
        each.close()


def test_a_counter_goes_on_where_the_last_process_stopped(tmp_path: Path) -> None:
    """A worker that is replaced doesn't make the page's counters fall."""
    for round_number in range(1, 4):
        metrics = Metrics(tmp_path)
        metrics.count("requests", *READS.values())
        metrics.histogram("read_entities").observe(5)
        assert total(metrics, "requests_total", **READS) == round_number
        assert total(metrics, "read_entities_count") == round_number
        metrics.close()
    assert slots(tmp_path) == ["slot-0.cells"]


def test_new_series_of_a_later_process_do_not_lie_on_old_ones(tmp_path: Path) -> None:
    """Histograms take many cells; the next series begins behind the last."""
    first = Metrics(tmp_path)
    first.histogram("request_seconds", "/a").observe(0.1)
    first.close()
    second = Metrics(tmp_path)
    second.histogram("request_seconds", "/b").observe(5.0)
    second.count("requests", "/b", "200")
    assert total(second, "request_seconds_count", route="/a") == 1
    assert total(second, "request_seconds_sum", route="/a") == 0.1
    assert total(second, "request_seconds_sum", route="/b") == 5.0
    second.close()


def test_what_a_dead_process_was_doing_is_over(tmp_path: Path) -> None:
    """Its gauges are gone, its counters stay: killed, it could close nothing."""
    arguments = [sys.executable, "-c", COUNTER, str(tmp_path), "5"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "counted\n"
        ours = Metrics(tmp_path)
        ours.set("workers", 1)
        assert total(ours, "workers") == 2
        child.send_signal(signal.SIGKILL)
    assert total(ours, "workers") == 1
    assert total(ours, "requests_total", **READS) == 5
    replacement = Metrics(tmp_path)
    replacement.count("requests", *READS.values())
    assert total(ours, "workers") == 1
    assert total(ours, "requests_total", **READS) == 6
    assert slots(tmp_path) == ["slot-0.cells", "slot-1.cells"]
    replacement.close()
    ours.close()


def test_a_closed_process_is_not_counted_as_a_worker(tmp_path: Path) -> None:
    """Nor as one when its slot is taken again."""
    first = Metrics(tmp_path)
    first.set("workers", 1)
    first.close()
    second = Metrics(tmp_path)
    assert total(second, "workers") == 0
    second.close()


def test_a_gauge_of_the_least_is_the_least_of_the_living(tmp_path: Path) -> None:
    """The age of the definitions is that of the worker that is furthest behind."""
    several = [Metrics(tmp_path) for _ in range(3)]
    for each, checked in zip(several, (300.0, 100.0, 200.0), strict=True):
        each.set("catalog_checked", checked)
    assert total(several[0], "catalog_checked") == 100
    several[1].close()
    assert total(several[0], "catalog_checked") == 200
    for each in (several[0], several[2]):
        each.close()


@pytest.mark.parametrize("value", [0, 1, 2, 3, 10_000, 10_001, 1e9])
def test_a_value_is_counted_in_its_bucket(tmp_path: Path, value: float) -> None:
    """Up to and with the bound; beyond the last in +Inf alone."""
    metrics = Metrics(tmp_path)
    metrics.histogram("read_entities").observe(value)
    for bound in ENTITIES:
        assert total(metrics, "read_entities_bucket", le=str(float(bound))) == (value <= bound)
    assert total(metrics, "read_entities_bucket", le="+Inf") == 1
    assert total(metrics, "read_entities_sum") == value
    metrics.close()


def test_more_series_than_there_is_room_for_are_counted_together(metrics: Metrics) -> None:
    """Ten thousand views fit; a flood of labels ends in (other) and harms nobody."""
    for number in range(CELLS):
        metrics.count("feature_values", f"view_{number}", "PRESENT")
    metrics.histogram("request_seconds", "/late").observe(1.0)
    metrics.count("requests", "/late", "200")
    metrics.set("workers", 1)
    page = dict(line.removeprefix(PREFIX).rsplit(" ", 1) for line in metrics.page().decode().splitlines())
    counted = {name: float(value) for name, value in page.items() if name.startswith("feature_values_total{")}
    other = 'feature_values_total{status="(other)",view="(other)"}'
    assert sum(counted.values()) == CELLS
    assert len(counted) > 10_000
    assert counted.pop(other) > 0
    assert set(counted.values()) == {1.0}
    assert float(page['requests_total{route="(other)",status="(other)"}']) == 1
    assert float(page['request_seconds_sum{route="(other)"}']) == 1
    assert float(page["workers"]) == 1


def test_a_name_cut_short_in_writing_is_passed_over(tmp_path: Path) -> None:
    """A process killed, or a disk that filled, in the middle of a line."""
    first = Metrics(tmp_path)
    first.count("requests", *READS.values(), amount=3)
    first.close()
    names = tmp_path / "slot-0.names"
    with names.open("ab") as file:
        file.write(b'[1, "requ')
    second = Metrics(tmp_path)
    second.count("requests", "/health", "200")
    second.close()
    third = Metrics(tmp_path)
    assert total(third, "requests_total", **READS) == 3
    assert total(third, "requests_total", route="/health", status="200") == 1
    third.close()


def test_any_label_is_kept(metrics: Metrics) -> None:
    """Quotes, line ends and other scripts, as a view may be called."""
    name = 'a "b"\n\\c é 🎉'
    metrics.count("feature_values", name, "PRESENT")
    assert total(metrics, "feature_values_total", view=name, status="PRESENT") == 1


def test_all_slots_taken_is_told(tmp_path: Path) -> None:
    """Rather than counting into somebody else's."""
    taken = [Metrics(tmp_path) for _ in range(MAX_SLOTS)]
    with pytest.raises(RuntimeError, match=f"All {MAX_SLOTS} metric slots"):
        Metrics(tmp_path)
    for each in taken:
        each.close()


def test_a_slot_takes_no_more_disk_than_was_counted(tmp_path: Path) -> None:
    """The file is sparse."""
    metrics = Metrics(tmp_path)
    metrics.count("requests", *READS.values())
    path = tmp_path / "slot-0.cells"
    os.sync()
    assert path.stat().st_size == CELLS * 8
    assert path.stat().st_blocks * 512 <= 64 * 1024
    metrics.close()


def test_the_page_may_be_read_while_others_count(tmp_path: Path) -> None:
    """Another process's slot is read as it is at that moment."""
    arguments = [sys.executable, "-c", COUNTER, str(tmp_path), "7"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "counted\n"
        started = time.monotonic()
        ours = Metrics(tmp_path)
        assert total(ours, "requests_total", **READS) == 7
        assert total(ours, "workers") == 1
        assert time.monotonic() >= started
        ours.close()
        child.kill()


def test_every_metric_has_its_words() -> None:
    """Help ends as a sentence; histograms have rising buckets; nothing else has any."""
    for name, definition in DEFINITIONS.items():
        assert definition.help.endswith("."), name
        assert list(definition.buckets) == sorted(set(definition.buckets))
        assert bool(definition.buckets) == (definition.kind == "histogram")
