"""The stages of the benchmark: a scenario that is measured at both servers is in one of them."""

from functools import partial

from loadtest.push_stage import push_stage
from loadtest.pushes import TARGETS
from loadtest.read_stage import read_stage
from loadtest.repositories import SAMPLE, WIDE
from loadtest.stage import StageKind

STAGES = (
    *(
        StageKind(one.name, tuple(scenario.name for scenario in one.scenarios(one.ids)), partial(read_stage, one))
        for one in (SAMPLE, WIDE)
    ),
    StageKind("pushes", tuple(f"push-{rows}" for rows in TARGETS), push_stage),
)
