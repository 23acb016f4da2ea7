"""Alerts and the dashboard: by Prometheus's own tools, and on a Prometheus that scrapes a running service."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.metrics.definitions import DEFINITIONS, PREFIX
from tests.servers import prometheus
from tests.servers.prometheus import Prometheus
from tests.servers.waiting import wait_until

from .stack import ROOT, Stack
from .test_compose import READ, ROW

RULES = ROOT / "deploy" / "prometheus"
ALERTS = {rule["alert"]: rule for rule in yaml.safe_load((RULES / "alerts.yml").read_text())["groups"][0]["rules"]}
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "dashboards" / "feature-server.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
PAGE = (ROOT / "docs" / "alerts.md").read_text()
JOB = "feast-feature-server"

# What a series has beside the labels that the service gives it.
ADDED_LABELS = {"job", "instance", "le"}
ENDINGS = {"counter": {"_total"}, "histogram": {"_bucket", "_sum", "_count"}}
# These show what seldom happens; the others have something to show once a service is read and pushed to.
MAY_BE_EMPTY = {
    "Refused and failed, by route and status", "Older than their ttl, by view", "Not found, by view",
    "On-demand views: calls by outcome", "On-demand views: 99th percentile of a call", "Not answered within the deadline",
    "Validated by Great Expectations itself: 99th percentile", "Rows appended, and attempts that failed",
    "Rows materialized by HTTP", "Since a view last came through by HTTP", "Materializations by result",
    "What can't be used",
}  # fmt: skip


def expressions() -> Iterator[tuple[str, str]]:
    """All of them, each with the name of its alert or panel."""
    for name, rule in ALERTS.items():
        yield name, rule["expr"]
    for panel in PANELS:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


EXPRESSIONS = list(expressions())


@pytest.fixture(scope="module")
def promtool() -> str:
    """The program."""
    if (reason := prometheus.missing()) is not None:
        pytest.skip(reason)
    return "promtool"


@pytest.fixture(scope="module")
def scraping(promtool: str, stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that has seen a service which is read and pushed to."""
    service = stack.service()
    with Prometheus(tmp_path_factory.mktemp("prometheus"), service.url, JOB) as running:

        def both() -> bool:
            row = {**ROW, "loyalty_score": 2.0, "event_timestamp": datetime.now(UTC).isoformat()}
            assert service.read(READ).status == 200
            assert service.post("/push", {"push_source_name": "customer_push_source", "rows": [row]}).status == 200
            rates = running.query(f"rate({PREFIX}requests_total[10s]) > 0")
            return {"/push", "/get-online-features"} <= {each["metric"]["route"] for each in rates}

        wait_until(both, "that requests are seen", 30)
        yield running


def test_prometheus_takes_configuration_and_rules(promtool: str, tmp_path: Path) -> None:
    """By its own check, where the files lie as the compose file mounts them."""
    text = (RULES / "prometheus.yml").read_text()
    assert "/etc/prometheus/alerts.yml" in text
    (tmp_path / "prometheus.yml").write_text(text.replace("/etc/prometheus", str(RULES)))
    done = subprocess.run(
        [promtool, "check", "config", tmp_path / "prometheus.yml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(ALERTS)} rules found" in done.stdout


def test_each_alert_fires_when_it_should_and_not_before(promtool: str, tmp_path: Path) -> None:
    """Every alert has a case where it fires; and a wrong threshold is told."""
    tests = yaml.safe_load((RULES / "alerts.test.yml").read_text())["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == ALERTS.keys()
    assert run_rule_tests(promtool, RULES) == 0
    shutil.copytree(RULES, tmp_path, dirs_exist_ok=True)
    (tmp_path / "alerts.yml").write_text((RULES / "alerts.yml").read_text().replace("> 0.01", "> 0.2"))
    assert run_rule_tests(promtool, tmp_path) == 1


def run_rule_tests(promtool: str, folder: Path) -> int:
    """The exit code."""
    return subprocess.run([promtool, "test", "rules", folder / "alerts.test.yml"], capture_output=True, check=False).returncode


def test_whoever_is_woken_finds_what_to_do() -> None:
    """A section of docs/alerts.md for each alert, which it names, and no other; in the order of the file."""
    assert re.findall(r"^## (\w+)$", PAGE, re.MULTILINE) == list(ALERTS)
    for name, rule in ALERTS.items():
        assert rule["annotations"]["runbook"] == f"docs/alerts.md#{name.lower()}"
        assert rule["labels"]["severity"] in ("page", "ticket")


@pytest.mark.parametrize(("name", "expression"), EXPRESSIONS, ids=[name for name, _ in EXPRESSIONS])
def test_metrics_and_labels_are_the_services(name: str, expression: str) -> None:
    """A misspelt one would show nothing, and never fire."""
    used = re.findall(rf"{PREFIX}(\w+)(?:\{{([^}}]*)\}})?", expression)
    assert used or "up{" in expression
    known: set[str] = set()
    for metric, selector in used:
        definition, labels = known_metric(metric)
        known |= labels
        asked = set(re.findall(r"(\w+)(?:=~|!~|!=|=)", selector))
        assert asked <= labels | ADDED_LABELS, (name, definition, asked)
    grouped = {label for group in re.findall(r"by \(([^)]*)\)", expression) for label in re.split(r",\s*", group)}
    assert grouped <= known | ADDED_LABELS


def known_metric(series: str) -> tuple[str, set[str]]:
    """The definition that a series belongs to, and its labels."""
    if series == "catalog_age_seconds":  # made of catalog_checked when the page is
        return series, set()
    for name, definition in DEFINITIONS.items():
        if series in {name + ending for ending in ENDINGS.get(definition.kind, {""})}:
            return name, set(definition.labels)
    raise AssertionError(f"there is no metric {series}")


@pytest.mark.parametrize("name", sorted({name for name, _ in EXPRESSIONS}))
def test_prometheus_evaluates_it(scraping: Prometheus, name: str) -> None:
    """No alert is firing in a service that is well; a panel has something to show."""
    found = []
    for expression in (expression for of, expression in EXPRESSIONS if of == name):
        found += scraping.query(expression.replace("$__rate_interval", "10s").replace("$job", ".*").replace("$instance", ".*"))
    if name in ALERTS:
        assert found == [], "a service that is well alerts"
    elif name not in MAY_BE_EMPTY:
        assert found, "there is nothing to show"


def test_panels_have_each_a_title_and_a_place_of_their_own() -> None:
    """None lies on another one, none is wider than the page."""
    assert len({panel["title"] for panel in PANELS}) == len(PANELS)
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place: dict[str, Any] = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
