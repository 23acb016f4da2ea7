"""What a worker's memory must not hold: Feast, pandas and pyarrow."""

import subprocess
import sys
from pathlib import Path

from .site import QUESTIONS, Site

# numpy isn't among them: reads are made with it, and it takes 13 MB.
HEAVY = {"feast", "pandas", "pyarrow", "sqlalchemy", "great_expectations"}


def test_a_worker_imports_nothing_heavy() -> None:
    """Everything that `service.worker` imports, in a fresh process."""
    script = "import sys, service.worker; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert "uvicorn" in printed.split()
    assert not HEAVY & set(printed.split())


def test_a_worker_that_has_answered_has_mapped_nothing_heavy(site: Site) -> None:
    """After reads, the catalog and the metrics, no library of theirs is in the worker's memory; in the other process it is."""
    for question in QUESTIONS:
        assert question.is_answered_by(site.service.read(question.body))
    for path in ("/catalog", "/metrics", "/health/ready", "/openapi.json"):
        assert site.service.get(path).status == 200
    (worker,) = site.service.worker_pids
    assert not {name for name in HEAVY for path in _mapped(worker) if f"/{name}" in path}
    definitions = site.service.definitions_pid
    assert definitions is not None
    assert [path for path in _mapped(definitions) if "libarrow" in path]


def _mapped(pid: int) -> set[str]:
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return {line.split(maxsplit=5)[5].partition("site-packages")[2] for line in lines if "site-packages" in line}
