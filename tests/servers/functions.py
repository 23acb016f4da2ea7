"""Functions as Feast puts them into a registry, and a process that runs them as a worker would: with nothing but pickle."""

import base64
import importlib
import json
import linecache
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dill
from feast.transformation.python_transformation import PythonTransformation

from service.catalog.functions import FunctionSource, digest_of

# Loads and calls functions where neither Feast nor dill can be imported. Says by name what each gave.
_WORKER = """
import base64, json, pickle, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"feast", "dill"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refuse())
given = json.load(sys.stdin)
results = {}
for name, (function, inputs) in given.items():
    run = pickle.loads(base64.b64decode(function))
    if name.startswith("pandas"):
        import pandas
        results[name] = run(pandas.DataFrame(inputs)).to_dict("list")
    else:
        results[name] = run(inputs)
json.dump(results, sys.stdout)
"""


def as_applied(folder: Path, module: str, name: str) -> FunctionSource:
    """What `feast apply` writes of a function of a module in a repository's folder."""
    sys.path.insert(0, str(folder))
    before = set(sys.modules)
    importlib.invalidate_caches()
    linecache.clearcache()
    try:
        function = getattr(importlib.import_module(module), name)
        text = dill.source.getsource(function)
        function.__module__ = "__main__"  # as Feast's decorator does
        proto = PythonTransformation(udf=function, udf_string=text).to_proto()
    finally:
        sys.path.remove(str(folder))
        for new in set(sys.modules) - before:
            if getattr(sys.modules[new], "__file__", None) and str(folder) in str(sys.modules[new].__file__):
                del sys.modules[new]
    digest = digest_of(proto.name.encode(), proto.body, proto.body_text.encode())
    return FunctionSource(digest, proto.name, proto.body, proto.body_text)


def run_like_a_worker(functions: Mapping[str, tuple[bytes, Any]], folder: Path) -> dict[str, Any]:
    """What functions give for their inputs, in a new process that has no repository, no Feast and no dill.

    `functions` are pickles and inputs; the inputs of one whose name begins with `pandas` become a frame. `folder` is an
    empty one to run in.
    """
    given = {name: (base64.b64encode(function).decode(), inputs) for name, (function, inputs) in functions.items()}
    done = subprocess.run(
        [sys.executable, "-I", "-c", _WORKER], input=json.dumps(given), capture_output=True, text=True, check=False, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    results: dict[str, Any] = json.loads(done.stdout)
    return results
