"""scripts/verify_feast_gx.sh, on the sample repository as it is served: what it finds, and how it ends."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from .conftest import ROOT, Site

SCRIPT = ROOT / "scripts/verify_feast_gx.sh"
GOOD, BAD, WRONG = 0, 1, 2


def verify(environment: Mapping[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    """Run it with the commands of this environment."""
    command = [str(SCRIPT), "--bin", str(Path(sys.executable).parent), *options]
    return subprocess.run(command, env=dict(environment), capture_output=True, text=True, timeout=110, check=False)


def lines(output: str) -> dict[str, str]:
    """What it says of each check: `ok`, `FAIL` or `-`, by name."""
    return {line[6:22].strip(): line[:6].strip() for line in output.splitlines() if line[:4] in ("ok  ", "FAIL", "-   ")}


@pytest.fixture
def kubectl(tmp_path: Path) -> Path:
    """A folder in front of PATH with a kubectl that prints what PODS holds: there is no cluster here."""
    program = tmp_path / "kubectl"
    program.write_text('#!/bin/sh\n[ "$1" = config ] && echo here || printf "%s" "$PODS"\n')
    program.chmod(0o755)
    return tmp_path


def test_all_is_there(site: Site, kubectl: Path) -> None:
    """Every check is good, and the ready pods are counted."""
    path = f"{kubectl}{os.pathsep}{os.environ['PATH']}"
    pods = "feature-service-1 1/1 Running 0 5d\nfeature-service-2 1/1 Running 0 5d\nmaterialize-9 0/1 Completed 0 1h\n"
    done = verify({**site.environment, "PATH": path, "PODS": pods}, "--url", site.url)
    assert done.returncode == GOOD, done.stdout + done.stderr
    checks = ("feature views", "entities", "suites", "checkpoints", "read", "push", "pods")
    assert lines(done.stdout) == dict.fromkeys(checks, "ok")
    for name in ("customer_stats", "customer_id", "customer_push_suite", "customer_data_checkpoint", "2 pods are ready"):
        assert name in done.stdout


def test_what_is_missing_is_named(site: Site, kubectl: Path, tmp_path: Path) -> None:
    """No registry, a customer who isn't there, an empty project, a pod that isn't ready."""
    path = f"{kubectl}{os.pathsep}{os.environ['PATH']}"
    environment = {**site.environment, "PATH": path, "PODS": "feature-service-1 0/1 CrashLoopBackOff 9 5d\n"}
    environment["FEAST_LOCAL_DIR"] = str(tmp_path / "nowhere")
    options = ("--url", site.url, "--customer", "5", "--expectations", str(tmp_path / "nothing"))
    done = verify(environment, *options)
    assert done.returncode == BAD
    assert set(lines(done.stdout).values()) == {"FAIL"}
    assert "feature-service-1=0/1,CrashLoopBackOff" in done.stdout
    assert "materialize, or choose another by --customer" in done.stdout
    assert f"no great_expectations.yml in {tmp_path / 'nothing'}" in done.stdout


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--foo",), "no option --foo"),
        (("--url",), "--url needs a value"),
        (("--customer", "x"), "is a number"),
        (("--repo", "/no"), "no /no"),
    ],
)
def test_a_wrong_option(site: Site, options: tuple[str, ...], reason: str) -> None:
    """Said, with exit code 2."""
    done = verify(site.environment, *options)
    assert done.returncode == WRONG
    assert reason in done.stderr
