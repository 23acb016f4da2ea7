"""The functions of on-demand feature views: from what Feast keeps of them to bytes that a worker runs.

The definitions process asks the FunctionLoader, which has a process of its own do it (`process`): loading imports the
repository's modules, and what these do at import is nobody's business here.
"""

from service.catalog.functions.loader import LOADING_SECONDS, FunctionLoader, digest_of
from service.catalog.functions.messages import FunctionSource, LoadedFunction

__all__ = ["LOADING_SECONDS", "FunctionLoader", "FunctionSource", "LoadedFunction", "digest_of"]
