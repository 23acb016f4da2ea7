"""The Python files of a Feast repository: whether they have changed, and which functions they define. Nothing is imported."""

import ast
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from service.catalog.functions.source_text import FunctionNode, fingerprint

# Folders that hold no definitions: Feast passes over some of them, too, and hidden ones are passed over by their dot.
_PASSED_OVER = {"__pycache__", "site-packages", "node_modules"}
_VIRTUAL_ENVIRONMENT = "pyvenv.cfg"
_DECORATOR = "on_demand_feature_view"


class DefinedFunction(NamedTuple):
    """A function as a file of the repository defines it."""

    file: Path
    fingerprint: str


class RepositoryFiles:
    """Looks at the files again at each `scan`, and parses those that have changed."""

    def __init__(self, folder: Path | None) -> None:
        """`folder` None is a registry without a repository."""
        self.folder = folder
        self._parsed: dict[Path, tuple[tuple[int, int], dict[str, set[str]]]] = {}

    def scan(self) -> str:
        """A digest of the files' names, sizes and times of change: it is another one when one of them has changed."""
        parsed = {}
        digest = hashlib.sha256()
        for file in sorted(self._files()):
            try:
                status = file.stat()
            except OSError:  # it was there a moment ago
                continue
            state = (status.st_mtime_ns, status.st_size)
            digest.update(repr((str(file), state)).encode(errors="surrogateescape"))
            before = self._parsed.get(file)
            parsed[file] = before if before and before[0] == state else (state, _functions(file))
        self._parsed = parsed
        return digest.hexdigest()

    def functions(self, view: str, function: str) -> list[DefinedFunction]:
        """What the files define for a view: its decorated functions, or where no decorator names it, functions so called."""
        return self._called(f"view {view}") or self._called(f"function {function}")

    def module(self, function: str, wanted: str) -> str:
        """The module that defines a function: just this one, or the only one of its name; empty when there is none."""
        found = self._called(f"function {function}")
        files = [each.file for each in found if each.fingerprint == wanted] or ([found[0].file] if len(found) == 1 else [])
        if not files or self.folder is None:
            return ""
        path = files[0].relative_to(self.folder).with_suffix("")
        return ".".join(path.parts[:-1] if path.name == "__init__" else path.parts)

    def _called(self, key: str) -> list[DefinedFunction]:
        return [DefinedFunction(file, each) for file, (_, found) in self._parsed.items() for each in sorted(found.get(key, ()))]

    def _files(self) -> Iterator[Path]:
        for folder, folders, names in os.walk(self.folder or os.devnull):
            folders[:] = [
                name
                for name in folders
                if name not in _PASSED_OVER
                and not name.startswith(".")
                and not Path(folder, name, _VIRTUAL_ENVIRONMENT).exists()
            ]
            yield from (Path(folder, name) for name in names if name.endswith(".py"))


def _functions(file: Path) -> dict[str, set[str]]:
    """Fingerprints of the functions in a file, by `view NAME` and `function NAME`; of one that isn't Python, none."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return {}
    found: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, FunctionNode):
            dumped = fingerprint(node)
            found.setdefault(f"function {node.name}", set()).add(dumped)
            for name in _views(node):
                found.setdefault(f"view {name}", set()).add(dumped)
    return found


def _views(function: FunctionNode) -> Iterator[str]:
    """The on-demand views that decorators make of a function, so far as their names stand in the text."""
    for decorator in function.decorator_list:
        call = decorator if isinstance(decorator, ast.Call) else None
        target = call.func if call else decorator
        if _DECORATOR not in (getattr(target, "id", None), getattr(target, "attr", None)):
            continue
        named = [keyword.value for keyword in call.keywords if keyword.arg == "name"] if call else []
        if not named:
            yield function.name
        elif isinstance(named[0], ast.Constant) and isinstance(named[0].value, str):
            yield named[0].value
