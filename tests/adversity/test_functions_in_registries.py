"""On-demand views from `feast apply` to what a worker gets: each kind of registry, each kind of view, each kind of trouble."""

import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from feast import Field, OnDemandFeatureView, RequestSource
from feast.transformation.python_transformation import PythonTransformation
from feast.types import Float64

from service.catalog import definitions
from service.catalog.computations import compute, settle
from service.catalog.configuration import load_config
from service.catalog.definitions import ComputationDefinition, FeatureDefinition, ProjectionDefinition, ViewDefinition
from service.catalog.listing import render_listing
from service.catalog.registry import RegistryReader
from tests.servers.functions import run_like_a_worker
from tests.servers.plans import plan

from .derived_repo import BALANCES, EXPECTED, REGISTRIES, feast_apply, write_repository, yaml_of

MISSING = {"of_vanishing", "written_by_vanishing"}
# Reads the same registry and prints its digest.
_READ = """
import hashlib, sys
from pathlib import Path
from service.catalog.configuration import load_config
from service.catalog.registry import RegistryReader
print(hashlib.sha256(RegistryReader(load_config(Path(sys.argv[1]))).read()).hexdigest())
"""


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository as it was when it was applied, but for the module `vanishing`, which is gone since."""
    folder = tmp_path_factory.mktemp("derived")
    write_repository(folder, plan("add:fp64_fp64"))
    feast_apply(folder)
    (folder / "vanishing.py").unlink()
    # Nobody should need it.
    features = (folder / "features.py").read_text()
    (folder / "features.py").write_text(features.replace("import vanishing\n", ""))
    return folder


@pytest.fixture(scope="module")
def readings(applied: Path) -> dict[str, bytes]:
    """What the definitions process reads of each kind of registry."""
    return {kind: RegistryReader(load_config(yaml_of(applied, kind))).read() for kind in REGISTRIES}


@pytest.fixture(params=REGISTRIES)
def raw(request: pytest.FixtureRequest, readings: Mapping[str, bytes]) -> bytes:
    """One of them."""
    return readings[request.param]


@pytest.fixture
def views(raw: bytes) -> dict[str, ViewDefinition]:
    """Its views by name."""
    return decoded(raw)


def decoded(raw: bytes) -> dict[str, ViewDefinition]:
    """All views by name, earlier versions too."""
    return {name: definitions.decode_view(view) for name, view in definitions.decode_catalog(raw).views.items()}


def computation(view: ViewDefinition) -> ComputationDefinition:
    """Of a view that has one."""
    assert view.computation is not None
    return view.computation


def test_functions_keep_what_they_use(views: Mapping[str, ViewDefinition], tmp_path: Path) -> None:
    """In a process without the repository, Feast and dill they give what they gave in the repository; versions, too."""
    for suffix in ("", "@v0"):
        found = {name: views[name + suffix] for name in EXPECTED}
        assert {name: view.unservable for name, view in found.items()} == dict.fromkeys(EXPECTED, "")
        given = run_like_a_worker(
            {
                name: (
                    computation(view).function,
                    {"balance": BALANCES[0] if computation(view).singleton else BALANCES},
                )
                for name, view in found.items()
            },
            tmp_path,
        )
        assert given == {name: {"y": values} for name, values in EXPECTED.items()}


def test_modes_and_names(views: Mapping[str, ViewDefinition]) -> None:
    """As the repository has them; a function isn't always called like its view."""
    found = {
        name: computation(views[name]) for name in ("of_global", "of_closure", "of_other_file", "pandas_of_helper", "planned")
    }
    assert {name: (each.mode, each.singleton, each.function_name) for name, each in found.items()} == {
        "of_global": ("python", False, "of_global"),
        "of_closure": ("python", False, "closed"),
        "of_other_file": ("python", True, "of_other_file"),
        "pandas_of_helper": ("pandas", False, "pandas_of_helper"),
        "planned": ("substrait", False, "substrait"),
    }
    assert found["planned"].function == plan("add:fp64_fp64")
    assert {views[name].kind for name in found} == {definitions.ON_DEMAND}
    assert all(views[name].computed for name in found)


def test_sources_and_request_data(views: Mapping[str, ViewDefinition]) -> None:
    """Projections with alias and join-key map, request sources in a fixed order, and the fields of an input_schema."""
    sources = computation(views["of_sources"])
    assert sources.sources == [ProjectionDefinition("profile", ["spend"], "buyer", join_key_map={"customer_id": "buyer_id"})]
    assert sources.request == [
        FeatureDefinition("discount", "DOUBLE"),
        FeatureDefinition("balance", "DOUBLE"),
        FeatureDefinition("day", "INT64"),
    ]
    assert views["of_sources"].tags == {"row_wise": "true"}
    schema = computation(views["of_input_schema"])
    assert (schema.sources, schema.request) == ([], [FeatureDefinition("threshold", "DOUBLE")])


def test_a_view_that_is_computed_when_it_is_written(views: Mapping[str, ViewDefinition]) -> None:
    """Is a stored view to readers: its entities, its own name, for ever; the function is there for pushes."""
    view = views["written"]
    assert [(each.name, each.join_key, each.value_type) for each in view.entities] == [("customer", "customer_id", "INT64")]
    assert [feature.name for feature in view.features] == ["doubled"]
    assert (view.store_name, view.ttl_nanoseconds, view.timestamp_field) == ("written", 0, "event_timestamp")
    assert computation(view).on_write
    assert not view.computed
    assert computation(view).sources == [ProjectionDefinition("profile", ["visits", "spend"])]
    assert views["of_global"].entities == []
    assert views["of_global"].timestamp_field == ""


def test_what_cannot_be_computed_says_why(views: Mapping[str, ViewDefinition]) -> None:
    """Which module is missing, what isn't done online; what is only read needs no function; all else is served."""
    assert {name for name, view in views.items() if view.unservable and "@" not in name} == {"of_vanishing", "aggregated"}
    assert views["of_vanishing"].unservable.startswith(
        "On-demand feature view of_vanishing can't be computed: its function of_vanishing needs the module vanishing, which "
    )
    assert "has aggregations, and these aren't computed when features are read" in views["aggregated"].unservable
    assert views["written_by_vanishing"].unservable == ""
    assert computation(views["written_by_vanishing"]).function == b""


def test_the_catalog_lists_how_features_come_about(raw: bytes) -> None:
    """For those who ask for them: mode, inputs, what a request has to bring."""
    listed = {view["name"]: view for view in json.loads(render_listing(definitions.decode_catalog(raw)))["feature_views"]}
    assert listed["of_sources"]["on_demand"] == {
        "mode": "python",
        "singleton": False,
        "sources": ["buyer:spend"],
        "request_data": [
            {"name": "discount", "type": "DOUBLE"},
            {"name": "balance", "type": "DOUBLE"},
            {"name": "day", "type": "INT64"},
        ],
        "write_to_online_store": False,
    }
    assert listed["of_sources"]["servable"]
    assert listed["written"]["on_demand"]["write_to_online_store"]
    assert not listed["of_vanishing"]["servable"]
    assert "vanishing" in listed["of_vanishing"]["reason"]
    assert listed["profile"]["on_demand"] is None


def test_the_same_registry_gives_the_same_bytes(applied: Path, readings: Mapping[str, bytes]) -> None:
    """In a fresh process with another hash seed, so that a restart is no change; and whatever the kind of registry."""
    printed = subprocess.run(
        [sys.executable, "-c", _READ, str(yaml_of(applied, "sql"))],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "1"},
    )
    assert printed.stdout.strip() == hashlib.sha256(readings["sql"]).hexdigest(), printed.stderr
    assert readings["sql"] == readings["file"]


def test_a_changed_repository_is_told_and_the_registry_served(
    applied: Path, readings: Mapping[str, bytes], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Until it is applied; helpers in other files are the repository's at once."""
    folder = tmp_path / "repository"
    shutil.copytree(applied, folder)
    features = (folder / "features.py").read_text()
    configuration = yaml_of(folder, "file")
    configuration.write_text(configuration.read_text().replace(str(applied), str(folder)))
    reader = RegistryReader(load_config(configuration))
    (folder / "features.py").write_text(features.replace("value * SCALE", "value * SCALE + 100"))
    rates = folder / "parts" / "rates.py"
    rates.write_text(rates.read_text().replace("0.25", "0.75"))
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            after = decoded(reader.read())
    said = [message for message in caplog.messages if "differs from the registry's, which is served" in message]
    assert len(said) == 1
    assert "of_global" in said[0]
    assert after["of_global"] == decoded(readings["file"])["of_global"]
    results = run_like_a_worker({"of_other_file": (computation(after["of_other_file"]).function, {"balance": 4.0})}, tmp_path)
    assert results == {"of_other_file": {"y": 3.0}}


def test_without_the_repository_s_files(applied: Path, tmp_path: Path) -> None:
    """What is in the registry is served: all but what uses helpers that Feast keeps by name."""
    configuration = tmp_path / "feature_store.yaml"
    configuration.write_text(yaml_of(applied, "sql").read_text())
    views = decoded(RegistryReader(load_config(configuration)).read())
    unservable = {name: view.unservable for name, view in views.items() if view.unservable and "@" not in name}
    assert set(unservable) == {"of_helper", "pandas_of_helper", "of_other_file", "of_vanishing", "aggregated"}
    assert "needs the module features, which is neither installed here nor in" in unservable["of_helper"]


def test_a_view_needs_its_sources(views: Mapping[str, ViewDefinition]) -> None:
    """One whose source is gone, lacks a feature or can't be served says which."""
    profile, of_sources = views["profile"], views["of_sources"]
    closed = msgspec.structs.replace(profile, unservable="Feature view profile is disabled.")
    fewer = msgspec.structs.replace(profile, features=profile.features[:1])
    reasons: list[Any] = [
        settle({"of_sources": of_sources, **others})["of_sources"].unservable
        for others in ({"profile": profile}, {}, {"profile": closed}, {"profile": fewer})
    ]
    assert reasons == [
        "",
        "On-demand feature view of_sources needs feature view profile, which isn't there or isn't versioned.",
        "On-demand feature view of_sources needs feature view profile. Feature view profile is disabled.",
        "On-demand feature view of_sources needs profile:spend, which the registry doesn't have.",
    ]


def test_modes_and_registries_that_are_not_served() -> None:
    """A mode of another engine's, and a view of an old registry, which has its function elsewhere: both say so."""

    def view_of(mode: str) -> OnDemandFeatureView:
        return OnDemandFeatureView(
            name="derived",
            sources=[RequestSource(name="asked", schema=[Field(name="balance", dtype=Float64)])],
            schema=[Field(name="y", dtype=Float64)],
            mode=mode,
            feature_transformation=PythonTransformation(udf=len, udf_string=""),
        )

    spark = compute(view_of("spark"), None)
    assert spark.definition is None
    assert spark.unservable == "On-demand feature view derived is of mode spark; pandas, python, substrait are served."
    old = compute(view_of("python"), None)
    assert old.unservable == "On-demand feature view derived has no function in the registry: run feast apply."
