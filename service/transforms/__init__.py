"""Running the functions of on-demand feature views: columns in, checked columns out. Knows no I/O and no HTTP."""

from service.transforms.calls import Call
from service.transforms.functions import Function
from service.transforms.library import Library
from service.transforms.modes import InputSpec
from service.transforms.runner import Transforms

__all__ = ["Call", "Function", "InputSpec", "Library", "Transforms"]
