"""Functions of on-demand views, from what dill kept of them to what a worker runs; and every way in which that fails."""

import base64
import functools
import logging
import os
import pickle
import resource
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import cloudpickle
import msgspec
import pytest

from service.catalog.functions import FunctionLoader, FunctionSource, LoadedFunction, digest_of
from service.catalog.functions.loader import LOADING_SECONDS
from service.catalog.functions.pickling import pickle_by_value
from tests.servers.functions import as_applied, run_like_a_worker
from tests.servers.plans import plan

VALUES = {"value": [1.0, 4.0]}

REPOSITORY = {
    "features.py": """
        import functools
        import math
        import rates
        from rates import Rate, rate_of

        SCALE = 3
        double = lambda x: x * 2

        def helper(x):
            return another(x) + SCALE

        def another(x):
            return x * 10

        def checked(function):
            @functools.wraps(function)
            def checking(inputs):
                return {name: [round(value, 3) for value in column] for name, column in function(inputs).items()}
            return checking

        def of_global(inputs):
            return {"y": [value * SCALE for value in inputs["value"]]}

        def of_import(inputs):
            return {"y": [math.sqrt(value) for value in inputs["value"]]}

        def make(offset):
            def closed(inputs):
                return {"y": [value + offset for value in inputs["value"]]}
            return closed

        of_closure = make(5)

        def of_helper(inputs):
            return {"y": [helper(value) for value in inputs["value"]]}

        def of_lambda(inputs):
            return {"y": [double(value) for value in inputs["value"]]}

        def of_other_file(inputs):
            return {"y": [value * rate_of("gold") for value in inputs["value"]]}

        def of_module(inputs):
            return {"y": [value * rates.rate_of("none") for value in inputs["value"]]}

        KNOWN = {f"segment {number}" for number in range(20)}

        def of_set(inputs):
            return {"y": [value if "segment 3" in KNOWN else 0 for value in inputs["value"]]}

        def of_class(inputs):
            return {"y": [Rate("gold").of(value) for value in inputs["value"]]}

        @checked
        def decorated(inputs):
            return {"y": [value / 3 for value in inputs["value"]]}
    """,
    "rates.py": """
        RATES = {"gold": 0.25}

        class Rate:
            def __init__(self, name):
                self.name = name

            def of(self, value):
                return RATES.get(self.name, 0.5) * value

        def rate_of(name):
            return Rate(name).of(1)
    """,
}
EXPECTED = {
    "of_global": [3.0, 12.0],
    "of_import": [1.0, 2.0],
    "of_closure": [6.0, 9.0],
    "of_helper": [13.0, 43.0],
    "of_lambda": [2.0, 8.0],
    "of_other_file": [0.25, 1.0],
    "of_module": [0.5, 2.0],
    "of_set": [1.0, 4.0],
    "of_class": [0.25, 1.0],
    "decorated": [0.333, 1.333],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty repository."""
    folder = tmp_path / "repository"
    folder.mkdir()
    return folder


def write(folder: Path, files: dict[str, str]) -> None:
    """Files of a repository; each time they are newer than before, whatever the clock's resolution."""
    for name, text in files.items():
        file = folder / name
        before = file.stat().st_mtime_ns if file.exists() else time.time_ns()
        file.write_text(textwrap.dedent(text))
        os.utime(file, ns=(before + 10**9, before + 10**9))


def applied(folder: Path, text: str, name: str = "derived", **more: str) -> FunctionSource:
    """A function of features.py as it gets into the registry; `more` are further modules."""
    write(folder, {"features.py": text} | {f"{module}.py": content for module, content in more.items()})
    return as_applied(folder, "features", name)


def load(source: FunctionSource, folder: Path | None) -> LoadedFunction:
    """By a loader that has seen nothing before."""
    return FunctionLoader(folder).load({"derived": source})["derived"]


def unpickled(function: bytes) -> Any:
    """As a worker does it."""
    return pickle.loads(function)  # noqa: S301 - made here


def test_a_function_keeps_what_it_uses(folder: Path, tmp_path: Path) -> None:
    """Globals, imports, closures, helpers here and in other files, classes, decorators: without the repository and Feast."""
    write(folder, REPOSITORY)
    sources = {name: as_applied(folder, "features", name) for name in EXPECTED if name != "of_closure"}
    sources["of_closure"] = as_applied(folder, "features", "of_closure")
    loaded = FunctionLoader(folder).load(sources)
    assert {name: each.reason + each.note for name, each in loaded.items()} == dict.fromkeys(EXPECTED, "")
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir()
    given = run_like_a_worker({name: (each.function, VALUES) for name, each in loaded.items()}, nowhere)
    assert given == {name: {"y": values} for name, values in EXPECTED.items()}


def test_the_same_functions_give_the_same_bytes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the hash seed of the process that asks; classes, too, which cloudpickle would give random names, and sets."""
    write(folder, REPOSITORY)
    sources = {name: as_applied(folder, "features", name) for name in EXPECTED}
    first = FunctionLoader(folder).load(sources)
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    assert FunctionLoader(folder).load(sources) == first
    alone = {name: FunctionLoader(folder).load({name: sources[name]})[name] for name in ("of_class", "of_helper", "of_lambda")}
    assert alone == {name: first[name] for name in alone}


def test_a_class_that_has_changed_is_another_to_a_worker(folder: Path) -> None:
    """A worker that has loaded the earlier form doesn't go on with it."""
    write(folder, REPOSITORY)
    loader = FunctionLoader(folder)
    views = {"derived": as_applied(folder, "features", "of_class")}
    before = unpickled(loader.load(views)["derived"].function)
    write(folder, {"rates.py": REPOSITORY["rates.py"].replace("* value", "+ value")})
    after = unpickled(loader.load(views)["derived"].function)
    assert before(VALUES) == {"y": [0.25, 1.0]}
    assert after(VALUES) == {"y": [1.25, 4.25]}


SELF_CONTAINED = """
    def derived(inputs):
        return {"y": [value + 1 for value in inputs["value"]]}
"""
WITH_HELPER = """
    def derived(inputs):
        return {"y": [helper(value) for value in inputs["value"]]}

    def helper(value):
        return value + 1
"""


def test_without_the_repository_a_function_of_its_own_is_served(folder: Path) -> None:
    """The registry is enough for it."""
    assert load(applied(folder, SELF_CONTAINED), None).reason == ""


def test_without_the_repository_a_helper_is_missed(folder: Path) -> None:
    """And the reason says which module it was in, and what to do."""
    loaded = load(applied(folder, WITH_HELPER), None)
    assert "needs the module features" in loaded.reason
    assert "start the server with the repository's files" in loaded.reason
    assert "uses helper" in loaded.reason


def test_a_module_that_is_not_installed_is_named(folder: Path, tmp_path: Path) -> None:
    """It was there when the function was applied."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    write(elsewhere, {"vanished_package.py": "def twice(x):\n    return x * 2"})
    text = """
        import vanished_package

        def derived(inputs):
            return {"y": [vanished_package.twice(value) for value in inputs["value"]]}
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(elsewhere)
        source = applied(folder, text)
    assert "needs the module vanished_package" in load(source, folder).reason


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("import vanished_package", "imports the module vanished_package, which isn't installed here"),
        ("from vanished_package.parts import part", "imports the module vanished_package.parts"),
        ("import rates", "imports the repository's module rates when it runs"),
        ("import math", ""),
    ],
)
def test_what_a_function_imports_when_it_runs(folder: Path, line: str, reason: str) -> None:
    """Is looked for now, not at the first request."""
    text = f"""
        def derived(inputs):
            {line}
            return inputs
    """
    loaded = load(applied(folder, text, rates="RATE = 1"), folder)
    assert loaded.reason.startswith(reason)
    assert bool(loaded.function) == (not reason)


def test_what_is_carried_along_is_not_there_to_be_imported(folder: Path) -> None:
    """A module of the repository whose function came along with another is no module in a worker."""
    text = """
        from rates import rate

        def derived(inputs):
            import rates
            return {"y": [rate(value) for value in inputs["value"]]}
    """
    loaded = load(applied(folder, text, rates="def rate(value):\n    return value"), folder)
    assert loaded.reason.startswith("imports the repository's module rates when it runs")


def test_an_import_that_may_fail_is_let_be(folder: Path) -> None:
    """The function says itself what it does then."""
    text = """
        def derived(inputs):
            try:
                import vanished_package
            except ImportError:
                return inputs
    """
    assert load(applied(folder, text), folder).reason == ""


SILLY = {
    "raises": ("raise RuntimeError('password=secret')", "needs the repository's helpers.py, which can't be imported (Runtime"),
    "exits": ("import sys; sys.exit(3)", "needs the repository's helpers.py, which can't be imported (SystemExit)"),
    "dies": ("import os; os._exit(7)", "made the process that loads it end with code 7"),
    "is no Python": ("def (", "needs the repository's helpers.py, which can't be imported (SyntaxError)"),
}


@pytest.mark.parametrize("kind", SILLY)
def test_a_module_that_does_something_silly_at_import(folder: Path, kind: str) -> None:
    """Its function can't be served; another, which is loaded after it, can, and this process goes on."""
    line, reason = SILLY[kind]
    text = """
        from helpers import helper

        def derived(inputs):
            return helper(inputs)
    """
    bad = applied(folder, text, helpers="def helper(inputs):\n    return inputs")
    good = applied(folder, SELF_CONTAINED)
    write(folder, {"helpers.py": line})
    loaded = FunctionLoader(folder).load({"bad": bad, "good": good})
    assert loaded["bad"].reason.startswith(reason)
    assert "secret" not in loaded["bad"].reason
    assert loaded["good"].reason == ""


def test_a_module_that_hangs_at_import(folder: Path) -> None:
    """It takes all the time once; the next reading loads the others first."""
    hanging = """
        from helpers import helper

        def derived(inputs):
            return helper(inputs)
    """
    bad = msgspec.structs.replace(applied(folder, hanging, helpers="def helper(inputs):\n    return inputs"), digest="0")
    good = msgspec.structs.replace(applied(folder, SELF_CONTAINED), digest="1")
    write(folder, {"helpers.py": "import time; time.sleep(60)"})
    loader = FunctionLoader(folder, seconds=2)
    first = loader.load({"bad": bad, "good": good})
    assert first["bad"].reason == "wasn't loaded within 2 s."
    assert "wasn't loaded yet" in first["good"].reason
    loader._seconds = LOADING_SECONDS
    assert loader.load({"bad": bad, "good": good})["good"].reason == ""


def test_what_a_module_prints_is_logged(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is neither lost nor taken for an answer."""
    source = applied(folder, "print('hello from the repository')\n" + textwrap.dedent(WITH_HELPER))
    with caplog.at_level(logging.INFO):
        assert load(source, folder).reason == ""
    assert "hello from the repository" in caplog.text


def test_something_that_cannot_be_handed_over(folder: Path) -> None:
    """A lock, a connection, an open file in a module: the reason says so."""
    helpers = "import threading\nlock = threading.Lock()\ndef guarded(inputs):\n    with lock:\n        return inputs"
    with_lock = "from helpers import guarded\ndef derived(inputs):\n    return guarded(inputs)"
    assert "can't be handed to the workers" in load(applied(folder, with_lock, helpers=helpers), folder).reason


# Pickled by dill in Python 3.12 and 3.9: `scaled`, whose text is SCALED, with a global K = 3; `helped`, with a lambda.
SCALED = """
@on_demand_feature_view(mode="python")
def scaled(inputs):
    return {"scaled": [value * K for value in inputs["value"]]}
"""
HELPED = """
@on_demand_feature_view(mode="python")
def helped(inputs):
    return {"helped": [twice(value) for value in inputs["value"]]}
"""
BODIES = {
    "3.12": [
        (
            "gASVQAEAAAAAAACMCmRpbGwuX2RpbGyUjBBfY3JlYXRlX2Z1bmN0aW9ulJOUKGgAjAxfY3JlYXRlX2NvZGWUk5QoQwICAZRLAUsASwBLAksG"
            "SwNDRJcAZAF8AGQCGQAAAEQAjwFjAmcAYwJdCwAAfQF8AXQAAAAAAAAAAAB6BQAAkQKMDQQAYwJ9AWkBUwBjAgEAYwJ9AXcAlE6MBnNjYWxl"
            "ZJSMBXZhbHVllIeUjAFLlIWUjAZpbnB1dHOUaAiGlIwIPHN0cmluZz6UaAdoB0sBQyOAANgMFKhmsFepb9YWPqBVkHWccZN50hY+0As/0AQ/"
            "+dIWPpRDBIkQHQaUKSl0lFKUfZSMCF9fbmFtZV9flIwIX19tYWluX1+Uc2gHTk50lFKUfZR9lIwPX19hbm5vdGF0aW9uc19flH2Uc4aUYmgT"
            "aApLA3MwLg=="
        ),
        (
            "gASVvQEAAAAAAACMCmRpbGwuX2RpbGyUjBBfY3JlYXRlX2Z1bmN0aW9ulJOUKGgAjAxfY3JlYXRlX2NvZGWUk5QoQwICAZRLAUsASwBLAksH"
            "SwNDSJcAZAF8AGQCGQAAAEQAjwFjAmcAYwJdDQAAfQF0AQAAAAAAAAAAfAGrAQAAAAAAAJECjA8EAGMCfQFpAVMAYwIBAGMCfQF3AJROjAZo"
            "ZWxwZWSUjAV2YWx1ZZSHlIwFdHdpY2WUhZSMBmlucHV0c5RoCIaUjAg8c3RyaW5nPpRoB2gHSwJDI4AA2AwUsBa4B7Ef1hZBqAWUdZhVlXzS"
            "FkHQC0LQBEL50hZBlEMEiRIfBpQpKXSUUpR9lIwIX19uYW1lX1+UjAhfX21haW5fX5RzaAdOTnSUUpR9lH2UjA9fX2Fubm90YXRpb25zX1+U"
            "fZRzhpRiaBOMBXR3aWNllGgCKGgEKEMAlEsBSwBLAEsBSwJLA0MMlwB8AGQBegUAAFMAlE5LAoaUKYwBdpSFlGgOjAg8bGFtYmRhPpRoI0sB"
            "QwqAAJAhkGGRJYAAlGgeKSl0lFKUfZRoFGgVc2gjTk50lFKUfZR9lGgafZRzhpRiczAu"
        ),
    ],
    "3.9": [
        (
            "gASVSgEAAAAAAACMCmRpbGwuX2RpbGyUjBBfY3JlYXRlX2Z1bmN0aW9ulJOUKGgAjAxfY3JlYXRlX2NvZGWUk5QoSwFLAEsASwFLBEtDQxZk"
            "AWQCZAOEAHwAZAQZAEQAgwFpAVMAlChOjAZzY2FsZWSUaAQoSwFLAEsASwJLBEtTQxRnAHwAXQx9AXwBdAAUAJECcQRTAJQpjAFLlIWUjAIu"
            "MJSMBXZhbHVllIaUjAg8c3RyaW5nPpSMCjxsaXN0Y29tcD6USwJDAJQpKXSUUpSMGnNjYWxlZC48bG9jYWxzPi48bGlzdGNvbXA+lGgLdJQp"
            "jAZpbnB1dHOUhZRoDWgGSwFDAgABlCkpdJRSlH2UjAhfX25hbWVfX5SMCF9fbWFpbl9flHNoBk5OdJRSlH2UfZSMD19fYW5ub3RhdGlvbnNf"
            "X5R9lHOGlGJoGWgISwNzMC4="
        ),
        (
            "gASVrQEAAAAAAACMCmRpbGwuX2RpbGyUjBBfY3JlYXRlX2Z1bmN0aW9ulJOUKGgAjAxfY3JlYXRlX2NvZGWUk5QoSwFLAEsASwFLBEtDQxZk"
            "AWQCZAOEAHwAZAQZAEQAgwFpAVMAlChOjAZoZWxwZWSUaAQoSwFLAEsASwJLBEtTQxRnAHwAXQx9AXQAfAGDAZECcQRTAJQpjAV0d2ljZZSF"
            "lIwCLjCUjAV2YWx1ZZSGlIwIPHN0cmluZz6UjAo8bGlzdGNvbXA+lEsDQwCUKSl0lFKUjBpoZWxwZWQuPGxvY2Fscz4uPGxpc3Rjb21wPpRo"
            "C3SUKYwGaW5wdXRzlIWUaA1oBksCQwIAAZQpKXSUUpR9lIwIX19uYW1lX1+UjAhfX21haW5fX5RzaAZOTnSUUpR9lH2UjA9fX2Fubm90YXRp"
            "b25zX1+UfZRzhpRiaBmMBXR3aWNllGgCKGgEKEsBSwBLAEsBSwJLQ0MIfABkARQAUwCUTksChpQpjAF2lIWUaA2MCDxsYW1iZGE+lEsBaA8p"
            "KXSUUpR9lGgaaBtzaChOTnSUUpR9lH2UaCB9lHOGlGJzMC4="
        ),
    ],
}


def stored(name: str, body: str, text: str) -> FunctionSource:
    """A function out of a registry that another Python has written."""
    content = base64.b64decode(body)
    return FunctionSource(digest_of(content), name, content, text)


@pytest.mark.parametrize("version", BODIES)
def test_another_python_s_bytecode_is_never_run(version: str) -> None:
    """It would crash the worker. The text does instead, with the globals that dill kept."""
    loaded = load(stored("scaled", BODIES[version][0], SCALED), None)
    assert unpickled(loaded.function)(VALUES) == {"scaled": [3.0, 12.0]}


@pytest.mark.parametrize("version", BODIES)
def test_another_python_s_helpers_have_no_text(version: str) -> None:
    """So there is no function, and the reason says what to do."""
    loaded = load(stored("helped", BODIES[version][1], HELPED), None)
    assert loaded.function == b""
    assert "applied with another version of Python: run feast apply with Python 3." in loaded.reason


def broken(text: str, name: str = "derived") -> FunctionSource:
    """A function of which only the text can be read."""
    return FunctionSource(digest_of(text.encode()), name, b"no pickle", textwrap.dedent(text))


def test_a_function_is_rebuilt_from_its_text_as_a_last_resort(folder: Path) -> None:
    """With what stock gives it, and what the repository's file that defines it has; its owner is told."""
    stock = """
        @on_demand_feature_view(schema=[Unknown])
        def derived(inputs: pd.DataFrame) -> "Unknown":
            return {"y": [float(np.sqrt(value)) for value in inputs["value"]]}
    """
    loaded = load(broken(stock), None)
    assert unpickled(loaded.function)(VALUES) == {"y": [1.0, 2.0]}
    assert "was rebuilt from its source text" in loaded.note
    own = """
        def derived(inputs):
            return {"y": [value * SCALE for value in inputs["value"]]}
    """
    write(folder, {"features.py": "SCALE = 4\n" + textwrap.dedent(own)})
    assert unpickled(load(broken(own), folder).function)(VALUES) == {"y": [4.0, 16.0]}


def test_a_text_that_uses_unknown_names_is_not_served(folder: Path) -> None:
    """Stock would serve it, and fail at each request."""
    text = """
        def derived(inputs):
            return {"y": [value * SCALE + min(inputs["value"]) + OFFSET for value in inputs["value"]]}
    """
    loaded = load(broken(text), folder)
    assert loaded.function == b""
    assert "uses OFFSET, SCALE" in loaded.reason


def test_what_is_no_function_is_not_served() -> None:
    """Such as a body of nothing, or of something else."""
    assert "isn't in the registry" in load(FunctionSource("1", "derived", b""), None).reason
    assert "is a int and not a function" in load(FunctionSource("2", "derived", pickle.dumps(1)), None).reason


def differences(caplog: pytest.LogCaptureFixture) -> int:
    """How often it was said that the repository differs."""
    return sum("differs from the registry's, which is served; run feast apply" in message for message in caplog.messages)


DECORATED = """
    from decorators import on_demand_feature_view

    @on_demand_feature_view(mode="python")
    def derived(inputs):
        return {"y": [value + 1 for value in inputs["value"]]}
"""
DECORATORS = "def on_demand_feature_view(**options):\n    return lambda function: function"


def test_a_repository_that_differs_is_told_once(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """And again when it differs anew; spaces, comments and the decorator's arguments are no difference. The registry wins."""
    views = {"derived": applied(folder, DECORATED, decorators=DECORATORS)}
    loader = FunctionLoader(folder)
    first = loader.load(views)
    write(folder, {"features.py": DECORATED.replace("inputs):", "inputs):  # a comment\n").replace('mode="python"', "tags={}")})
    loader.load(views)
    assert differences(caplog) == 0
    for text in (DECORATED.replace("+ 1", "+ 2"), DECORATED.replace("+ 1", "+ 3"), DECORATED, DECORATED.replace("+ 1", "+ 2")):
        write(folder, {"features.py": text})
        assert loader.load(views)["derived"].function == first["derived"].function
        loader.load(views)
    assert differences(caplog) == 2


def test_a_function_goes_by_the_name_of_its_view(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where the decorator says it, another function of the same name is no difference."""
    named = DECORATED.replace('mode="python"', 'name="margin"')
    views = {"margin": applied(folder, named, decorators=DECORATORS)}
    write(folder, {"another.py": "def derived(inputs):\n    return None"})
    loader = FunctionLoader(folder)
    loader.load(views)
    assert differences(caplog) == 0
    write(folder, {"features.py": named.replace("+ 1", "+ 2")})
    loader.load(views)
    assert differences(caplog) == 1


def test_helpers_are_those_of_the_files_as_they_are(folder: Path) -> None:
    """The registry has but their names. A file in the middle of a change doesn't stop what could be loaded before."""
    views = {"derived": applied(folder, WITH_HELPER)}
    loader = FunctionLoader(folder)

    def result() -> Any:
        return unpickled(loader.load(views)["derived"].function)({"value": [1]})["y"]

    assert result() == [2]
    write(folder, {"features.py": WITH_HELPER.replace("value + 1", "value + 5")})
    assert result() == [6]
    write(folder, {"features.py": "half a fi("})
    assert result() == [6]
    write(folder, {"features.py": WITH_HELPER.replace("value + 1", "value + 7")})
    assert result() == [8]


def test_what_a_module_has_is_what_the_file_says(folder: Path) -> None:
    """Dill keeps a module's constants, too, but not its functions: a mixture of then and now would be neither."""
    text = """
        import rates

        def derived(inputs):
            return {"y": [value * rates.RATE for value in inputs["value"]]}
    """
    source = applied(folder, text, rates="RATE = 2")
    write(folder, {"rates.py": "RATE = 3"})
    assert unpickled(load(source, folder).function)(VALUES) == {"y": [3.0, 12.0]}


def test_a_function_that_is_kept_by_name_alone_is_still_the_registry_s(folder: Path) -> None:
    """Of a function that no decorator was put on dill keeps but the name; the text is what was applied."""
    text = """
        SCALE = 2

        def derived(inputs):
            return {"y": [value * SCALE for value in inputs["value"]]}
    """
    source = applied(folder, text)
    by_name = msgspec.structs.replace(source, body=b"cfeatures\nderived\n.")
    write(folder, {"features.py": textwrap.dedent(text).replace("* SCALE", "+ SCALE")})
    assert unpickled(load(by_name, folder).function)(VALUES) == {"y": [2.0, 8.0]}


def test_a_plan_is_tried_out() -> None:
    """One that this pyarrow can run is handed on as it is, another isn't."""
    good = plan("add:fp64_fp64")
    plans = {"good": good, "unknown": plan("fold:fp64_fp64"), "broken": b"?"}
    sources = {name: FunctionSource(name, "substrait", content, plan=True) for name, content in plans.items()}
    loaded = FunctionLoader(None).load(sources)
    assert loaded["good"].function == good
    assert "is a plan that pyarrow can't run here" in loaded["unknown"].reason
    assert "is a plan that pyarrow can't run here" in loaded["broken"].reason


def test_a_thousand_functions(folder: Path) -> None:
    """In one go, and only once. Tests never assert wall-clock times; CPU seconds of the child are what a thousand cost."""
    source = applied(folder, SELF_CONTAINED)
    views = {
        f"view_{number}": msgspec.structs.replace(source, digest=str(number), text=f"{source.text}# {number}")
        for number in range(1000)
    }
    loader = FunctionLoader(folder)
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    loaded = loader.load(views)
    assert not [each.reason for each in loaded.values() if each.reason]
    assert loader.load(views) == loaded
    # A reading may take 30 s; what stands here is what is wrong in kind.
    spent = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
    assert spent < 10


@functools.lru_cache(maxsize=7)
def remembered(number: int) -> int:
    """A helper with a cache."""
    return number + 1


def test_a_helper_with_a_cache_is_carried_along() -> None:
    """Pickle would look it up by its name."""
    module = sys.modules[__name__]
    cloudpickle.register_pickle_by_value(module)
    try:
        data = pickle_by_value(lambda number: remembered(number) + remembered(number), "some function")
    finally:
        cloudpickle.unregister_pickle_by_value(module)
    code = (
        "import pickle, sys; f = pickle.load(sys.stdin.buffer); print(f(3), f.__globals__['remembered'].cache_info());"
        "assert not any(name.startswith('service') for name in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, check=True, cwd="/")
    assert done.stdout.decode().strip() == "8 CacheInfo(hits=1, misses=1, maxsize=7, currsize=1)"
