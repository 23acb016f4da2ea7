"""Starts that can't succeed: exit code 78 and a message; and those that may succeed later: up, and not ready."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from service.catalog.configuration import load_config
from service.errors import ConfigurationError
from tests.servers.feast_repo import FeastRepo
from tests.servers.service_process import ServiceProcess
from tests.servers.waiting import wait_until

EX_CONFIG = 78
ADDRESS = "127.0.0.1:6379"
# Importing Feast takes a quiet machine five seconds, a busy one thirty.
END_SECONDS = 90.0
# How many import Feast at the same time.
AT_ONCE = 3


def changed(folder: Path, **entries: object) -> Path:
    """A repository whose yaml has other entries than usual."""
    return FeastRepo(folder, ADDRESS, **entries).folder


def no_yaml(folder: Path) -> Path:
    """A folder without a feature_store.yaml."""
    folder.mkdir()
    return folder


def broken_yaml(folder: Path) -> Path:
    """A feature_store.yaml that isn't YAML."""
    repo = FeastRepo(folder, ADDRESS)
    repo.yaml.write_text("project: [shop\nregistry")
    return repo.folder


def not_text(folder: Path) -> Path:
    """Bytes that aren't UTF-8."""
    repo = FeastRepo(folder, ADDRESS)
    repo.yaml.write_bytes(b"project: \xff\xfe\n")
    return repo.folder


def written(folder: Path, text: str) -> Path:
    """A feature_store.yaml with this text."""
    repo = FeastRepo(folder, ADDRESS)
    repo.yaml.write_text(text)
    return repo.folder


def redis_store(connection_string: str) -> dict[str, str]:
    """The online_store entry for a Redis."""
    return {"type": "redis", "connection_string": connection_string}


# What is wrong, and the words that must be in the message.
Wrong = dict[str, tuple[Callable[[Path], Path], tuple[str, ...]]]
REFUSED: Wrong = {
    "no yaml": (no_yaml, ("feature_store.yaml", "no yaml")),
    "unset variable": (
        lambda folder: changed(folder, online_store=redis_store("${NO_SUCH_REDIS},password=${NO_SUCH_SECRET}")),
        ("NO_SUCH_REDIS", "NO_SUCH_SECRET"),
    ),
    "authentication": (
        lambda folder: changed(folder, auth={"type": "kubernetes"}),
        ("authentication", "kubernetes"),
    ),
}
# The same in this process: what the definitions process raises is what ends the service.
REFUSED_TOO: Wrong = {
    "another store": (lambda folder: changed(folder, online_store={"type": "sqlite"}), ("sqlite", "Redis")),
    "broken yaml": (broken_yaml, ("feature_store.yaml",)),
    "key version": (
        lambda folder: changed(folder, entity_key_serialization_version=1),
        ("entity_key_serialization_version", "1"),
    ),
    "no such file": (lambda folder: no_yaml(folder) / "production.yaml", ("production.yaml",)),
    "a list": (lambda folder: written(folder, "- project\n- shop\n"), ("feature_store.yaml",)),
    "not text": (not_text, ("feature_store.yaml",)),
    "nothing": (lambda folder: written(folder, ""), ("feature_store.yaml",)),
    "two nodes": (lambda folder: changed(folder, online_store=redis_store("a:6379,b:6379")), ("2 Redis nodes",)),
    "a cluster": (
        lambda folder: changed(folder, online_store={**redis_store("a:6379"), "redis_type": "redis_cluster"}),
        ("redis_cluster",),
    ),
    "unknown option": (lambda folder: changed(folder, online_store=redis_store("a:6379,colour=red")), ("colour",)),
    "a port too high": (lambda folder: changed(folder, online_store=redis_store("a:66666")), ("66666",)),
    "another scheme": (lambda folder: changed(folder, online_store=redis_store("http://a:6379")), ("http",)),
    "a db by name": (lambda folder: changed(folder, online_store=redis_store("a:6379,db=main")), ("main",)),
    "no authority": (
        lambda folder: changed(folder, online_store=redis_store("a:6379,ssl=true,ssl_ca_certs=/no/ca.pem")),
        ("/no/ca.pem",),
    ),
    "registry type": (lambda folder: changed(folder, registry={"registry_type": "cloudy", "path": "x"}), ("cloudy",)),
    "offline store": (lambda folder: changed(folder, offline_store={"type": "cloudy"}), ("cloudy",)),
    "no project": (lambda folder: changed(folder, project=None), ("project",)),
}


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory, hanging: ServiceProcess) -> Iterator[dict[str, ServiceProcess]]:
    """All of the services that can't start, a few at a time, since each imports Feast; ended, or not.

    The one that hangs for long is begun first.
    """
    assert hanging.exit_code is None
    folder = tmp_path_factory.mktemp("refused")
    waiting = {name: ServiceProcess(make(folder / name), log=folder / f"{name}.log") for name, (make, _) in REFUSED.items()}
    running: list[ServiceProcess] = []
    for service in waiting.values():
        wait_until(lambda: sum(one.exit_code is None for one in running) < AT_ONCE, "an end", END_SECONDS)
        running.append(service.start())
    yield waiting
    for service in waiting.values():
        service.stop()


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_to_be_mended_first(refused: dict[str, ServiceProcess], name: str) -> None:
    """It ends with 78, and says in one line what is wrong, without a traceback and without trying again."""
    service = refused[name]
    assert service.wait_ended(END_SECONDS) == EX_CONFIG
    said = [line for line in service.log.splitlines() if "CRITICAL" in line or line.startswith("feature-service:")]
    assert len(said) == 1, service.log
    for word in REFUSED[name][1]:
        assert word in said[0]
    assert "Traceback" not in service.log
    assert "another is started" not in service.log


def test_a_taken_port(tmp_path: Path) -> None:
    """It ends at once, and names the port."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        service = ServiceProcess(tmp_path, port=port).start()
        assert service.wait_ended() == EX_CONFIG
    assert str(port) in service.log
    assert "Traceback" not in service.log


@pytest.mark.parametrize("name", ["READ_DEADLINE_MS", "MAX_BODY_BYTES"])
def test_a_setting_that_is_not_a_number(tmp_path: Path, name: str) -> None:
    """It ends at once, and names the variable."""
    service = ServiceProcess(tmp_path, environment={f"FEATURE_SERVICE_{name}": "soon"}).start()
    assert service.wait_ended() == EX_CONFIG
    assert f"FEATURE_SERVICE_{name}" in service.log
    assert "Traceback" not in service.log


@pytest.mark.parametrize("name", REFUSED_TOO)
def test_a_configuration_that_is_refused(tmp_path: Path, name: str) -> None:
    """ConfigurationError, with what is wrong."""
    make, words = REFUSED_TOO[name]
    with pytest.raises(ConfigurationError) as refused:
        load_config(make(tmp_path / "repo"))
    for word in words:
        assert word in str(refused.value)
