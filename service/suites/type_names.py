"""Names of types in expectations, as GX resolves them: numpy's, some of pandas', and Python's.

Source: `_validate_pandas` and the metrics of expect_column_values_to_be_of_type and to_be_in_type_list, and
`native_type_type_map` in GX's expectations/type_comparison.py. A name is first one of numpy's dtypes; one of pandas' classes
only when numpy doesn't know it; and besides a Python type, if it is the name of one.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from types import NoneType

from service.suites.dtypes import BOOL, FLOAT64, INT64, NAIVE_DATETIME, UINT64, Dtype
from service.suites.errors import Uncompilable

# numpy's names of the dtypes that a column can have (numpy 2 on a 64-bit Unix), and of those that have the same class.
_SAME_CLASS = {
    INT64.name: ("int64", "int", "int_", "intp", "long", "i8", "l", "n", "p"),
    UINT64.name: ("uint64", "uint", "uintp", "ulong", "u8", "L", "N", "P"),
    FLOAT64.name: ("float64", "float", "double", "f8", "d"),
    BOOL.name: ("bool", "bool_", "b1", "?"),
    NAIVE_DATETIME.name: ("datetime64[ns]", "M8[ns]", "datetime64", "datetime64[us]", "datetime64[s]", "M8", "M"),
}
_CLASS_OF = {name: dtype for dtype, names in _SAME_CLASS.items() for name in names}
# Names whose dtype equals that of a column, without being of its class; and those of its class without being equal.
_EQUAL_ONLY = {"longlong": INT64.name, "q": INT64.name, "ulonglong": UINT64.name, "Q": UINT64.name}
_CLASS_ONLY = {"datetime64", "datetime64[us]", "datetime64[s]", "M8", "M"}
# Names of other dtypes of numpy, and of classes of pandas: resolved, but to what no value from JSON or a file is.
_OTHER_NUMPY = re.compile(
    r"""u?int(8|16|32) | [iu][124] | u?(byte|short|intc) | [bBhHiI]
    | float(16|32|128) | f[24] | half | single | longdouble | [efg]
    | complex(64|128)? | c(single|double|8|16) | [FD] | (str|bytes)_? | unicode | [USaV] | object_? | O | void
    | timedelta64(\[ns\])? | m8? """,
    re.VERBOSE,
)
_PANDAS = re.compile(
    r"""Timestamp | Timedelta | Period | Interval | Categorical
    | (Categorical|DatetimeTZ|Period|Interval|Sparse|Arrow|String|Boolean|U?Int(8|16|32|64)|Float(32|64))Dtype""",
    re.VERBOSE,
)
_PYTHON_IN_ANY_CASE: dict[str, type] = {
    "none": NoneType,
    "bool": bool,
    "int": int,
    "long": int,
    "float": float,
    "bytes": bytes,
    "complex": complex,
    "str": str,
    "string_types": str,
    "list": list,
    "dict": dict,
}
# What pandas.core.dtypes.dtypes happens to have imported.
_PYTHON: dict[str, type] = {"date": date, "datetime": datetime, "time": time, "timedelta": timedelta, "Decimal": Decimal}
# Python types that equal a numpy dtype.
_DTYPE_OF_PYTHON = {int: INT64.name, float: FLOAT64.name, bool: BOOL.name}
# Names that people write, and that nobody resolves: databases' in capitals, and those of pandas' dtypes.
_UNRESOLVED = re.compile(
    r"""[A-Z]{3,} | U?[A-Z]+(8|16|32|64) | U?Int(8|16|32|64) | Float(32|64) | String | Integer | Boolean | Double | NoneType
    | string | text | (var)?char | integer | number | numeric | boolean | category | decimal | array | tuple | set | uuid
    | json | real | floating | datetime64\[ns,\ UTC\]""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class TypeNames:
    """What some names of types stand for, taken together."""

    classes: frozenset[str]
    dtypes: frozenset[str]
    python: tuple[type, ...]
    any_resolved: bool

    def are_class_of(self, dtype: Dtype) -> bool:
        """Whether the class of the dtype's scalars is among them."""
        return dtype.name in self.classes or dtype.scalar in self.classes

    def equal(self, dtype: Dtype) -> bool:
        """Whether the dtype itself equals one of them."""
        return dtype.name in self.dtypes


def resolve(names: Iterable[str]) -> TypeNames:
    """Resolve names; raises Uncompilable for one that only pandas itself can resolve, or not."""
    classes: set[str] = set()
    dtypes: set[str] = set()
    python: list[type] = []
    any_resolved = False
    for name in names:
        own = [kind for kind in (_PYTHON_IN_ANY_CASE.get(name.lower()), _PYTHON.get(name)) if kind]
        same_class, equal = _CLASS_OF.get(name), _EQUAL_ONLY.get(name)
        resolved = bool(own or same_class or equal or _OTHER_NUMPY.fullmatch(name) or _PANDAS.fullmatch(name))
        if not resolved and not _UNRESOLVED.fullmatch(name):
            raise Uncompilable(f"whether {name!r} is a type can only be told by numpy and pandas")
        any_resolved = any_resolved or resolved
        classes.add(same_class or name)
        if same_class and name not in _CLASS_ONLY:
            equal = same_class
        dtypes |= {equal} if equal else set()
        dtypes |= {_DTYPE_OF_PYTHON[kind] for kind in own if kind in _DTYPE_OF_PYTHON}
        python += own
    return TypeNames(frozenset(classes), frozenset(dtypes), tuple(python), any_resolved)
