"""A registry that accepts connections and never answers, as behind a firewall that drops what passes."""

import signal

from tests.servers.service_process import ServiceProcess
from tests.servers.waiting import wait_until

# Longer than the service lets one reading take, on top of Feast's imports.
HANGING_SECONDS = 60.0


def test_a_registry_that_never_answers(hanging: ServiceProcess) -> None:
    """A database behind a black hole: up, not ready, after a while a failure that is said and counted, gone when asked."""
    wait_until(lambda: hanging.metric("catalog_refreshes_total", result="failure"), "a counted failure", HANGING_SECONDS)
    assert hanging.get("/health").status == 200
    ready = hanging.get("/health/ready")
    assert ready.status == 503
    assert "s3cret" not in ready.body.decode()
    assert hanging.read({}).status == 503
    wait_until(lambda: hanging.definitions_pid, "another attempt")
    hanging.send_signal(signal.SIGTERM)
    assert hanging.wait_ended(10) == 0
