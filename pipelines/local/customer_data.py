"""An export of customer data, as customer_data_suite wants it, of the customers in the local sample.

`python -m pipelines.local.customer_data PATH [--rows N] [--seed N] [--bad]`
"""

import argparse
import csv
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.local.sample import CUSTOMERS, FIRST_CUSTOMER_ID

COLUMNS = ("customer_id", "tenure_months", "monthly_charges", "total_charges", "contract_type", "churn")
CONTRACTS = np.array(["Month-to-month", "One year", "Two year"])
CONTRACT_SHARES = (0.55, 0.24, 0.21)
# Fewer customers leave where a contract binds them: added to the log odds.
CONTRACT_LOYALTY = np.array([0.0, -1.3, -2.4])
MEAN_CHARGE, CHARGE_SPREAD, SMALLEST_CHARGE, LARGEST_CHARGE = 64.0, 18.0, 18.0, 480.0
LONGEST_TENURE = 72
# One row in so many is spoilt in each way.
SPOILT = 50
DEFAULT_ROWS, DEFAULT_SEED = 2_000, 7

Floats = NDArray[np.float64]


def write_customer_data(path: Path, rows: int = DEFAULT_ROWS, seed: int = DEFAULT_SEED, bad: bool = False) -> None:
    """Write `rows` customers (1,000 to 10,000, ids from 1001) as csv. The same arguments give the same bytes.

    With `bad`, one row in fifty each has a negative charge, a contract that isn't on sale, a churn of 2, and no customer_id.
    """
    if not 1_000 <= rows <= CUSTOMERS:
        raise ValueError(f"rows from 1,000 (customer_data_suite) to {CUSTOMERS:,} (the sample's customers), not {rows}")
    random = np.random.default_rng(seed)
    tenure = random.integers(0, LONGEST_TENURE + 1, rows)
    drawn: Floats = random.normal(MEAN_CHARGE, CHARGE_SPREAD, rows)
    charges: Floats = np.round(np.minimum(np.maximum(drawn, SMALLEST_CHARGE), LARGEST_CHARGE), 2).astype(np.float64)
    total: Floats = np.round(charges * tenure * random.uniform(0.95, 1.05, rows), 2)
    contract = random.choice(len(CONTRACTS), rows, p=CONTRACT_SHARES)
    odds: Floats = 0.2 - 0.05 * tenure + 0.02 * (charges - MEAN_CHARGE) + CONTRACT_LOYALTY[contract]
    churn = (random.random(rows) < 1 / (1 + np.exp(-odds))).astype(int)
    ids = [str(number) for number in range(FIRST_CUSTOMER_ID, FIRST_CUSTOMER_ID + rows)]
    contracts = [str(name) for name in CONTRACTS[contract]]
    if bad:
        charges[0::SPOILT] *= -1
        churn[1::SPOILT] = 2
        for row in range(2, rows, SPOILT):
            contracts[row] = "Weekly"
        for row in range(3, rows, SPOILT):
            ids[row] = ""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(zip(ids, tenure.tolist(), charges.tolist(), total.tolist(), contracts, churn.tolist(), strict=True))
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text.getvalue())
    partial.replace(path)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.local.customer_data", description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--rows", type=int, default=DEFAULT_ROWS)
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    parser.add_argument("--bad", action="store_true", help="spoil some rows")
    options = parser.parse_args()
    write_customer_data(options.path, options.rows, options.seed, options.bad)


if __name__ == "__main__":
    main()
