"""docker-compose.yml without containers: its commands with its environment, on servers of this machine."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pipelines.local.layout import EXPECTATIONS_DIR, REPO_DIR
from pipelines.local.redis import EmbeddedRedis
from service.cli import command_line
from tests.servers.postgres import PASSWORD, PostgresServer
from tests.servers.s3 import S3Server
from tests.servers.service_process import ServiceProcess

ROOT = Path(__file__).parents[2]
# What compose would take from the shell of whoever runs the tests.
OURS = ("POSTGRES_", "REDIS_", "S3_", "FEATURE_SERVER_", "FEATURE_SERVICE_", "PROMETHEUS_", "GRAFANA_", "COMPOSE_")
PROGRAMS = Path(sys.executable).parent
PREPARE_SECONDS = 90.0
NOTHING: Mapping[str, str] = MappingProxyType({})


def compose() -> dict[str, Any]:
    """The file as Docker Compose understands it: merged, and its variables replaced by their defaults."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    done = subprocess.run(
        [PROGRAMS / "docker-compose", "--project-directory", ROOT, "config", "--format", "json"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


class Stack:
    """Its `prepare` and its `feature-service`; the servers' addresses and secrets are put in the place of the file's."""

    def __init__(self, folder: Path, s3: S3Server, postgres: PostgresServer, redis: EmbeddedRedis) -> None:
        """The servers are empty; `folder` is for logs."""
        self.document = compose()
        self.s3 = s3
        self._folder = folder
        self._instead = {
            "http://s3:8333": s3.endpoint_url,
            "feast:feast-local@postgres:5432": postgres.url.partition("://")[2].partition("/")[0],
            "redis:6379": f"127.0.0.1:{redis.port}",
            "/srv/feast-repo": str(REPO_DIR),
            "/srv/expectations": str(EXPECTATIONS_DIR),
        }
        assert PASSWORD in self._instead["feast:feast-local@postgres:5432"]
        self._service: ServiceProcess | None = None

    def environment(self, name: str) -> dict[str, str]:
        """A service's, and nothing of Feast's or AWS's of whoever runs the tests."""
        given = self.document["services"][name]["environment"]
        mine = {each: value for each, value in os.environ.items() if not each.startswith(("FEAST_", "AWS_"))}
        return mine | {each: self._here(value) for each, value in given.items()}

    def prepare(self) -> str:
        """Run `prepare` to its good end; what it prints."""
        command = self.document["services"]["prepare"]["entrypoint"]
        assert command[0] == "python3", command
        done = subprocess.run(
            [sys.executable, *map(self._here, command[1:])],
            env=self.environment("prepare"),
            capture_output=True,
            text=True,
            timeout=PREPARE_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def replica(self, port: int = 0, environment: Mapping[str, str] = NOTHING) -> ServiceProcess:
        """Another `feature-service`, not started yet; on a free port unless told otherwise."""
        arguments = self.document["services"]["feature-service"]["command"]
        options = command_line().parse_args([self._here(each) for each in arguments])
        return ServiceProcess(
            options.repo,
            workers=options.workers,
            port=port,
            expectations=options.expectations,
            environment=self.environment("feature-service") | dict(environment),
            log=self._folder / f"service-{os.urandom(4).hex()}.log",
        )

    def service(self) -> ServiceProcess:
        """One that runs until `close`; the same each time."""
        if self._service is None:
            self._service = self.replica().start().wait_ready()
        return self._service

    def close(self) -> None:
        """Stop it."""
        if self._service is not None:
            self._service.stop()

    def _here(self, text: str) -> str:
        for theirs, ours in self._instead.items():
            text = text.replace(theirs, ours)
        return text
