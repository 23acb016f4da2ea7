"""Prometheus's page: read by Prometheus's own parser."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from service.metrics import Metrics
from service.metrics.definitions import DEFINITIONS, PREFIX
from tests.http.handmade.examples import examples


@pytest.fixture
def metrics(tmp_path: Path) -> Iterator[Metrics]:
    """A process's metrics, alone in a folder."""
    taken = Metrics(tmp_path)
    yield taken
    taken.close()


def families(metrics: Metrics, now: float = 0.0) -> dict[str, Any]:
    """The page, parsed: family by name."""
    parsed = text_string_to_metric_families(metrics.page(lambda: now).decode())
    return {family.name: family for family in parsed}


def test_every_metric_is_on_the_page_from_the_start(metrics: Metrics) -> None:
    """With its help and its type, so that a dashboard finds it before the first request."""
    page = families(metrics)
    for name, definition in DEFINITIONS.items():
        family = page[PREFIX + name]
        assert family.documentation == definition.help
        kinds = {"counter": "counter", "histogram": "histogram"}
        assert family.type == kinds.get(definition.kind, "gauge")


@examples(40)
@given(values=st.lists(st.floats(0, 20_000), min_size=1, max_size=30))
def test_buckets_add_up(tmp_path_factory: pytest.TempPathFactory, values: list[float]) -> None:
    """Each holds what the one before holds and more; the last holds all."""
    metrics = Metrics(tmp_path_factory.mktemp("metrics"))
    histogram = metrics.histogram("read_entities")
    for value in values:
        histogram.observe(value)
    family = families(metrics)[PREFIX + "read_entities"]
    buckets = {sample.labels["le"]: sample.value for sample in family.samples if sample.name.endswith("_bucket")}
    assert list(buckets.values()) == sorted(buckets.values())
    assert buckets == {bound: sum(value <= float(bound) for value in values) for bound in buckets}
    plain = {sample.name: sample.value for sample in family.samples if "le" not in sample.labels}
    assert plain[PREFIX + "read_entities_count"] == buckets["+Inf"] == len(values)
    assert plain[PREFIX + "read_entities_sum"] == pytest.approx(sum(values))
    metrics.close()


def test_the_age_of_the_definitions_is_told(metrics: Metrics) -> None:
    """Since the worker that is furthest behind last knew them to be current; nothing before the first reading."""
    assert families(metrics)[PREFIX + "catalog_age_seconds"].samples == []
    metrics.set("catalog_checked", 1000.0)
    (sample,) = families(metrics, now=1012.5)[PREFIX + "catalog_age_seconds"].samples
    assert sample.value == 12.5


def test_a_clock_that_was_set_back_makes_no_negative_age(metrics: Metrics) -> None:
    """At worst it is 0."""
    metrics.set("catalog_checked", 1000.0)
    (sample,) = families(metrics, now=900.0)[PREFIX + "catalog_age_seconds"].samples
    assert sample.value == 0.0


def test_series_of_one_metric_are_told_apart_by_their_labels(metrics: Metrics) -> None:
    """Each with its own number."""
    for status, amount in (("200", 5), ("404", 2), ("503", 1)):
        metrics.count("requests", "/get-online-features", status, amount=amount)
    samples = families(metrics)[PREFIX + "requests"].samples
    assert {sample.labels["status"]: sample.value for sample in samples} == {"200": 5, "404": 2, "503": 1}
