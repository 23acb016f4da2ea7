"""A proxy that lets a number of answers pass, and then loses requests, or the answers to requests that were carried out."""

import asyncio
import sys
import threading
from typing import Literal

from tests.servers.tcp_proxy import TcpProxy

Lost = Literal["request", "answer"]


class LossyProxy(TcpProxy):
    """After `passed` pieces of answers it loses either what the client says, or what the server answers.

    It resets the connections then and whenever something else comes; with `once`, then only; with `hold`, it keeps what comes
    to itself until `recover`. `reached` is set when it begins.
    """

    def __init__(self, target_port: int, passed: int, lost: Lost, *, once: bool = False, hold: bool = False) -> None:
        """It passes everything if `passed` is more than there are."""
        super().__init__(target_port)
        self.reached = threading.Event()
        self._passed = passed
        self._lost = lost
        self._once = once
        self._hold = hold
        self._cuts: set[asyncio.Task[None]] = set()

    def take_command(self, data: bytes) -> bytes:
        """What of the client's bytes goes on to the server."""
        if self._lost == "answer" or self._passed > 0:
            return data
        self._lose()
        return b""

    def take_reply(self, data: bytes) -> tuple[bytes, bool]:
        """What of the server's bytes goes on to the client."""
        if self._passed > 0 or self._lost == "request":
            self._passed -= 1
            return data, False
        self._lose()
        return b"", False

    def recover(self) -> None:
        """Reset the connections, and pass everything from now on."""
        self._passed = sys.maxsize
        self.cut()

    def _lose(self) -> None:
        self.reached.set()
        if self._once:
            self._passed = sys.maxsize
        if not self._hold:
            task = asyncio.get_running_loop().create_task(self.cut_now())
            self._cuts.add(task)
            task.add_done_callback(self._cuts.discard)
