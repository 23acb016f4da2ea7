"""Loads the functions of on-demand views out of what Feast keeps of them, in a process of its own.

Run by the definitions process as `python -m service.catalog.functions.process REPLIES`, with an Order on stdin; each
function's LoadedFunction is appended to the file REPLIES as soon as it is known. Loading may import the repository's
modules, which may print, exit, hang or change the interpreter: none of that leaves this process.

It is started with PYTHONHASHSEED=0, so that the same functions give the same bytes.
"""

import importlib
import io
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import FrameType, FunctionType, ModuleType
from typing import Any

import dill
import msgspec

from service.catalog.functions import source_text
from service.catalog.functions.messages import LENGTH_BYTES, FunctionSource, LoadedFunction, Order, Unloadable
from service.catalog.functions.pickling import Repository, WorkerUnpickler, is_installed, pickle_by_value
from service.catalog.functions.rebuilding import PYTHON, from_text, is_of_this_python, with_its_globals
from service.catalog.functions.source_text import FunctionNode


class _AsItIs(ModuleType):
    """A module that keeps to what it has when it is unpickled."""

    def __setstate__(self, state: Any) -> None:
        """Called with what the module had when it was pickled."""


class _Unpickler(dill.Unpickler):  # type: ignore[misc]
    """Takes a module for what it is here: dill keeps what a module of the repository had in it, but not its functions."""

    def load(self) -> Any:
        """The object."""
        self._modules: list[ModuleType] = []
        try:
            return super().load()
        finally:
            for module in self._modules:
                module.__class__ = ModuleType

    def find_class(self, module: str, name: str) -> Any:
        """What the pickle asks for by name."""
        found = super().find_class(module, name)
        return partial(self._import, found) if name == "_import_module" else found

    def _import(self, import_module: Callable[..., Any], *arguments: Any) -> Any:
        found = import_module(*arguments)
        if type(found) is ModuleType:
            found.__class__ = _AsItIs
            self._modules.append(found)
        return found


class Loader:
    """Loads one function after another."""

    def __init__(self, order: Order) -> None:
        self._fingerprint = order.fingerprint
        self._repository = Repository(Path(order.repository) if order.repository else None)

    def load(self, source: FunctionSource) -> LoadedFunction:
        """The function, or why there is none; never raises."""
        try:
            if source.plan:
                _check_plan(source.body)
                return LoadedFunction(source.digest, source.body)
            definition = source_text.parse_function(source.text, source.name)
            function, note = self._function(source, definition)
            self._check_imports(definition)
            data, more = self._pickled(function, source.digest)
            return LoadedFunction(source.digest, data, note=" ".join(filter(None, (note, more))))
        except Unloadable as error:
            return LoadedFunction(source.digest, reason=str(error), note=error.detail)

    def _function(self, source: FunctionSource, definition: FunctionNode | None) -> tuple[FunctionType, str]:
        try:
            function = self._from_body(source.body)
            if definition is None or is_of_this_python(function, definition):
                return function, ""
            return with_its_globals(function, definition), ""
        except Unloadable as error:
            if definition is None:
                raise
            try:
                return self._from_text(source, definition), f"It was rebuilt from its source text, for it {error}"
            except Unloadable as other:
                raise Unloadable(f"{error} {other}", error.detail or other.detail) from error

    def _from_body(self, body: bytes) -> FunctionType:
        if not body:
            raise Unloadable("isn't in the registry: run feast apply.")
        try:
            with self._repository.importable():
                function = _Unpickler(io.BytesIO(body)).load()
        except BaseException as error:  # a module may well call sys.exit
            raise self._unloadable(error) from error
        if not isinstance(function, FunctionType):
            raise Unloadable(f"is a {type(function).__name__} and not a function: run feast apply with a function.")
        return function

    def _from_text(self, source: FunctionSource, definition: FunctionNode) -> FunctionType:
        def module_names() -> Mapping[str, Any]:
            if not source.module:
                return {}
            with self._repository.importable():
                return vars(importlib.import_module(source.module))

        try:
            return from_text(definition, module_names)
        except Unloadable:
            raise
        except BaseException as error:
            unloadable = self._unloadable(error)
            raise Unloadable(f"Nor does its source text help: it {unloadable}", unloadable.detail) from error

    def _check_imports(self, definition: FunctionNode | None) -> None:
        """What it imports when it runs has to be there in the workers."""
        for module in sorted(source_text.imports_within(definition) if definition else ()):
            with self._repository.absent():
                there = is_installed(module)
            if there:
                continue
            with self._repository.importable():
                ours = is_installed(module)
            if ours:
                raise Unloadable(
                    f"imports the repository's module {module} when it runs, and the workers don't have that: import it at "
                    "the top of the file, so that it is carried along, and run feast apply."
                )
            raise Unloadable(f"imports the module {module}, which isn't installed here: install it.")

    def _pickled(self, function: FunctionType, digest: str) -> tuple[bytes, str]:
        try:
            data = pickle_by_value(function, f"{digest} {self._fingerprint}")
        except BaseException as error:
            raise Unloadable(
                f"uses something that can't be handed to the workers ({type(error).__name__}): make it inside the function.",
                _described(error),
            ) from error
        unpickler = WorkerUnpickler(io.BytesIO(data))
        try:
            with self._repository.absent():
                unpickler.load()
        except BaseException as error:
            raise self._unloadable(error) from error
        feast = any(name.partition(".")[0] == "feast" for name in unpickler.imported)
        return data, "It uses objects of Feast's, so each worker has to import Feast: seconds, and 190 MB." if feast else ""

    def _unloadable(self, error: BaseException) -> Unloadable:
        """What went wrong, in terms of what can be done about it; messages of foreign code go to the log alone."""
        detail = _described(error)
        file = self._failing_file(error)
        if isinstance(error, ModuleNotFoundError) and error.name:
            by = f" (imported by {file})" if file else ""
            return Unloadable(
                f"needs the module {error.name}{by}, which is neither installed here nor in the repository's folder: "
                "install it, or start the server with the repository's files.",
                detail,
            )
        if file:
            return Unloadable(f"needs the repository's {file}, which can't be imported ({type(error).__name__}).", detail)
        return Unloadable(
            f"can't be loaded ({type(error).__name__}): run feast apply with Python {PYTHON} and the repository's files as "
            "they are now.",
            detail,
        )

    def _failing_file(self, error: BaseException) -> str:
        """The file of the repository that was being imported, if one was."""
        names = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__) if _is_module(frame)]
        if isinstance(error, SyntaxError) and error.filename:
            names.append(error.filename)
        names = [name for name in names if self._repository.has(name)]
        return str(Path(names[-1]).resolve().relative_to(self._repository.folder)) if names and self._repository.folder else ""


def _is_module(frame: FrameType) -> bool:
    return frame.f_code.co_name == "<module>"


def _described(error: BaseException) -> str:
    return "".join(traceback.format_exception_only(error)).strip()


def _check_plan(plan: bytes) -> None:
    """Run it over empty tables: whether this pyarrow understands it."""
    try:
        import pyarrow.substrait

        pyarrow.substrait.run_query(plan, table_provider=lambda _, schema: schema.empty_table()).read_all()
    except BaseException as error:
        raise Unloadable(f"is a plan that pyarrow can't run here ({type(error).__name__}).", _described(error)) from error


def main() -> None:
    """Entry point."""
    order = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Order)
    # Who waits for it may be killed meanwhile.
    signal.alarm(order.seconds)
    loader = Loader(order)
    with Path(sys.argv[1]).open("wb") as replies:
        if order.repository:
            os.chdir(order.repository)  # as `feast apply` does
        for source in order.functions:
            reply = msgspec.msgpack.encode(loader.load(source))
            replies.write(len(reply).to_bytes(LENGTH_BYTES) + reply)
            replies.flush()
    # Not by returning: threads of the repository's modules would be waited for.
    os._exit(0)


if __name__ == "__main__":
    main()
