"""Functions pickled by value: with their globals, closures, and what they use of the repository's modules.

What comes out needs neither the repository nor Feast nor dill to be loaded, and is the same bytes in each process that has
the same PYTHONHASHSEED. Runs in the process that loads functions (`process`).
"""

import contextlib
import functools
import hashlib
import importlib.util
import io
import pickle
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import cloudpickle

_INSTALLED = {"site-packages", "dist-packages"}


class Repository:
    """The folder of the repository, and which of the modules that are loaded lie in it."""

    def __init__(self, folder: Path | None) -> None:
        """From here on; what was imported before belongs to this service."""
        self.folder = folder.resolve() if folder else None
        self._seen = set(sys.modules)
        self.modules: dict[str, ModuleType] = {}

    @contextlib.contextmanager
    def importable(self) -> Iterator[None]:
        """The repository's modules can be imported within the block, as they can in `feast apply`."""
        before = list(sys.path)
        sys.path[:] = [str(self.folder), *before] if self.folder else before
        try:
            yield
        finally:
            sys.path[:] = before
            self._take_note()

    @contextlib.contextmanager
    def absent(self) -> Iterator[None]:
        """Within the block everything is as in a worker: no module of the repository is there."""
        path, loaded = list(sys.path), {name: sys.modules.pop(name, None) for name in self.modules}
        sys.path[:] = [entry for entry in path if not self.folder or Path(entry or ".").resolve() != self.folder]
        try:
            yield
        finally:
            sys.path[:] = path
            sys.modules.update({name: module for name, module in loaded.items() if module is not None})

    def has(self, file: str | None) -> bool:
        """Whether a file lies in the repository, and not among packages that are installed there."""
        if not file or not self.folder:
            return False
        path = Path(file).resolve()
        return path.is_relative_to(self.folder) and not _INSTALLED & set(path.relative_to(self.folder).parts)

    def _take_note(self) -> None:
        for name in sys.modules.keys() - self._seen:
            module = sys.modules[name]
            if self.has(getattr(module, "__file__", None)):
                self.modules[name] = module
                cloudpickle.register_pickle_by_value(module)
            self._seen.add(name)


class WorkerUnpickler(pickle.Unpickler):
    """Loads what a worker would load, and notes what it imports for it."""

    def __init__(self, file: Any) -> None:
        super().__init__(file)
        self.imported: set[str] = set()

    def find_class(self, module: str, name: str) -> Any:
        """What pickle asks for by name."""
        self.imported.add(module)
        found = super().find_class(module, name)
        return self._import if name == "subimport" and module.startswith("cloudpickle") else found

    def _import(self, name: str) -> ModuleType:
        self.imported.add(name)
        return importlib.import_module(name)


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Knows what functools makes of a function, too, which pickle takes for something that is found by its name."""

    def reducer_override(self, value: Any) -> Any:
        """How an object is pickled."""
        if isinstance(value, functools._lru_cache_wrapper):
            return _cached, (value.__wrapped__, value.cache_parameters())
        return super().reducer_override(value)


def _cached(function: Any, parameters: dict[str, Any]) -> Any:
    return functools.lru_cache(**parameters)(function)


# By value, too: a worker has no need of this module.
_cached.__module__ = "__main__"


def pickle_by_value(function: Any, identity: str) -> bytes:
    """What a worker loads by pickle alone; raises what cloudpickle does, which is anything.

    `identity` names function and repository as they are: classes within carry it, so that a worker that has loaded an
    earlier form of a class doesn't take that for this one.
    """
    numbers = count()

    def numbered() -> SimpleNamespace:
        return SimpleNamespace(hex=hashlib.sha256(f"{identity} {next(numbers)}".encode()).hexdigest()[:32])

    # cloudpickle gives each class a random id, by which the bytes would differ each time.
    internals: Any = cloudpickle.cloudpickle
    internals._DYNAMIC_CLASS_TRACKER_BY_CLASS.clear()
    original, internals.uuid = internals.uuid, SimpleNamespace(uuid4=numbered)
    try:
        written = io.BytesIO()
        _Pickler(written, protocol=pickle.HIGHEST_PROTOCOL).dump(function)
        return written.getvalue()
    finally:
        internals.uuid = original
        # And loading it here would change the very classes that it was made of, if they were known by their ids.
        internals._DYNAMIC_CLASS_TRACKER_BY_ID.clear()


def is_installed(module: str) -> bool:
    """Whether a module can be imported here (of `a.b`, whether `a` can: finding `b` would import `a`)."""
    root = module.partition(".")[0]
    try:
        return root in sys.modules or importlib.util.find_spec(root) is not None
    except (ImportError, ValueError):
        return False
