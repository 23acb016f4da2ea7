"""Redis commands as bytes (RESP2, https://redis.io/docs/latest/develop/reference/protocol-spec/)."""

from collections.abc import Sequence


def encode_command(*arguments: bytes) -> bytes:
    """One command as an array of bulk strings."""
    return b"*%d\r\n%s" % (len(arguments), b"".join(map(_bulk, arguments)))


def _bulk(argument: bytes) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(argument), argument)


class HashRead:
    """HMGET of a fixed list of fields, prepared once so that a request only splices its keys in."""

    __slots__ = ("_head", "_tail", "fields")

    def __init__(self, fields: Sequence[bytes]) -> None:
        self.fields = tuple(fields)
        self._head = b"*%d\r\n$5\r\nHMGET\r\n" % (2 + len(self.fields))
        self._tail = b"\r\n" + b"".join(map(_bulk, self.fields))

    def encode(self, keys: Sequence[bytes]) -> bytes:
        """The commands for `keys`, one HMGET a key, in order. Hot: a few dozen nanoseconds a key."""
        size = len(keys[0])
        if len(set(map(len, keys))) == 1:
            head = b"%s$%d\r\n" % (self._head, size)
            return head + (self._tail + head).join(keys) + self._tail
        head, tail = self._head, self._tail
        return b"".join([b"%s$%d\r\n%s%s" % (head, len(key), key, tail) for key in keys])
