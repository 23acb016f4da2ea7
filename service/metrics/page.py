"""Prometheus's text of all processes together: the slots of the living and the dead, added up."""

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import generate_latest

from service.metrics.definitions import DEFINITIONS, PREFIX, Definition

# 65,536 series and buckets: 10,000 feature views, and half a megabyte of (sparse) file for each process.
CELLS = 65_536

# Of each metric, by its labels, the cells of all processes put together.
Totals = dict[str, dict[tuple[str, ...], list[float]]]


def render(directory: Path, now: Callable[[], float]) -> bytes:
    """The page. `now` gives Unix seconds."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(directory, now))
    return generate_latest(registry)


class _Collector:
    """The reading side: adds up every slot in the directory."""

    def __init__(self, directory: Path, now: Callable[[], float]) -> None:
        self._directory = directory
        self._now = now

    def collect(self) -> Iterator[Metric]:
        totals: Totals = {name: {} for name in DEFINITIONS}
        for path in sorted(self._directory.glob("slot-*.cells")):
            self._add(path, totals)
        for name, definition in DEFINITIONS.items():
            yield _family(name, definition, totals[name])
        checked = totals["catalog_checked"].get(())
        age = GaugeMetricFamily(PREFIX + "catalog_age_seconds", "Time since the definitions were last known to be current.")
        if checked and checked[0]:
            age.add_metric([], max(0.0, self._now() - checked[0]))
        yield age

    def _add(self, path: Path, totals: Totals) -> None:
        data = memoryview(path.read_bytes()).cast("d")
        alive = _is_held(path)
        for index, (name, *labels) in read_names(path.with_suffix(".names")):
            definition = DEFINITIONS[name]
            if not (alive or definition.lasting):
                continue
            values = list(map(float, data[index : index + definition.cells]))
            before = totals[name].get(tuple(labels))
            join = {"min": min, "max": max}.get(definition.kind, _plus)
            totals[name][tuple(labels)] = values if before is None else list(map(join, before, values))


def _plus(a: float, b: float) -> float:
    return a + b


def _family(name: str, definition: Definition, series: dict[tuple[str, ...], list[float]]) -> Metric:
    full = PREFIX + name
    if definition.kind == "histogram":
        histogram = HistogramMetricFamily(full, definition.help, labels=definition.labels)
        for labels, cells in series.items():
            running = 0.0
            buckets = []
            for bound, amount in zip([*map(str, map(float, definition.buckets)), "+Inf"], cells, strict=False):
                running += amount
                buckets.append((bound, running))
            histogram.add_metric(list(labels), buckets, cells[-1])
        return histogram
    kind = CounterMetricFamily if definition.kind == "counter" else GaugeMetricFamily
    family = kind(full, definition.help, labels=definition.labels)
    for labels, cells in series.items():
        family.add_metric(list(labels), cells[0])
    return family


def _is_held(path: Path) -> bool:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def read_names(path: Path) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Where each series of a slot begins, and its name and labels; only whole lines: its process may be writing."""
    if path.exists():
        *lines, _unfinished = path.read_bytes().split(b"\n")
        for line in lines:
            index, *key = json.loads(line)
            yield index, tuple(key)
