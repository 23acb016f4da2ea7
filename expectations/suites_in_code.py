"""What the data have to look like: every suite of the project, as data. create_expectations.py writes them to suites/."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Expect:
    """One expectation: its type without `expect_`, why it stands there, and its arguments."""

    type: str
    notes: str
    kwargs: dict[str, Any]
    severity: str = "critical"


@dataclass(frozen=True, slots=True)
class Suite:
    """What it judges, who looks after it, and what it expects."""

    notes: str
    meta: dict[str, str]
    expectations: list[Expect] = field(default_factory=list)


def expect(type_: str, notes: str, severity: str = "critical", **kwargs: Any) -> Expect:
    """An expectation, on one line where it fits."""
    return Expect(type_, notes, kwargs, severity)


CUSTOMER_COLUMNS = ["customer_id", "tenure_months", "monthly_charges", "total_charges", "contract_type", "churn"]

SUITES = {
    "customer_data_suite": Suite(
        "What an export of customer data (s3://data/customer_data.csv) must hold before anything is trained on it. "
        "It judges whole files: single rows and samples fail its row count.",
        {"owner": "data-quality-team"},
        [
            expect(
                "table_columns_to_match_ordered_list",
                "The export's header; the training job reads columns by position.",
                column_list=CUSTOMER_COLUMNS,
            ),
            expect(
                "table_row_count_to_be_between",
                "Fewer rows are an export that broke off, more are several in one file.",
                min_value=1000,
                max_value=1_000_000,
            ),
            expect("column_values_to_not_be_null", "The join key.", column="customer_id"),
            expect("column_values_to_be_unique", "A row a customer.", column="customer_id"),
            expect(
                "column_values_to_be_between",
                "Whole months since sign-up, ten years at most.",
                column="tenure_months",
                min_value=0,
                max_value=120,
            ),
            expect("column_values_to_be_between", "Euros a month.", column="monthly_charges", min_value=0, max_value=500),
            expect(
                "column_values_to_be_in_set",
                "The contracts on sale.",
                column="contract_type",
                value_set=["Month-to-month", "One year", "Two year"],
            ),
            expect("column_values_to_be_in_set", "The label: 1 has left.", column="churn", value_set=[0, 1]),
            expect(
                "column_mean_to_be_between",
                "A mean outside says that a currency or a join is wrong, even where each value is possible.",
                column="monthly_charges",
                min_value=50,
                max_value=80,
            ),
            expect(
                "column_proportion_of_unique_values_to_be_between",
                "The same as uniqueness, as a share that can be compared between exports.",
                column="customer_id",
                min_value=0.99,
                max_value=1.0,
            ),
        ],
    ),
    "enriched_data_suite": Suite(
        "What customer data must hold once features have been joined to them (s3://data/enriched_data.parquet), before a model "
        "is trained. It judges what the enrichment adds; the rest was judged by customer_data_suite.",
        {"owner": "data-quality-team"},
        [
            expect("column_to_exist", "From customer_stats.", column="loyalty_score"),
            expect("column_to_exist", "From transaction_stats.", column="txn_count_7d"),
            expect("column_to_exist", "The moment for which features were joined.", column="event_timestamp"),
            expect("column_values_to_not_be_null", "The join key.", column="customer_id"),
            expect("column_values_to_not_be_null", "Without it nobody can join anew.", column="event_timestamp"),
            expect(
                "column_values_to_not_be_null",
                "New customers, and those whose last order is past the ttl, have none; more are a join that found nothing.",
                column="loyalty_score",
                mostly=0.8,
            ),
            expect(
                "column_values_to_not_be_null",
                "Customers without a card, and those past the ttl, have none; more are a join that found nothing.",
                column="txn_count_7d",
                mostly=0.8,
            ),
            expect(
                "column_values_to_be_between", "0 (may leave) to 1 (loyal).", column="loyalty_score", min_value=0, max_value=1
            ),
            expect(
                "column_values_to_be_between",
                "A count; beyond two a minute somebody counted something else.",
                column="txn_count_7d",
                min_value=0,
                max_value=20_160,
            ),
        ],
    ),
    "customer_push_suite": Suite(
        "What a row pushed to customer_push_source must hold before it is written to the online store. Every expectation "
        "judges rows, none the batch: a push may be one row or thousands. Nulls pass, as in the offline data, except in the "
        "join key.",
        {"owner": "customer-analytics", "push_source": "customer_push_source"},
        [
            expect("column_values_to_not_be_null", "The join key: a row without it belongs to nobody.", column="customer_id"),
            expect(
                "column_values_to_be_between",
                "The shop counts customers from 1; 0 and less come from empty forms and failed lookups.",
                column="customer_id",
                min_value=1,
            ),
            expect(
                "column_values_to_be_between",
                "Whole months since sign-up. A hundred years is more than any customer has; beyond it somebody pushed days.",
                column="tenure_months",
                min_value=0,
                max_value=1200,
            ),
            expect("column_values_to_be_between", "Paid orders since sign-up, a count.", column="total_purchases", min_value=0),
            expect(
                "column_values_to_be_between",
                "Sum of paid orders in euros. Refunds are taken off the orders, never below nothing.",
                column="total_spend",
                min_value=0,
            ),
            expect(
                "column_values_to_be_between",
                "total_spend / total_purchases in euros; null for a customer without orders.",
                column="avg_purchase_value",
                min_value=0,
            ),
            expect(
                "column_values_to_be_in_set",
                "The models know these four; null until the nightly job has worked the segment out.",
                column="customer_segment",
                value_set=["bronze", "silver", "gold", "platinum"],
            ),
            expect(
                "column_values_to_be_between",
                "0 (may leave) to 1 (loyal); a score of percents is a hundred times too high.",
                column="loyalty_score",
                min_value=0,
                max_value=1,
            ),
        ],
    ),
}
