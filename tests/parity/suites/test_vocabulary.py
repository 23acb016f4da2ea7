"""The names that suites use: expectation types, and types of values."""

import great_expectations  # noqa: F401 - registers its expectations
import numpy as np
import pandas as pd
import pytest
from great_expectations.expectations.registry import list_registered_expectation_implementations
from great_expectations.expectations.type_comparison import native_type_type_map

from service.suites.dtypes import BOOL, FLOAT64, INT64, NAIVE_DATETIME, UINT64, datetime_dtype
from service.suites.errors import Uncompilable
from service.suites.known_types import known_types
from service.suites.type_names import resolve

DTYPES = {
    INT64: pd.Series([1]).dtype,
    UINT64: pd.Series([2**63]).dtype,
    FLOAT64: pd.Series([0.5]).dtype,
    BOOL: pd.Series([True]).dtype,
    NAIVE_DATETIME: pd.Series([pd.Timestamp("2024-01-01")]).dtype,
    datetime_dtype("UTC"): pd.Series([pd.Timestamp("2024-01-01", tz="UTC")]).dtype,
}
PYTHON_NAMES = ("none bool int long float bytes complex str string_types list dict unicode NONE Int LONG Float Dict").split()  # noqa: SIM905
OTHER_NAMES = ("string text integer number VARCHAR BIGINT BOOLEAN Int64 datetime64[ns] M8[ns] date 5 ~ int,float").split()  # noqa: SIM905
PANDAS_NAMES = [
    name for module in (pd, pd.core.dtypes.dtypes) for name in dir(module) if isinstance(getattr(module, name), type)
]
NAMES = sorted({*map(str, np.sctypeDict), *PANDAS_NAMES, *PYTHON_NAMES, *OTHER_NAMES})


def test_known_types_are_those_that_gx_registers() -> None:
    """Read from its files, they are what GX itself says when it is imported."""
    assert known_types() == set(list_registered_expectation_implementations())


@pytest.mark.filterwarnings("ignore:Data type alias:DeprecationWarning")
@pytest.mark.parametrize("name", NAMES)
def test_type_names_are_resolved_as_gx_resolves_them(name: str) -> None:
    """Whether a name is a type at all, which dtypes have its class, which equal it, and which Python types it means."""
    try:
        ours = resolve([name])
    except Uncompilable:
        return
    single, several = _as_gx_does(name)
    assert ours.any_resolved == bool(single)
    assert {dtype.name for dtype in DTYPES if ours.are_class_of(dtype)} == {
        dtype.name for dtype, actual in DTYPES.items() if actual.type in single
    }
    assert {dtype.name for dtype in DTYPES if ours.equal(dtype)} == {
        dtype.name for dtype, actual in DTYPES.items() if actual in several
    }
    plain = (1, True, 0.5, "a", b"a", None, [1], {"a": 1}, pd.Timestamp("2024-01-01").to_pydatetime().date())
    assert [isinstance(value, ours.python) for value in plain] == [isinstance(value, tuple(single)) for value in plain]


def _as_gx_does(name: str) -> tuple[list[type], list[object]]:
    """The candidates of expect_column_values_to_be_of_type and to_be_in_type_list."""
    single: list[type] = []
    several: list[object] = []
    try:
        single.append(np.dtype(name).type)
        several += [np.dtype(name).type, np.dtype(name)]
    except TypeError:
        for module in (pd, pd.core.dtypes.dtypes):
            found = getattr(module, name, None)
            if isinstance(found, type):
                single.append(found)
                several.append(found)
    own = list(native_type_type_map(name) or ())
    return single + own, several + own
