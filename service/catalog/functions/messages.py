"""What the definitions process and the process that loads functions say to each other."""

import msgspec

# Of each reply's length, in front of it.
LENGTH_BYTES = 4


class FunctionSource(msgspec.Struct, frozen=True):
    """A function as the registry has it: pickled by dill, and its text. With `plan`, a Substrait plan."""

    # Of all that the registry has of it.
    digest: str
    name: str
    body: bytes
    text: str = ""
    plan: bool = False
    # The repository's module that defines it, if one does.
    module: str = ""


class LoadedFunction(msgspec.Struct, frozen=True):
    """The function for the workers; or why there is none: `reason` continues "its function NAME ..."."""

    digest: str
    function: bytes = b""
    reason: str = ""
    # What its owner should know of how it was loaded; for the log.
    note: str = ""


class Order(msgspec.Struct, frozen=True):
    """What is to be loaded, and in how many seconds; `fingerprint` is that of the repository's files."""

    repository: str | None
    fingerprint: str
    seconds: int
    functions: list[FunctionSource]


class Unloadable(Exception):
    """A function can't be had; the message is a LoadedFunction's reason, `detail` its note."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.detail = detail
