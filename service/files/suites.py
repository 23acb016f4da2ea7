"""The one suite that files are judged by, from the folder of a Great Expectations project."""

import json
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from service.errors import ConfigurationError
from service.suites import ParameterError, Suite, compile_suite
from service.suites.repository import SUITES_FOLDER

_PARAMETER = "$PARAMETER"


def load_suite(project: Path, name: str) -> Suite:
    """The suite of this name; raises ConfigurationError with the nearest names, or with what is wrong with it."""
    folder = project / SUITES_FOLDER
    if not folder.is_dir():
        hint = f" Did you mean --expectations {project.parent}?" if project.name == SUITES_FOLDER else ""
        raise ConfigurationError(
            f"There is no folder {folder}: --expectations names that of a Great Expectations project, which has one.{hint}"
        )
    path = folder / f"{name}.json"
    names = sorted(each.stem for each in folder.glob("*.json"))
    if name not in names:
        close = get_close_matches(Path(name).stem, names, n=3)
        hint = f"Did you mean {' or '.join(close)}?" if close else f"There are {', '.join(names) or 'none'}."
        raise ConfigurationError(f"There is no suite {name} in {folder}. {hint}")
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{path} can't be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{path} isn't JSON: {error}.") from error
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path} isn't a suite: it holds {type(document).__name__} instead of an object.")
    suite = compile_suite(document, str(path))
    if suite.name != name:
        raise ConfigurationError(f"{path} holds the suite {suite.name!r}: a suite lies in a file that is named after it.")
    return suite


def check_parameters(suite: Suite, given: Mapping[str, Any]) -> None:
    """Raise ParameterError for a value that no `$PARAMETER` of the suite asks for, and for one that is missing."""
    wanted = set(_parameters(suite.document.get("expectations", [])))
    for name in sorted(set(given) - wanted):
        takes = f"it takes {', '.join(sorted(wanted))}" if wanted else "it takes none"
        raise ParameterError.because(f"{suite.name} has no parameter {name}: {takes}.", "expectation_parameters")
    missing = sorted(wanted - set(given))
    if missing and all(name.isidentifier() for name in missing):
        needed = " ".join(f"--parameter {name}=..." for name in missing)
        raise ParameterError.because(f"{suite.name} needs a value for {', '.join(missing)}: {needed}", "expectation_parameters")


def _parameters(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get(_PARAMETER), str):
            yield value[_PARAMETER]
        for item in value.values():
            yield from _parameters(item)
    elif isinstance(value, list):
        for item in value:
            yield from _parameters(item)
