"""docs/compatibility.md as rows: what each claims, and which tests it names."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/compatibility.md"
# [`test_name[parameter]`][file]
_LINK = re.compile(r"\[`(\w+)(?:\[(.+?)\])?`\]\[(\w+)\]")
_FILE = re.compile(r"^\[(\w+)\]: (\S+)$", re.MULTILINE)
_RULE = re.compile(r"[\s|:-]+")


@dataclass(frozen=True, order=True)
class Test:
    """A test by its file and name; one case of it where it has a parameter."""

    __test__ = False  # for pytest: this isn't one

    file: Path
    name: str
    parameter: str | None = None


@dataclass(frozen=True)
class Row:
    """A row of one of the tables."""

    line: int
    subject: str
    stock: str
    ours: str
    tests: tuple[Test, ...]


def read_rows() -> list[Row]:
    """Every row of every table, without headings."""
    text = PAGE.read_text()
    files = {label: (PAGE.parent / path).resolve() for label, path in _FILE.findall(text)}
    lines = text.splitlines()
    found = []
    for number, line in enumerate(lines, 1):
        heads = number < len(lines) and _RULE.fullmatch(lines[number]) and lines[number].startswith("|")
        if not line.startswith("|") or _RULE.fullmatch(line) or heads:
            continue
        subject, stock, ours, tests = (cell.strip() for cell in line.strip("|").split("|"))
        named = tuple(Test(files[label], name, parameter or None) for name, parameter, label in _LINK.findall(tests))
        found.append(Row(number, subject, stock, ours, named))
    return found


def functions(file: Path) -> list[str]:
    """The names of the test functions in a file, which isn't run for it."""
    tree = ast.parse(file.read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node.name for node in tree.body if isinstance(node, kinds) and node.name.startswith("test_")]
