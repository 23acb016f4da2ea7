"""The function of an on-demand view, unpickled: the definitions process has pickled it by value (service.catalog.functions)."""

import hashlib
import logging
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from service.catalog.definitions import ComputationDefinition, FeatureDefinition, ViewDefinition
from service.errors import ComputationFailed
from service.transforms.threads import Threads
from service.transforms.timing import Timing

logger = logging.getLogger(__name__)

# The tag by which a view promises that each row's result depends on that row alone.
ROW_WISE_TAG = "row_wise"


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A function that is ready to be called, and how long it has taken lately.

    `run` is the function itself; of mode substrait, the plan. `failure` says why it can't be run, empty if it can.
    """

    view: str
    name: str
    mode: str
    run: Any
    features: Sequence[FeatureDefinition]
    row_wise: bool
    digest: bytes
    failure: str = ""
    timing: Timing = field(default_factory=Timing)
    threads: Threads = field(default_factory=Threads)

    def require(self) -> Callable[..., Any]:
        """What is called; raises ComputationFailed for a function that couldn't be loaded."""
        if self.failure:
            raise ComputationFailed(self.view, self.name, self.failure)
        return self.run  # type: ignore[no-any-return]


def load_function(view: ViewDefinition, computation: ComputationDefinition) -> Function:
    """Unpickle what a view runs. It may import whatever the function uses, so this belongs into a thread."""
    row_wise = view.tags.get(ROW_WISE_TAG, "").lower() == "true"
    mode = "singleton" if computation.singleton else computation.mode
    run: Any = None
    failure = computation.failure
    if not failure:
        try:
            run = _load(mode, computation.function)
        except BaseException as error:  # an import may raise whatever it likes, and exit
            logger.exception("The function of on-demand feature view %s can't be loaded.", view.name)
            # No more than that: the message may hold anything.
            failure = f"raises {type(error).__name__} when it is loaded"
    return Function(
        view.name, computation.function_name, mode, run, view.features, row_wise, digest_of(view, computation), failure
    )


def _load(mode: str, function: bytes) -> Any:
    """With the libraries of its mode, so that the first read needn't load them."""
    if mode == "substrait":
        import service.transforms.tables

        return function
    if mode == "pandas":
        import service.transforms.frames  # noqa: F401 - loaded, and looked up by those who need it
    return pickle.loads(function)  # noqa: S301 - as trusted as the code of the registry's functions


def digest_of(view: ViewDefinition, computation: ComputationDefinition) -> bytes:
    """Equal for definitions that are run in the same way."""
    parts = (view.features, sorted(view.tags.items()), computation.mode, computation.singleton, computation.failure)
    return hashlib.sha256(repr(parts).encode() + computation.function).digest()
