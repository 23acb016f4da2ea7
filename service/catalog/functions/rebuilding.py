"""Functions compiled from their source text, where what dill kept of them can't be used as it is."""

import __future__

import builtins
import importlib
import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from types import CodeType, FunctionType
from typing import Any

from service.catalog.functions import source_text
from service.catalog.functions.messages import Unloadable
from service.catalog.functions.source_text import FunctionNode

PYTHON = ".".join(platform.python_version_tuple()[:2])
# What stock gives a function that it rebuilds from its source text (feast/transformation/udf_rehydrate.py).
STOCK_NAMES = {"pd": "pandas", "pandas": "pandas", "np": "numpy", "numpy": "numpy"}


def from_text(definition: FunctionNode, module_names: Callable[[], Mapping[str, Any]]) -> FunctionType:
    """The function with nothing but the names that stock gives it, and those of the module that defines it.

    `module_names` is only called when these are needed. Raises Unloadable for names that there aren't, and whatever the
    function's defaults raise.
    """
    compiled = source_text.compile_function(definition)
    wanted = source_text.global_names(compiled)
    namespace = _stock_names(wanted)
    if wanted - namespace.keys():
        namespace = {**module_names(), **namespace}
    if wanted - namespace.keys():
        names = ", ".join(sorted(wanted - namespace.keys()))
        raise Unloadable(f"Its source text alone doesn't do, for it uses {names}.")
    exec(compiled, namespace)  # noqa: S102 - what the registry has is trusted, as in Feast
    rebuilt: FunctionType = namespace[definition.name]
    return rebuilt


def with_its_globals(function: FunctionType, definition: FunctionNode) -> FunctionType:
    """The text compiled here, with the globals and the closure that dill kept of the function.

    For one that isn't what its text gives here: its bytecode is another Python's, and would crash this one; or the
    registry kept but its name, and the repository has another function of that name by now. Raises Unloadable.
    """
    free = function.__code__.co_freevars
    compiled = _compile(definition, function.__code__)
    wanted = source_text.global_names(compiled)
    cells = [_content(cell) for cell in function.__closure__ or ()]
    kept = cells if _is_of_module(function) else [*cells, *(function.__globals__.get(name) for name in wanted)]
    if hasattr(function, "__wrapped__") or any(isinstance(each, FunctionType) and not _is_of_module(each) for each in kept):
        raise Unloadable(f"was applied with another version of Python: run feast apply with Python {PYTHON}.")
    namespace = {**_stock_names(wanted), **function.__globals__, "__builtins__": builtins}
    if wanted - namespace.keys():
        names = ", ".join(sorted(wanted - namespace.keys()))
        raise Unloadable(f"isn't what its source text says, which uses {names}: run feast apply with Python {PYTHON}.")
    exec(compiled, namespace)  # noqa: S102 - as above
    rebuilt: FunctionType = namespace[source_text.ENCLOSING](*cells) if free else namespace[definition.name]
    return rebuilt


def is_of_this_python(function: FunctionType, definition: FunctionNode) -> bool:
    """Whether its bytecode is what its text gives here. A wrapper's text is that of the function that it wraps."""
    codes = [each.__code__ for each in _wrapped(function) if each.__code__.co_name == definition.name]
    for code in codes:
        compiled = source_text.code_of(_compile(definition, code), definition.name)
        if compiled is not None and _is_same(compiled, code):
            return True
    return not codes


def _compile(definition: FunctionNode, code: CodeType) -> CodeType:
    """The text, compiled as the code was."""
    return source_text.compile_function(definition, code.co_freevars, code.co_flags & __future__.annotations.compiler_flag)


def _is_same(one: Any, other: Any) -> bool:
    """Whether two code objects do the same, or two constants in them are the same."""
    if type(one) is not type(other):
        return False
    if not isinstance(one, CodeType):
        return bool(one == other)
    return ((one.co_code, one.co_names, len(one.co_consts)) == (other.co_code, other.co_names, len(other.co_consts))) and all(
        _is_same(*pair) for pair in zip(one.co_consts, other.co_consts, strict=True)
    )


def _stock_names(wanted: set[str]) -> dict[str, Any]:
    found: dict[str, Any] = {name: importlib.import_module(STOCK_NAMES[name]) for name in wanted & STOCK_NAMES.keys()}
    return {**found, "__name__": "__main__", "__builtins__": builtins}


def _wrapped(function: FunctionType) -> Iterator[FunctionType]:
    """The function, and those in its closure and in theirs."""
    waiting, seen = [function], set()
    while waiting:
        each = waiting.pop()
        if id(each) not in seen:
            seen.add(id(each))
            yield each
            around = [getattr(each, "__wrapped__", None), *(_content(cell) for cell in each.__closure__ or ())]
            waiting += [found for found in around if isinstance(found, FunctionType)]


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # nothing was put in it
        return None


def _is_of_module(function: FunctionType) -> bool:
    """Whether a module has it under its name, so that its code comes from a file and not out of the registry."""
    found: Any = sys.modules.get(function.__module__)
    for part in function.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is function
