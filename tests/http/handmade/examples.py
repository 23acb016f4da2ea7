"""How many examples property tests draw, and which."""

import os

from hypothesis import HealthCheck, settings

# The same examples each time, so that a red build is somebody's change; EXPLORE=1 looks for new ones.
_EXPLORE = bool(os.environ.get("EXPLORE"))
_FACTOR = int(os.environ.get("EXAMPLES_FACTOR", "1"))


def examples(amount: int) -> settings:
    """A decorator: draw about `amount` examples, however slow the machine is."""
    return settings(
        max_examples=amount * _FACTOR,
        deadline=None,
        derandomize=not _EXPLORE,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
    )
