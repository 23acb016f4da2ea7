"""Which expectation types the installed Great Expectations knows, without importing it: that takes seconds and 130 MB."""

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

# GX registers an expectation when its module is imported, and this package imports those that there are.
_CORE = Path("expectations", "core", "__init__.py")
_IMPORT = re.compile(r"^from \.(\w+) import", re.MULTILINE)
# Imported, but not registered, because it is abstract: GX doesn't know it.
_ABSTRACT = {"expect_multicolumn_values_to_be_unique"}


@cache
def known_types() -> frozenset[str]:
    """The names of all expectation types of GX's own; none when it isn't installed."""
    spec = find_spec("great_expectations")
    locations = spec.submodule_search_locations if spec else None
    if not locations:
        return frozenset()
    return frozenset(_IMPORT.findall(Path(locations[0], _CORE).read_text())) - _ABSTRACT
