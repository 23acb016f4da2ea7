"""The whole way of a model that says who will leave: from Feast's definitions to predictions on served features.

    make serve                                 # in one shell
    . .local/environment                       # in another one
    .venv/bin/python examples/churn.py

It can be run again and again. The sample has no history of who left, so labels are drawn: the less loyal leave more often.
"""

import argparse
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from feature_client import FeatureClient, FeatureClientError
from pipelines.errors import PipelineError
from pipelines.materialize import materialize
from pipelines.training_set import make_training_set

SERVICE, SOURCE = "churn_model_v1", "customer_push_source"
# What the model sees; the service has the customer's segment beside it, a text.
FEATURES = [
    "tenure_months", "total_purchases", "total_spend", "avg_purchase_value", "loyalty_score", "txn_count_30d", "txn_amount_30d",
]  # fmt: skip
TRAINED = range(1001, 5001)
ASKED = range(5001, 5101)
SEED = 7


def main() -> int:
    """Go the whole way; 0 if it was gone, 2 with one sentence if something isn't there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://localhost:6566", help="where the features are served (default: %(default)s)")
    url = parser.parse_args().url
    try:
        repo, folder = (Path(os.environ[name]) for name in ("FEAST_FS_YAML_FILE_PATH", "FEAST_LOCAL_DIR"))
    except KeyError as missing:
        print(f"churn.py: {missing} isn't set: start `make serve`, then `. .local/environment`.", file=sys.stderr)
        return 2
    try:
        with FeatureClient(url, timeout=10) as client:
            go(repo, folder, client)
    except (PipelineError, FeatureClientError) as error:
        print(f"churn.py: {error}", file=sys.stderr)
        return 2
    return 0


def go(repo: Path, folder: Path, client: FeatureClient) -> None:
    """Each step, with what came of it."""
    client.catalog()  # nothing is begun where nobody serves
    apply(repo)
    now = datetime.now(UTC)
    done = materialize(repo, now - timedelta(days=3 * 365), now)
    say("materialize", f"{done.rows:,} rows of {', '.join(view.view for view in done.views)} in {done.seconds:.1f} s")
    model = train(repo, folder, now)
    served = risks(client, model)
    customer = int(served.idxmin())
    say("serve", f"of {len(served)} customers, {customer} is the least likely to leave: {served[customer]:.1%}")
    row = newest_row(client, customer)
    report = client.push(SOURCE, [row | {"loyalty_score": 0.02}])
    say("push", f"{report.written} row, validated and written: the loyalty_score of {customer} is 0.02 now")
    again = risks(client, model)
    say("predict again", f"{customer} leaves with a probability of {again[customer]:.1%}, no longer {served[customer]:.1%}")
    check(client, row)


def apply(repo: Path) -> None:
    """Write the definitions into the registry, as `feast apply` does."""
    feast = Path(sys.executable).with_name("feast")
    done = subprocess.run([feast, "-c", repo.parent, "-f", repo, "apply"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise PipelineError(f"feast apply failed: {(done.stderr.splitlines() or [''])[-1]}")
    say("apply", f"{repo.parent.name} is in the registry")


def train(repo: Path, folder: Path, moment: datetime) -> Pipeline:
    """Train on the features that each customer had at the moment that its label is about."""
    random = np.random.default_rng(SEED)
    entities = pd.DataFrame({"customer_id": list(TRAINED), "event_timestamp": moment})
    entities.to_parquet(folder / "churn_entities.parquet")
    made = make_training_set(repo, str(folder / "churn_entities.parquet"), SERVICE, str(folder / "churn_training.parquet"))
    say("training set", f"{made.rows:,} rows of {len(made.columns)} columns, as of {moment:%Y-%m-%d %H:%M}")
    frame = pd.read_parquet(made.place)
    odds = 3 - 7 * frame["loyalty_score"].fillna(0.5)
    left = (random.random(len(frame)) < 1 / (1 + np.exp(-odds))).astype(int)
    held_back = len(frame) // 4
    model = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())
    model.fit(frame[FEATURES][held_back:], left[held_back:])
    score = roc_auc_score(left[:held_back], model.predict_proba(frame[FEATURES][:held_back])[:, 1])
    say("train", f"on {len(frame) - held_back:,} customers; area under the curve on {held_back:,} others: {score:.2f}")
    return model


def risks(client: FeatureClient, model: Pipeline) -> "pd.Series[float]":
    """The probability that each customer leaves, by the features that are served now."""
    frame = client.get_online_features(feature_service=SERVICE, entities={"customer_id": list(ASKED)}, as_="pandas")
    return pd.Series(model.predict_proba(frame[FEATURES].astype(float))[:, 1], index=frame["customer_id"])


def newest_row(client: FeatureClient, customer: int) -> dict[str, Any]:
    """What the push source's view has of a customer, as a row to be pushed again, now."""
    names = ["tenure_months", "total_purchases", "total_spend", "avg_purchase_value", "customer_segment", "loyalty_score"]
    answer = client.get_online_features([f"customer_stats:{name}" for name in names], {"customer_id": [customer]})
    values = {name: column[0] for name, column in answer.to_dict().items()}
    now = datetime.now(UTC).isoformat()
    return {"customer_id": customer, **values, "event_timestamp": now, "created_timestamp": now}


def check(client: FeatureClient, row: dict[str, Any]) -> None:
    """Ask the suite of the push source what it says of a good and of a bad row."""
    bad = row | {"loyalty_score": 1.85}
    words = ["good" if client.validate_push(SOURCE, [each]).success else "bad" for each in (row, bad)]
    say("validate", f"the row as it was: {words[0]}; with a loyalty_score of 1.85: {words[1]}")
    report = client.push(SOURCE, [bad])
    (outcome,) = report.outcomes
    say("push a bad row", f"{report.written} written, {report.quarantined} in quarantine: {outcome.reasons[0]}")


def say(step: str, text: str) -> None:
    """A line for a step."""
    print(f"{step:>15}  {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
