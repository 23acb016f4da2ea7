"""Kubernetes' API on etcd, without nodes: it decides whether manifests are what a cluster takes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import trustme
import yaml

from pipelines.local.redis import HOST, free_port

from .child import ServerProcess
from .waiting import is_ok

READY_SECONDS = 60.0
TOKEN = "test-token"
VARIABLE = "KUBE_APISERVER"


def missing() -> str | None:
    """What there isn't, to run it; None if all is there."""
    if _apiserver() is None:
        return f"there is no kube-apiserver: it is neither on PATH nor named by {VARIABLE}"
    if shutil.which("etcd") is None:
        return "there is no etcd: apt install etcd-server"
    return None


class KubernetesApi:
    """Listens on 127.0.0.1 with a certificate of its own. A context manager; nothing of it stays."""

    def __init__(self, folder: Path) -> None:
        """Nothing runs before it is entered; `folder` is for what it keeps."""
        self._folder = folder
        self._port = free_port()
        self._servers: list[ServerProcess] = []

    def __enter__(self) -> Self:
        """Start both, and wait until the API says that it is ready."""
        try:
            etcd = self._start_etcd()
            self._start_apiserver(etcd)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End both."""
        self._end()

    def kubectl(self, *arguments: str | Path, stdin: str | None = None) -> "subprocess.CompletedProcess[str]":
        """Run kubectl as an administrator."""
        command = [kubectl(), f"--kubeconfig={self._config()}", *map(str, arguments)]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)

    def _start_etcd(self) -> str:
        client, peer = (f"http://{HOST}:{free_port()}" for _ in range(2))
        command = [
            "etcd", f"--data-dir={self._folder / 'etcd'}",
            f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}",
        ]  # fmt: skip
        server = ServerProcess([*command, "--unsafe-no-fsync"], self._folder / "etcd.log", dict(os.environ))
        self._servers.append(server)
        server.wait_until(lambda: is_ok(f"{client}/health"), READY_SECONDS)
        return client

    def _start_apiserver(self, etcd: str) -> None:
        key = self._folder / "accounts.key"
        key.write_bytes(trustme.CA().private_key_pem.bytes())
        (self._folder / "tokens").write_text(f"{TOKEN},administrator,1,system:masters\n")
        program = _apiserver()
        assert program is not None, missing()
        command = [
            program, f"--etcd-servers={etcd}", f"--cert-dir={self._folder / 'certificates'}", f"--secure-port={self._port}",
            f"--bind-address={HOST}", "--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.0.0.0/24",
            "--service-account-issuer=https://kubernetes.default.svc", f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}", "--authorization-mode=RBAC",
            f"--token-auth-file={self._folder / 'tokens'}", "--allow-privileged=true",
        ]  # fmt: skip
        server = ServerProcess(command, self._folder / "apiserver.log", dict(os.environ))
        self._servers.append(server)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        # The certificate is one that the server made for itself a moment ago.
        url = f"https://{HOST}:{self._port}/readyz"
        server.wait_until(lambda: is_ok(url, headers=headers, verify=False), READY_SECONDS)

    def _config(self) -> Path:
        path = self._folder / "kubeconfig"
        document: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "test", "cluster": {"server": f"https://{HOST}:{self._port}", "insecure-skip-tls-verify": True}}
            ],
            "users": [{"name": "test", "user": {"token": TOKEN}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "current-context": "test",
        }
        path.write_text(yaml.safe_dump(document))
        return path

    def _end(self) -> None:
        for server in reversed(self._servers):
            server.end()
        self._servers.clear()


def kubectl() -> str:
    """The program, of PATH or of the wheel."""
    beside = Path(sys.executable).with_name("kubectl")
    return str(beside) if beside.is_file() else "kubectl"


def kustomize(folder: Path) -> list[dict[str, Any]]:
    """The objects that a folder of manifests makes."""
    done = subprocess.run([kubectl(), "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def _apiserver() -> str | None:
    return os.environ.get(VARIABLE) or shutil.which("kube-apiserver")
