"""The image, built and run without a Docker engine: by buildah, podman and runc, on a base of Debian's packages."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

PROGRAMS = ("buildah", "podman", "runc", "mmdebstrap")
SUITE, PACKAGES = "bookworm", "python3,python3-venv,ca-certificates"
BASE, IMAGE = "localhost/feature-service-test-base", "localhost/feature-service-test"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
LIMITS = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024")


def missing() -> str | None:
    """What there isn't, to build and run it; None if all is there."""
    absent = [program for program in PROGRAMS if shutil.which(program) is None]
    if os.geteuid() != 0:
        return "only root can build an image without a Docker engine"
    return f"not installed: {', '.join(absent)}" if absent else None


class Containers:
    """Images and containers that lie in a folder of their own; with it they go."""

    def __init__(self, folder: Path) -> None:
        """Nothing is there yet."""
        self._folder = folder
        self._storage = [f"--root={folder / 'storage'}", f"--runroot={folder / 'run'}", "--storage-driver=overlay"]

    def build(self, root: Path) -> None:
        """Build the Dockerfile of `root`, on a minimal Debian with its Python: hubs needn't be reached."""
        base = self._folder / "base.tar"
        run(["mmdebstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, base])
        self.podman("import", base, BASE)
        base.unlink()
        command = ["buildah", *self._storage, "build", "--isolation=chroot", f"--build-arg=BASE={BASE}", f"--tag={IMAGE}"]
        if CERTIFICATES.is_file():
            # What pip needs where packages come through a proxy with a certificate of its own.
            command += [f"--volume={CERTIFICATES}:{CERTIFICATES}:ro", f"--env=PIP_CERT={CERTIFICATES}"]
        run([*command, root])

    def start(self, name: str, environment: Mapping[str, str], arguments: Sequence[str]) -> None:
        """Run it in the background, in this machine's network, as strictly as deployment.yaml and docker-compose.yml do."""
        strict = ["--read-only", "--tmpfs=/tmp", "--cap-drop=all", "--security-opt=no-new-privileges", "--network=host"]
        variables = [f"--env={key}={value}" for key, value in environment.items()]
        self.podman("run", "--detach", f"--name={name}", *strict, *LIMITS, *variables, IMAGE, *arguments)

    def podman(self, *arguments: str | Path) -> str:
        """Another command; what it prints, both streams."""
        return run(["podman", *self._storage, "--runtime=runc", "--cgroup-manager=cgroupfs", *arguments])


def run(command: Sequence[str | Path]) -> str:
    """Run a program to its good end; what it prints, both streams."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout[-4000:]}"
    return done.stdout
