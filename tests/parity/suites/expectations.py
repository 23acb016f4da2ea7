"""Random expectations: of every compiled type, with arguments that fit the columns of a frame more or less."""

import math
import random
from collections.abc import Callable, Sequence
from datetime import date, datetime
from itertools import count
from typing import Any
from uuid import UUID

from .frames import WORDS, Columns

Kwargs = dict[str, Any]

REGEXES = ("a", "^a", "^[a-z]+$", r"^\d+$", r"\.0$", "[", "(?s).*", "", "é", "^2024", r"^.{1,3}$", "(a)|b", "True|e")
TYPE_NAMES = (
    "int", "int64", "float", "float64", "str", "bool", "object", "datetime64[ns]", "Timestamp", "list", "dict", "date",
    "datetime", "bytes", "INT", "long", "uint64", "None", "string", "datetime64", "longlong", "int32", "O",
)  # fmt: skip
MOSTLY = (None, None, None, 1, 1.0, 0.9, 0.5, 0.25, 0, 1 / 3)


class Drawing:
    """Draws expectations about one frame."""

    def __init__(self, draw: random.Random, columns: Columns) -> None:
        self.draw = draw
        self.columns = columns
        self._numbers = count(1)

    def expectation(self) -> dict[str, Any]:
        """One entry of a suite document."""
        kind = self.draw.choice(list(KWARGS))
        kwargs = KWARGS[kind](self)
        entry = {"type": kind, "kwargs": kwargs, "id": str(UUID(int=next(self._numbers)))}
        if self.draw.random() < 0.1:
            entry["severity"] = self.draw.choice(["critical", "warning", "info"])
            entry["meta"] = {"owner": "team", "level": 1.5}
            entry["notes"] = self.draw.choice(["why", ["why", "so"], None])
        return entry

    def name(self) -> str:
        """A column's name, seldom one that isn't there or is written otherwise."""
        if self.draw.random() < 0.03:
            return self.draw.choice(["missing", "Missing Too"])
        name = self.draw.choice(list(self.columns))
        return name.upper() if self.draw.random() < 0.03 else name

    def values(self, name: str, amount: int) -> list[Any]:
        """Some of a column's values that aren't null, with others among them."""
        present = [value for value in self.columns.get(name, []) if value is not None and value == value]
        strange: list[Any] = [
            0,
            1,
            5,
            2.5,
            -1,
            True,
            *WORDS[:4],
            "2024-01-02",
            "2024-01-02T00:00:00Z",
            "2024-01-03T01:00:00+00:00",
        ]
        return [self.draw.choice(present if present and self.draw.random() < 0.8 else strange) for _ in range(amount)]

    def bounds(self, name: str) -> Kwargs:
        """One or two bounds, of what GX takes for one."""
        drawn = [self.bound(value) for value in self.values(name, 2)]
        kwargs: Kwargs = {"min_value": drawn[0], "max_value": drawn[1]}
        if self.draw.random() < 0.8:
            try:
                kwargs["min_value"], kwargs["max_value"] = sorted(drawn)
            except TypeError:
                del kwargs["max_value"]
        if len(kwargs) > 1 and self.draw.random() < 0.4:
            del kwargs[self.draw.choice(list(kwargs))]
        if self.draw.random() < 0.4:
            kwargs["strict_min"] = self.draw.random() < 0.5
        if self.draw.random() < 0.4:
            kwargs["strict_max"] = self.draw.random() < 0.5
        return kwargs

    def bound(self, value: Any) -> Any:
        """A bound near a value, as a suite document can have it."""
        if isinstance(value, datetime | date):
            return value.isoformat()
        if isinstance(value, bool | int | float):
            return self.draw.choice([value, value + self.draw.choice([-1, 0, 1, 0.5])])
        if isinstance(value, str) and len(value) > 9 and value[:4].isdigit():
            return value
        return self.draw.choice([0, 1, 3.5, 10, "2024-01-02", "2024-01-02T00:00:00Z", "2024-01-02T06:00:00", "5"])

    def mostly(self) -> Kwargs:
        """How much has to fit."""
        mostly = self.draw.choice(MOSTLY)
        return {} if mostly is None else {"mostly": mostly}

    def condition(self) -> Kwargs:
        """Most often none; else in each of the forms that a row condition can have."""
        if self.draw.random() > 0.15:
            return {}
        names = [name for name in self.columns if name.isidentifier()] or ["a"]
        name, other = self.draw.choice(names), self.draw.choice(names)
        constant = next((value for value in self.values(name, 9) if type(value) in (int, float, str, bool)), 1)
        constant = 1 if constant in (math.inf, -math.inf) else constant
        sign = self.draw.choice(["==", "!=", "<", "<=", ">", ">="])
        form = self.draw.randrange(9)
        plain = {"type": "comparison", "column": {"name": name}, "operator": sign, "parameter": constant}
        null = {"type": "nullity", "column": {"name": other}, "is_null": self.draw.random() < 0.5}
        if form == 0:
            return {"row_condition": plain}
        if form == 1:
            return {"row_condition": {**null, "column": {"name": self.draw.choice([other, other, "nowhere"])}}}
        if form == 2:
            return {"row_condition": {"type": self.draw.choice(["and", "or"]), "conditions": [plain, null]}}
        if form == 3:
            items = [value for value in self.values(name, 3) if type(value) is type(constant) and not isinstance(value, bool)]
            return {"row_condition": {**plain, "operator": self.draw.choice(["IN", "NOT_IN"]), "parameter": items}}
        if form == 4:
            return {"row_condition": f'col("{name}").notnull()', "condition_parser": "great_expectations"}
        if form == 5:
            value = constant if type(constant) in (int, float) else "'ab'"
            return {"row_condition": f'col("{name}") {sign} {value}', "condition_parser": "great_expectations"}
        if form == 6:
            text = f"{name} {sign} {constant!r} {self.draw.choice(['and', 'or', '&'])} {other}.isnull()"
            return {"row_condition": text, "condition_parser": "pandas"}
        if form == 7:
            return {"row_condition": f"not ({constant!r} {sign} {name}) | ~{other}.notnull()"}
        items = [value for value in self.values(name, 3) if type(value) in (int, str)]
        return {"row_condition": f"{name} {self.draw.choice(['in', 'not in'])} {items!r}", "condition_parser": "pandas"}

    def some_columns(self, least: int) -> list[str]:
        """Names of several columns."""
        names = list(self.columns)
        return self.draw.sample(names, min(len(names), self.draw.randint(least, 3))) if len(names) >= least else names


def _column(drawing: Drawing) -> Kwargs:
    return {"column": drawing.name(), **drawing.condition()}


def _map(drawing: Drawing, **more: Any) -> Kwargs:
    return {**_column(drawing), **drawing.mostly(), **more}


def _between(drawing: Drawing) -> Kwargs:
    kwargs = _map(drawing)
    return {**kwargs, **drawing.bounds(kwargs["column"])}


def _aggregate(drawing: Drawing) -> Kwargs:
    kwargs = _column(drawing)
    return {**kwargs, **(drawing.bounds(kwargs["column"]) if drawing.draw.random() < 0.95 else {})}


def _numeric_bounds(drawing: Drawing, whole: bool) -> Kwargs:
    low = drawing.draw.choice([0, 1, 2, 5]) if whole else drawing.draw.choice([0, 0.25, 0.5, 1])
    kwargs = {"min_value": low, "max_value": low + drawing.draw.choice([0, 1, 3])}
    if drawing.draw.random() < 0.4:
        del kwargs[drawing.draw.choice(list(kwargs))]
    if drawing.draw.random() < 0.3:
        kwargs[drawing.draw.choice(["strict_min", "strict_max"])] = True
    return kwargs


def _set(drawing: Drawing) -> Kwargs:
    kwargs = _map(drawing)
    values = drawing.values(kwargs["column"], drawing.draw.choice([0, 1, 2, 4, 30]))
    return {
        **kwargs,
        "value_set": [
            value.isoformat() if isinstance(value, date) else value for value in values if not isinstance(value, bytes)
        ],
    }


def _pair(drawing: Drawing) -> Kwargs:
    first, second = drawing.some_columns(2)[:2]
    kwargs = {"column_A": first, "column_B": second, **drawing.condition(), **drawing.mostly()}
    if drawing.draw.random() < 0.05:
        kwargs["column_B"] = "missing"
    if drawing.draw.random() < 0.6:
        kwargs["ignore_row_if"] = drawing.draw.choice(["both_values_are_missing", "either_value_is_missing", "neither"])
    return kwargs


def _greater(drawing: Drawing) -> Kwargs:
    return {**_pair(drawing), **drawing.draw.choice([{}, {"or_equal": True}, {"or_equal": False}])}


def _compound(drawing: Drawing) -> Kwargs:
    kwargs = {"column_list": drawing.some_columns(2), **drawing.condition(), **drawing.mostly()}
    if drawing.draw.random() < 0.6:
        kwargs["ignore_row_if"] = drawing.draw.choice(["all_values_are_missing", "any_value_is_missing", "never"])
    return kwargs


def _names(drawing: Drawing) -> list[str]:
    names = list(drawing.columns)
    change = drawing.draw.randrange(4)
    if change == 1:
        names.append("more")
    if change == 2:
        names.pop()
    if change == 3:
        drawing.draw.shuffle(names)
    return names


def _column_exists(drawing: Drawing) -> Kwargs:
    return {
        "column": drawing.name(),
        **drawing.draw.choice([{}, {"column_index": 0}, {"column_index": 1}, {"column_index": -1}]),
    }


def _without_condition(make: Callable[[Drawing], Kwargs]) -> Callable[[Drawing], Kwargs]:
    # When such a condition can't be evaluated GX doesn't answer at all, for any expectation of the suite.
    return lambda drawing: {
        key: value for key, value in make(drawing).items() if key not in ("row_condition", "condition_parser")
    }


KWARGS: dict[str, Callable[[Drawing], Kwargs]] = {
    "expect_column_values_to_not_be_null": _map,
    "expect_column_values_to_be_null": _map,
    "expect_column_values_to_be_unique": _map,
    "expect_compound_columns_to_be_unique": _compound,
    "expect_column_values_to_be_between": _between,
    "expect_column_values_to_be_in_set": _set,
    "expect_column_values_to_not_be_in_set": _set,
    "expect_column_values_to_match_regex": lambda drawing: _map(drawing, regex=drawing.draw.choice(REGEXES)),
    "expect_column_values_to_not_match_regex": lambda drawing: _map(drawing, regex=drawing.draw.choice(REGEXES)),
    "expect_column_value_lengths_to_be_between": lambda drawing: {**_map(drawing), **_numeric_bounds(drawing, whole=True)},
    "expect_column_value_lengths_to_equal": lambda drawing: _map(drawing, value=drawing.draw.choice([0, 1, 2, 3.0])),
    "expect_column_values_to_be_of_type": _without_condition(
        lambda drawing: _map(drawing, type_=drawing.draw.choice(TYPE_NAMES))
    ),
    "expect_column_values_to_be_in_type_list": _without_condition(
        lambda drawing: _map(drawing, type_list=drawing.draw.choice([None, [], drawing.draw.sample(TYPE_NAMES, 3)]))
    ),
    "expect_column_pair_values_a_to_be_greater_than_b": _greater,
    "expect_column_pair_values_to_be_equal": _pair,
    "expect_column_min_to_be_between": _aggregate,
    "expect_column_max_to_be_between": _aggregate,
    "expect_column_mean_to_be_between": _aggregate,
    "expect_column_median_to_be_between": _aggregate,
    "expect_column_stdev_to_be_between": lambda drawing: {**_column(drawing), **_numeric_bounds(drawing, whole=False)},
    "expect_column_sum_to_be_between": _aggregate,
    "expect_column_unique_value_count_to_be_between": lambda drawing: {
        **_column(drawing),
        **_numeric_bounds(drawing, whole=True),
    },
    "expect_column_proportion_of_unique_values_to_be_between": lambda drawing: {
        **_column(drawing),
        **_numeric_bounds(drawing, whole=False),
    },
    "expect_table_columns_to_match_ordered_list": lambda drawing: {"column_list": _names(drawing)},
    "expect_table_columns_to_match_set": lambda drawing: {
        "column_set": _names(drawing),
        **drawing.draw.choice([{}, {"exact_match": False}, {"exact_match": True}]),
    },
    "expect_column_to_exist": _column_exists,
    "expect_table_row_count_to_be_between": lambda drawing: {
        **_numeric_bounds(drawing, whole=True),
        **drawing.condition(),
    },
    "expect_table_row_count_to_equal": lambda drawing: {"value": drawing.draw.choice([0, 1, 5]), **drawing.condition()},
    "expect_table_column_count_to_be_between": lambda drawing: {
        key: value for key, value in _numeric_bounds(drawing, whole=True).items() if not key.startswith("strict")
    },
    "expect_table_column_count_to_equal": lambda drawing: {"value": drawing.draw.randint(1, 6)},
}


def draw_suite(draw: random.Random, columns: Columns, size: int) -> dict[str, Any]:
    """A suite document about a frame."""
    drawing = Drawing(draw, columns)
    return {"name": "drawn", "expectations": [drawing.expectation() for _ in range(size)]}


__all__: Sequence[str] = ["KWARGS", "draw_suite"]
