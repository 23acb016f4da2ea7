"""The sample customers: the same for the same day, some of them past their ttl."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pipelines.local.layout import CUSTOMER_FILE, GOOD_FOR_DAYS, TRANSACTION_FILE
from pipelines.local.sample import CUSTOMER_TTL_DAYS, TRANSACTION_TTL_DAYS, write_sample

DAY = date(2026, 3, 1)
MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
FILES = [(CUSTOMER_FILE, CUSTOMER_TTL_DAYS), (TRANSACTION_FILE, TRANSACTION_TTL_DAYS)]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the sample data of one day."""
    folder = tmp_path_factory.mktemp("sample")
    write_sample(folder, DAY)
    return folder


def ages(table: pa.Table, at: datetime) -> np.ndarray:
    """Return the age of each row in days at a moment."""
    return np.array([(at - time) / timedelta(days=1) for time in table["event_timestamp"].to_pylist()])


@pytest.mark.parametrize(("name", "ttl_days"), FILES)
def test_ten_thousand_customers_from_1001(sample: Path, name: str, ttl_days: int) -> None:
    """Each file has a row for each customer."""
    assert pq.read_table(sample / name)["customer_id"].to_pylist() == list(range(1001, 11001))


@pytest.mark.parametrize(("name", "ttl_days"), FILES)
def test_the_same_day_gives_the_same_bytes(sample: Path, tmp_path: Path, name: str, ttl_days: int) -> None:
    """Nothing but the day decides what is written."""
    write_sample(tmp_path, DAY)
    assert (tmp_path / name).read_bytes() == (sample / name).read_bytes()


@pytest.mark.parametrize(("name", "ttl_days"), FILES)
def test_about_one_row_in_twenty_is_past_its_ttl(sample: Path, name: str, ttl_days: int) -> None:
    """4 to 6 % are expired, and no row comes from the future."""
    age = ages(pq.read_table(sample / name), MIDNIGHT)
    assert 0.04 < (age > ttl_days).mean() < 0.06
    assert age.min() > 0


@pytest.mark.parametrize(("name", "ttl_days"), FILES)
def test_fresh_rows_stay_fresh_while_the_files_are_good(sample: Path, name: str, ttl_days: int) -> None:
    """On the last day before the files are made anew, the same rows are within their ttl."""
    table = pq.read_table(sample / name)
    now, later = ages(table, MIDNIGHT), ages(table, MIDNIGHT + timedelta(days=GOOD_FOR_DAYS + 1))
    assert ((now > ttl_days) == (later > ttl_days)).all()


def test_averages_are_null_where_there_is_nothing_to_average(sample: Path) -> None:
    """Some customers bought nothing; some scores and segments are unknown."""
    customers = pq.read_table(sample / CUSTOMER_FILE)
    none_bought = pc.equal(customers["total_purchases"], 0)
    assert pc.is_null(customers["avg_purchase_value"]).equals(none_bought)
    assert 0 < customers["loyalty_score"].null_count < 500
    assert 0 < customers["customer_segment"].null_count < 500


def test_the_last_week_is_part_of_the_last_month(sample: Path) -> None:
    """Counts and amounts of 7 days don't exceed those of 30."""
    table = pq.read_table(sample / TRANSACTION_FILE)
    assert pc.all(pc.less_equal(table["txn_count_7d"], table["txn_count_30d"])).as_py()
    assert pc.all(pc.less_equal(table["txn_amount_7d"], table["txn_amount_30d"])).as_py()


def test_rows_are_created_after_their_event_and_before_the_day(sample: Path) -> None:
    """created_timestamp follows event_timestamp."""
    table = pq.read_table(sample / CUSTOMER_FILE)
    assert pc.all(pc.greater(table["created_timestamp"], table["event_timestamp"])).as_py()
    assert pc.max(table["created_timestamp"]).as_py() < MIDNIGHT
