"""Substrait plans, as ibis would compile them."""

import msgspec
from pyarrow._substrait import _parse_json_plan


def plan(function: str) -> bytes:
    """A Substrait plan that gives balance `function` balance."""
    number = {"fp64": {"nullability": "NULLABILITY_NULLABLE"}}
    read = {"baseSchema": {"names": ["balance"], "struct": {"types": [number]}}, "namedTable": {"names": ["t"]}}
    balance = {"value": {"selection": {"directReference": {"structField": {"field": 0}}, "rootReference": {}}}}
    call = {"scalarFunction": {"functionReference": 1, "outputType": number, "arguments": [balance, balance]}}
    project = {"common": {"emit": {"outputMapping": [1]}}, "input": {"read": read}, "expressions": [call]}
    uri = "https://github.com/substrait-io/substrait/blob/main/extensions/functions_arithmetic.yaml"
    return bytes(
        _parse_json_plan(
            msgspec.json.encode(
                {
                    "version": {"minorNumber": 20},
                    "extensionUris": [{"extensionUriAnchor": 1, "uri": uri}],
                    "extensions": [{"extensionFunction": {"extensionUriReference": 1, "functionAnchor": 1, "name": function}}],
                    "relations": [{"root": {"input": {"project": project}, "names": ["doubled"]}}],
                }
            )
        )
    )
