"""Who has a TCP port: what to tell someone whose port is taken."""

import errno
import socket
from pathlib import Path

LISTEN = "0A"  # linux/tcp_states.h, as /proc/net/tcp prints it


def refusal(port: int) -> str | None:
    """Return None when this process may listen on `port`, else one sentence that says why not and who has it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port that is only in TIME_WAIT is free
        try:
            probe.bind(("", port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return f"port {port} can't be used: {error.strerror}"
        else:
            return None
    pid = listener(port)
    if pid is None:
        return f"port {port} is taken by another process"
    return f"port {port} is taken by process {pid} ({command_line(pid)})"


def listener(port: int) -> int | None:
    """Return a process that listens on `port`, or None when there is none or it belongs to another user (Linux)."""
    sockets = {f"socket:[{inode}]" for table in ("tcp", "tcp6") for inode in listening_inodes(table, port)}
    if not sockets:
        return None
    for folder in Path("/proc").glob("[0-9]*/fd"):
        try:
            if any(str(link.readlink()) in sockets for link in folder.iterdir()):
                return int(folder.parent.name)
        except OSError:  # another user's process, or one that has just ended
            continue
    return None


def listening_inodes(table: str, port: int) -> list[str]:
    """Return the socket inodes that listen on `port` in /proc/net/tcp or tcp6 (fields: man 5 proc_net)."""
    try:
        rows = [line.split() for line in Path("/proc/net", table).read_text().splitlines()[1:]]
    except OSError:
        return []
    return [row[9] for row in rows if row[3] == LISTEN and int(row[1].rpartition(":")[2], 16) == port]


def command_line(pid: int) -> str:
    """Return the start of a process's command line, for people."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()[:80]
    except OSError:
        return "?"
