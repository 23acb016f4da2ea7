"""One Redis command at a time, with nothing but a socket: redis-py alone takes longer to import than Redis to start."""

import socket
import ssl

import hiredis

COMMAND_SECONDS = 5.0


def command(host: str, port: int, *words: str | bytes, password: str | None = None, tls: bool = False) -> object:
    """Run a command on a connection of its own; return bytes, int, list or None, or a hiredis.ReplyError as a value.

    Raises OSError when the server does not answer within 5 s. Certificates are not checked: this only talks to a child.
    """
    commands = [("AUTH", password), words] if password else [words]
    answers: list[object] = []
    reader = hiredis.Reader()
    with connect(host, port, tls=tls) as connection:
        for each in commands:
            connection.sendall(hiredis.pack_command(each))  # type: ignore[arg-type]  # its stub knows one word only
        while len(answers) < len(commands):
            received = connection.recv(65536)
            if not received:
                raise ConnectionResetError("Redis closed the connection")
            reader.feed(received)
            while (answer := reader.gets()) is not False:
                answers.append(answer)
    return answers[-1]


def connect(host: str, port: int, *, tls: bool) -> socket.socket:
    """Return a connected socket, with TLS or without."""
    plain = socket.create_connection((host, port), timeout=COMMAND_SECONDS)
    if not tls:
        return plain
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(plain, server_hostname=host)
