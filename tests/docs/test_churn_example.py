"""examples/churn.py goes the whole way, again and again, and says in a sentence what isn't there."""

import re
import subprocess
import sys
from collections.abc import Mapping

from .conftest import ROOT, Site

STEPS = ["apply", "materialize", "training set", "train", "serve", "push", "predict again", "validate", "push a bad row"]
PREDICTED = re.compile(r"(\d+) leaves with a probability of ([\d.]+)%, no longer ([\d.]+)%")


def run(environment: Mapping[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    """The script, as its first lines say it is run."""
    command = [sys.executable, str(ROOT / "examples/churn.py"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)


def test_the_whole_way_twice(site: Site) -> None:
    """Every step says what came of it; the pushed customer's prediction follows the push."""
    customers = set()
    for _ in range(2):
        done = run(site.environment, "--url", site.url)
        assert done.returncode == 0, done.stderr
        lines = [re.split(r"  +", line.strip(), maxsplit=1) for line in done.stdout.splitlines()]
        assert [step for step, _ in lines] == STEPS
        said = dict(map(tuple, lines))
        assert said["materialize"].startswith("20,000 rows of ")
        assert said["training set"].startswith("4,000 rows of 10 columns")
        score = float(said["train"].rsplit(" ", 1)[1])
        assert score > 0.7
        ((customer, after, before),) = PREDICTED.findall(said["predict again"])
        assert float(after) > 50 > float(before)
        assert said["validate"] == "the row as it was: good; with a loyalty_score of 1.85: bad"
        assert said["push a bad row"].startswith("0 written, 1 in quarantine: loyalty_score must be")
        customers.add(customer)
    # What was pushed stays newest: materializing again didn't bring back what the file has.
    assert len(customers) == 2


def test_what_isnt_there_is_said(site: Site) -> None:
    """In one line, and 2."""
    without = {name: value for name, value in site.environment.items() if name != "FEAST_FS_YAML_FILE_PATH"}
    for done, words in (
        (run(without), "start `make serve`, then `. .local/environment`"),
        (run(site.environment, "--url", "http://127.0.0.1:9"), "Connection refused"),
    ):
        assert done.returncode == 2
        assert words in done.stderr
        assert len(done.stderr.splitlines()) == 1
