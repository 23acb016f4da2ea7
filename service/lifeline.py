"""How a child process notices that the supervisor is gone: its stdin, which the supervisor holds open, ends."""

import asyncio
import os
import sys
from collections.abc import Callable


def hold_lifeline(on_cut: Callable[[], None]) -> None:
    """Call `on_cut` in the running loop when the supervisor has died, however it died."""
    loop = asyncio.get_running_loop()
    lifeline = sys.stdin.fileno()

    def readable() -> None:
        if not os.read(lifeline, 64):
            loop.remove_reader(lifeline)
            on_cut()

    loop.add_reader(lifeline, readable)
