"""What the source text of a function says, read without running it."""

import ast
import builtins
import dis
import hashlib
import textwrap
from collections.abc import Iterator, Sequence
from types import CodeType

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef

_GLOBAL_LOADS = {"LOAD_GLOBAL", "LOAD_NAME"}
ENCLOSING = "enclosing"


def parse_function(text: str, name: str) -> FunctionNode | None:
    """The function of that name in a text, without its decorators; None when the text has none (that of a lambda)."""
    try:
        tree = ast.parse(textwrap.dedent(text))
    except (SyntaxError, ValueError, RecursionError):
        return None
    found = next((node for node in ast.walk(tree) if isinstance(node, FunctionNode) and node.name == name), None)
    return None if found is None else undecorated(found)


def undecorated(function: FunctionNode) -> FunctionNode:
    """The same function without decorators, which say what Feast makes of it and not what it does."""
    return type(function)(**{**dict(ast.iter_fields(function)), "decorator_list": []})


def fingerprint(function: FunctionNode) -> str:
    """The same for the same code, wherever it stands, whatever its decorators, comments and spaces are."""
    return hashlib.sha256(ast.dump(undecorated(function)).encode()).hexdigest()


def compile_function(function: FunctionNode, free: Sequence[str] = (), flags: int = 0) -> CodeType:
    """Code of a module that defines the function, without annotations: they name what running it doesn't need.

    With `free` names of closed-over variables, the module has a function ENCLOSING that takes these and returns it.
    `flags` are those of `from __future__ import`.
    """
    bare = _without_annotations(function)
    if not free:
        return _compile([bare], flags)
    returned = ast.Return(ast.Name(function.name, ast.Load()))
    around = ast.parse(f"def {ENCLOSING}({', '.join(free)}): pass").body[0]
    assert isinstance(around, ast.FunctionDef)  # noqa: S101 - what was parsed is one
    around.body = [bare, returned]
    return _compile([around], flags)


def code_of(compiled: CodeType, name: str) -> CodeType | None:
    """The code of a function of that name anywhere in compiled code."""
    return next((code for code in nested(compiled) if code.co_name == name), None)


def nested(code: CodeType) -> Iterator[CodeType]:
    """A code object and all that are within it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from nested(constant)


def global_names(compiled: CodeType) -> set[str]:
    """The names that a module's code uses and neither defines itself nor finds among the builtins."""
    used = {
        instruction.argval
        for code in nested(compiled)
        for instruction in dis.get_instructions(code)
        if instruction.opname in _GLOBAL_LOADS
    }
    defined = {
        instruction.argval
        for code in nested(compiled)
        for instruction in dis.get_instructions(code)
        if instruction.opname in ("STORE_NAME", "STORE_GLOBAL")
    }
    return used - defined - set(vars(builtins)) - {"__name__", "__qualname__", "__module__"}


def imports_within(function: FunctionNode) -> set[str]:
    """The modules that a function imports when it runs, but for those that it can do without (in a `try`)."""
    found: set[str] = set()
    for node in _unguarded(function):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return found


def _unguarded(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.Try) and child.handlers):
            yield child
            yield from _unguarded(child)


def _without_annotations(function: FunctionNode) -> FunctionNode:
    arguments = function.args
    bare = ast.arguments(
        posonlyargs=[ast.arg(each.arg) for each in arguments.posonlyargs],
        args=[ast.arg(each.arg) for each in arguments.args],
        vararg=arguments.vararg and ast.arg(arguments.vararg.arg),
        kwonlyargs=[ast.arg(each.arg) for each in arguments.kwonlyargs],
        kw_defaults=arguments.kw_defaults,
        kwarg=arguments.kwarg and ast.arg(arguments.kwarg.arg),
        defaults=arguments.defaults,
    )
    return type(function)(**{**dict(ast.iter_fields(undecorated(function))), "args": bare, "returns": None})


def _compile(body: list[ast.stmt], flags: int) -> CodeType:
    tree = ast.fix_missing_locations(ast.Module(body, type_ignores=[]))
    compiled: CodeType = compile(tree, "<registry>", "exec", flags, dont_inherit=True)
    return compiled
