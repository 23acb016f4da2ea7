"""What a row condition may say, checked and written as GX does it.

Source: GX's expectations/row_conditions.py and legacy_row_conditions.py. The models are pydantic 1's because GX's are:
what they accept, what they convert and what they leave out again is part of the answer.
"""

import re
from collections.abc import Iterable
from typing import Any, Literal

from pydantic import v1 as pydantic

from service.suites.errors import Uncompilable

# GX's limit for one row condition.
MAX_CONDITIONS = 100

_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
Operator = Literal["==", "!=", "<", "<=", ">", ">=", "IN", "NOT_IN"]

# The condition_parser "great_expectations": a name, then a comparison with a number or a quoted text, or .notnull().
_GREAT_EXPECTATIONS_CONDITION = re.compile(
    r"""\s*col\("(?P<column>[^"\n\r\\]+)"\)\s*
    (?: (?P<notnull>\.notnull\(\))
      | (?P<operator>>=|<=|==|!=|>|<)\s*
        (?: (?P<number>[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)
          | (?P<quote>["'])(?P<text>[\w!#$%&()*+,\-./:;<=>?@\[\]^{|}~][\w!#$%&()*+,\-./:;<=>?@\[\]^{|}~ \t]*)(?P=quote)
        ) )\s*""",
    re.VERBOSE | re.ASCII,
)


class UnreadableCondition(Uncompilable):
    """A condition in a form that only GX itself reads; no ValueError, of which pydantic would make a refusal."""


class Column(pydantic.BaseModel):
    """The column that a condition looks at."""

    name: str


class Condition(pydantic.BaseModel):
    """What all conditions have in common: they always say their type."""

    type: str

    def dict(self, **options: Any) -> dict[str, Any]:
        """The condition as it stands in a suite document."""
        return {**super().dict(**options), "type": self.type}


class NullityCondition(Condition):
    """The column is null, or is not."""

    type: Literal["nullity"] = "nullity"
    column: Column
    is_null: bool


class ComparisonCondition(Condition):
    """The column compares so with a value, or is or is not one of several."""

    type: Literal["comparison"] = "comparison"
    column: Column
    operator: Operator
    parameter: Any = pydantic.Field(...)

    @pydantic.root_validator
    @classmethod
    def _check_parameter(cls, values: dict[str, Any]) -> dict[str, Any]:
        parameter = values.get("parameter")
        if parameter is None:
            raise TypeError("parameter must not be null; a condition of type nullity asks for nulls")
        if values.get("operator") in ("IN", "NOT_IN"):
            if not isinstance(parameter, Iterable) or isinstance(parameter, str):
                raise TypeError("parameter must be a list")
            kinds = {str if type(item) is str else float if type(item) in (int, float) else None for item in parameter}
            if None in kinds or len(kinds) > 1:
                raise TypeError("parameter must hold only numbers or only strings")
        return values


class PassThroughCondition(Condition):
    """A text for `pandas.DataFrame.query`."""

    type: Literal["pass_through"] = "pass_through"
    pass_through_filter: str


class _Combination(Condition):
    conditions: list[Condition]

    @pydantic.validator("conditions", pre=True, each_item=True)
    @classmethod
    def _read_one(cls, value: Any) -> Any:
        return read_condition(value) if isinstance(value, dict) else value


class AndCondition(_Combination):
    """All of several."""

    type: Literal["and"] = "and"


class OrCondition(_Combination):
    """At least one of several."""

    type: Literal["or"] = "or"


RowCondition = str | ComparisonCondition | NullityCondition | AndCondition | OrCondition | PassThroughCondition | None


_BY_TYPE: dict[Any, type[Condition]] = {
    "comparison": ComparisonCondition,
    "nullity": NullityCondition,
    "and": AndCondition,
    "or": OrCondition,
    "pass_through": PassThroughCondition,
}


def read_condition(document: dict[str, Any]) -> Condition:
    """A condition from its JSON; raises ValueError."""
    model = _BY_TYPE.get(document.get("type"))
    if model is None:
        raise ValueError(f"type of a condition must be one of {', '.join(_BY_TYPE)}")
    return model.parse_obj(document)


def check_combination(condition: RowCondition) -> RowCondition:
    """A condition as GX takes it: "and"s within "and" joined; raises ValueError for an "or" within another, or too many."""
    if not isinstance(condition, _Combination):
        return condition
    if sum(1 for _ in _leaves(condition)) > MAX_CONDITIONS:
        raise ValueError(f"{MAX_CONDITIONS} conditions is the maximum")
    if isinstance(condition, AndCondition):
        joined = list(_joined(condition))
        if any(isinstance(part, OrCondition) for part in joined):
            raise ValueError("an and can't contain an or")
        return AndCondition(conditions=joined)
    for part in condition.conditions:
        nested = part.conditions if isinstance(part, AndCondition) else [part]
        if any(isinstance(inner, OrCondition) for inner in nested):
            raise ValueError("an or can't contain another")
    return condition


def _leaves(condition: Condition) -> Iterable[Condition]:
    if not isinstance(condition, _Combination):
        yield condition
        return
    for part in condition.conditions:
        yield from _leaves(part)


def _joined(condition: AndCondition) -> Iterable[Condition]:
    for part in condition.conditions:
        if isinstance(part, AndCondition):
            yield from _joined(part)
        else:
            yield part


def read_great_expectations_condition(text: str) -> Condition:
    """A condition in GX's own notation; raises UnreadableCondition for what is less plain than `col("a") > 5`."""
    match = _GREAT_EXPECTATIONS_CONDITION.fullmatch(text)
    if match is None:
        raise UnreadableCondition(f'row_condition {text!r} is not of the form col("name") > 5')
    column = Column(name=match["column"])
    if match["notnull"]:
        return NullityCondition(column=column, is_null=False)
    parameter: Any = match["text"]
    if match["number"]:
        number = match["number"]
        parameter = int(number) if re.fullmatch(r"[+-]?\d+", number) else float(number)
    return ComparisonCondition.parse_obj({"column": column, "operator": match["operator"], "parameter": parameter})
