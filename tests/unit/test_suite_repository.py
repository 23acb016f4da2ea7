"""Suites are read when the service starts, and again when their files change; what breaks on the way breaks nothing."""

import asyncio
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from service.errors import ConfigurationError, ValidationUnavailable
from service.metrics import Metrics
from service.suites.repository import GONE, SuiteRepository
from tests.servers.waiting import until

NOT_NULL = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "id"}}
BETWEEN = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "amount", "min_value": 0}}
# GX knows it, and it isn't compiled.
DATES = {"type": "expect_column_values_to_be_dateutil_parseable", "kwargs": {"column": "day"}}

SHIPPED = Path(__file__).parents[2] / "expectations"


class Project:
    """A GX project whose suites are written by the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.suites = folder / "suites"
        self.suites.mkdir(parents=True)

    def path(self, name: str) -> Path:
        """Where a suite's file is."""
        return self.suites / f"{name}.json"

    def write(self, name: str, *expectations: Mapping[str, Any]) -> None:
        """Write a suite."""
        self.path(name).write_text(json.dumps({"name": name, "meta": {}, "expectations": expectations}))

    def age(self, name: str) -> None:
        """Make a file one that was written long ago, so that it is only read again for a reason."""
        os.utime(self.path(name), (1, 1))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with two suites."""
    project = Project(tmp_path / "expectations")
    project.write("customers", NOT_NULL)
    project.write("orders", NOT_NULL, BETWEEN)
    return project


@pytest.fixture
def metrics(tmp_path: Path) -> Iterator[Metrics]:
    """A slot of its own."""
    metrics = Metrics(tmp_path / "metrics")
    yield metrics
    metrics.close()


@pytest.fixture
def failing(metrics: Metrics) -> Callable[[], dict[str, float]]:
    """Give what the gauge says of each suite."""

    def ask() -> dict[str, float]:
        prefix = 'feature_service_suite_load_failures{suite="'
        lines = [line[len(prefix) :] for line in metrics.page().decode().splitlines() if line.startswith(prefix)]
        return {line.partition('"')[0]: float(line.rpartition(" ")[2]) for line in lines}

    return ask


def types(repository: SuiteRepository, name: str) -> list[str]:
    """The types of a suite's expectations."""
    suite = repository.get(name)
    assert suite is not None
    return [expectation.type for expectation in suite.expectations]


def test_every_suite_of_the_folder_is_there(project: Project, metrics: Metrics) -> None:
    """By the name that it has in its file; other files aren't suites."""
    (project.suites / "notes.txt").write_text("not a suite")
    (project.suites / ".ge_store_backend_id").write_text("store_backend_id = 1")
    repository = SuiteRepository(project.folder, metrics)
    assert repository.names == ["customers", "orders"]
    assert types(repository, "orders") == [NOT_NULL["type"], BETWEEN["type"]]
    assert repository.get("order") is None
    assert not repository.falls_back
    assert repository.failures == {}


def test_the_suites_of_this_repository_load(metrics: Metrics) -> None:
    """None of them needs GX at run time."""
    repository = SuiteRepository(SHIPPED, metrics)
    assert repository.names == ["customer_data_suite", "customer_push_suite", "enriched_data_suite"]
    assert not repository.falls_back


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"name": "broken", ', "isn't JSON: .*line 1 column 20"),
        ("[" * 100_000, "isn't JSON: .*recursion"),
        (b'{"name": "\xff"}', "isn't JSON: .*codec"),
        ("[]", "isn't a suite: it holds list instead of an object"),
        (json.dumps({"name": "other", "expectations": [NOT_NULL]}), "'other'.*named after it"),
        (json.dumps({"name": "broken", "expectations": [{"type": "expect_miracles", "kwargs": {}}]}), "expect_miracles"),
        (json.dumps({"name": "broken", "expectations": [{**BETWEEN, "kwargs": {"column": "a", "mostly": 7}}]}), "mostly"),
    ],
)
def test_a_file_that_cannot_be_used_stops_the_start(
    project: Project, metrics: Metrics, content: str | bytes, reason: str
) -> None:
    """The message names the file and says why."""
    path = project.path("broken")
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigurationError, match=f"(?is)broken.*{reason}"):
        SuiteRepository(project.folder, metrics)


def test_all_files_that_cannot_be_used_are_named_at_once(project: Project, metrics: Metrics) -> None:
    """Whoever mends them needn't start the service once for each."""
    project.path("customers").write_text("{")
    project.path("orders").unlink()
    project.path("orders").mkdir()
    with pytest.raises(ConfigurationError, match=r"customers\.json isn't JSON.*\n.*orders\.json can't be read: Is a directory"):
        SuiteRepository(project.folder, metrics)


def test_a_missing_folder_stops_the_start(tmp_path: Path, metrics: Metrics) -> None:
    """A path that is misspelt isn't a project without suites."""
    with pytest.raises(ConfigurationError, match=r"no folder of suites at .*expectation/suites"):
        SuiteRepository(tmp_path / "expectation", metrics)


async def test_a_changed_file_is_put_in_place(project: Project, metrics: Metrics) -> None:
    """Whoever works with the old suite goes on with it; the other suites stay the very same."""
    repository = SuiteRepository(project.folder, metrics)
    before = dict(repository.suites)
    project.write("customers", NOT_NULL, BETWEEN)
    await repository.refresh()
    assert types(repository, "customers") == [NOT_NULL["type"], BETWEEN["type"]]
    assert len(before["customers"].expectations) == 1
    assert repository.get("orders") is before["orders"]
    assert b'suite_swaps_total{suite="customers"} 1.0' in metrics.page()


async def test_a_change_within_one_tick_of_the_clock_is_seen(project: Project, metrics: Metrics) -> None:
    """Of the same size and with the same time, as two writes one after the other may leave it."""
    repository = SuiteRepository(project.folder, metrics)
    status = project.path("customers").stat()
    content = project.path("customers").read_text()
    project.path("customers").write_text(content.replace('"id"', '"di"'))
    os.utime(project.path("customers"), ns=(status.st_atime_ns, status.st_mtime_ns))
    assert project.path("customers").stat().st_size == status.st_size
    await repository.refresh()
    suite = repository.get("customers")
    assert suite is not None
    assert suite.expectations[0].kwargs["column"] == "di"


async def test_a_file_that_is_only_touched_is_not_compiled_again(project: Project, metrics: Metrics) -> None:
    """Nor is one that is written again with the same content."""
    repository = SuiteRepository(project.folder, metrics)
    before = repository.suites
    project.write("customers", NOT_NULL)
    project.age("orders")
    await repository.refresh()
    await repository.refresh()
    assert repository.suites is before


async def test_a_broken_file_keeps_the_old_suite(
    project: Project, metrics: Metrics, failing: Callable[[], dict[str, float]]
) -> None:
    """It is reported until it is mended, even if it is mended by putting back what was there before."""
    repository = SuiteRepository(project.folder, metrics)
    assert failing() == {"customers": 0, "orders": 0}
    before = repository.get("customers")
    content = project.path("customers").read_text()
    for broken, reason in (
        (content[:30], "isn't JSON"),
        (content.replace("not_be_null", "be_great"), "expect_column_values_to_be_great"),
        (content.replace("customers", "customer"), "named after it"),
    ):
        project.path("customers").write_text(broken)
        for _ in range(2):
            await repository.refresh()
            assert repository.get("customers") is before
            assert reason in repository.failures["customers"]
            assert failing() == {"customers": 1, "orders": 0}
    project.path("customers").write_text(content)
    await repository.refresh()
    assert repository.failures == {}
    assert failing() == {"customers": 0, "orders": 0}
    assert types(repository, "customers") == [NOT_NULL["type"]]


async def test_a_file_that_cannot_be_read_is_tried_again(project: Project, metrics: Metrics) -> None:
    """Here a directory is in its place for a while."""
    project.age("orders")
    repository = SuiteRepository(project.folder, metrics)
    before = repository.get("orders")
    aside = project.path("orders").rename(project.folder / "aside")
    project.path("orders").mkdir()
    await repository.refresh()
    assert repository.get("orders") is before
    assert "can't be read: Is a directory" in repository.failures["orders"]
    project.path("orders").rmdir()
    aside.rename(project.path("orders"))
    await repository.refresh()
    assert repository.failures == {}


async def test_a_new_file_is_put_in_place(project: Project, metrics: Metrics, failing: Callable[[], dict[str, float]]) -> None:
    """Unless it is broken: then there is no such suite, and it is said why."""
    repository = SuiteRepository(project.folder, metrics)
    project.write("payments", NOT_NULL)
    project.path("refunds").write_text("{")
    await repository.refresh()
    assert repository.names == ["customers", "orders", "payments"]
    assert list(repository.failures) == ["refunds"]
    assert failing() == {"customers": 0, "orders": 0, "payments": 0, "refunds": 1}


async def test_a_removed_file_leaves_its_suite_in_force(
    project: Project, metrics: Metrics, failing: Callable[[], dict[str, float]]
) -> None:
    """Validation isn't skipped by accident; the file's return ends the failure."""
    repository = SuiteRepository(project.folder, metrics)
    before = repository.get("orders")
    aside = project.path("orders").rename(project.folder / "aside")
    for _ in range(2):
        await repository.refresh()
        assert repository.get("orders") is before
        assert repository.failures == {"orders": GONE}
        assert failing() == {"customers": 0, "orders": 1}
    aside.rename(project.path("orders"))
    await repository.refresh()
    assert repository.failures == {}
    project.suites.rename(project.folder / "gone")
    await repository.refresh()
    assert repository.failures == {"customers": GONE, "orders": GONE}
    assert repository.names == ["customers", "orders"]


async def test_a_mounted_folder_that_is_exchanged_is_seen(tmp_path: Path, metrics: Metrics) -> None:
    """As Kubernetes mounts a config map: files are links through a link that is replaced in one step."""
    project = Project(tmp_path / "mounted")
    for version, expectations in (("..1", [NOT_NULL]), ("..2", [NOT_NULL, BETWEEN])):
        (project.suites / version).mkdir()
        document = {"name": "customers", "expectations": expectations}
        (project.suites / version / "customers.json").write_text(json.dumps(document))
    (project.suites / "..data").symlink_to("..1")
    project.path("customers").symlink_to("..data/customers.json")
    repository = SuiteRepository(project.folder, metrics)
    (project.suites / "..new").symlink_to("..2")
    (project.suites / "..new").rename(project.suites / "..data")
    await repository.refresh()
    assert types(repository, "customers") == [NOT_NULL["type"], BETWEEN["type"]]
    assert repository.failures == {}


async def test_files_are_looked_after_in_the_background(project: Project, metrics: Metrics) -> None:
    """From start to stop."""
    repository = SuiteRepository(project.folder, metrics)
    await repository.start()
    project.write("customers", BETWEEN)
    await until(lambda: types(repository, "customers") == [BETWEEN["type"]], "the changed suite")
    project.path("customers").write_text("{")
    await until(lambda: repository.failures, "that it is reported")
    await repository.stop()
    assert len(asyncio.all_tasks()) == 1


class Gx:
    """Stands for the pool of GX processes, which take seconds to start: it refuses what it is told to refuse."""

    def __init__(self, *reasons: str) -> None:
        self.reasons = list(reasons)
        self.running = True
        self.asked: list[str] = []

    async def check(self, document: Mapping[str, Any]) -> list[str]:
        """What GxPool.check does."""
        if not self.running:
            raise ValidationUnavailable("No process.")
        self.asked.append(document["name"])
        return self.reasons


async def test_gx_is_asked_about_what_is_not_compiled(project: Project, metrics: Metrics) -> None:
    """And about nothing else, at the start and when a file changes."""
    project.write("days", NOT_NULL, DATES)
    gx = Gx()
    repository = SuiteRepository(project.folder, metrics, gx.check)
    assert repository.falls_back
    assert [expectation.compiled for expectation in repository.suites["days"].expectations] == [True, False]
    await repository.start()
    assert gx.asked == ["days"]
    project.write("days", DATES)
    project.write("customers", BETWEEN)
    await repository.refresh()
    assert gx.asked == ["days", "days"]
    await repository.stop()


async def test_what_gx_refuses_stops_the_start(project: Project, metrics: Metrics) -> None:
    """The message names the file and says why."""
    project.write("days", DATES)
    repository = SuiteRepository(project.folder, metrics, Gx("It can't.", "Nor can it.").check)
    with pytest.raises(ConfigurationError, match=r"days\.json: It can't\.\n.*days\.json: Nor can it\."):
        await repository.start()


async def test_what_gx_refuses_later_is_not_put_in_place(project: Project, metrics: Metrics) -> None:
    """Nor is what it can't be asked about; that is asked again until there is an answer."""
    gx = Gx("It can't.")
    repository = SuiteRepository(project.folder, metrics, gx.check)
    before = repository.get("customers")
    project.write("customers", DATES)
    await repository.refresh()
    assert repository.get("customers") is before
    assert "It can't." in repository.failures["customers"]
    gx.running, gx.reasons = False, []
    project.write("customers", DATES, NOT_NULL)
    project.age("customers")
    for _ in range(2):
        await repository.refresh()
        assert repository.get("customers") is before
        assert "can't be checked: No process." in repository.failures["customers"]
    gx.running = True
    await repository.refresh()
    assert repository.failures == {}
    assert types(repository, "customers") == [DATES["type"], NOT_NULL["type"]]


async def test_a_worker_that_takes_anothers_place_does_without_a_broken_suite(
    project: Project, metrics: Metrics, failing: Callable[[], dict[str, float]]
) -> None:
    """The service as a whole has started before: what can be used is in force, the rest is reported until it is mended."""
    project.path("orders").write_text("{")
    repository = SuiteRepository(project.folder, metrics, strict=False)
    assert repository.names == ["customers"]
    assert "orders.json" in repository.failures["orders"]
    assert failing() == {"customers": 0, "orders": 1}
    project.write("orders", BETWEEN)
    await repository.refresh()
    assert repository.names == ["customers", "orders"]
    assert not repository.failures
