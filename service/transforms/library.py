"""The functions of a catalog, loaded; those that a new catalog has unchanged stay, with what is known of their speed."""

import msgspec

from service.catalog import Catalog
from service.transforms.functions import Function, digest_of, load_function


class _OnDemand(msgspec.Struct):
    """As much of a view as says whether it has a function; the rest isn't decoded."""

    computation: msgspec.Raw = msgspec.Raw()


_decoder = msgspec.msgpack.Decoder(_OnDemand)
_NONE = (b"", msgspec.msgpack.encode(None))


class Library:
    """Keeps loaded functions from one catalog to the next."""

    def __init__(self) -> None:
        self._loaded: dict[tuple[str, int], Function] = {}

    def load(self, catalog: Catalog) -> None:
        """Give the catalog its functions. It imports what they use, so it belongs into a thread."""
        for name, raw in catalog.definition.views.items():
            if bytes(_decoder.decode(raw).computation) in _NONE:
                continue
            view = catalog.view(name)
            if view is None or view.computation is None or view.unservable:
                continue
            key = (view.name, view.version)
            function = self._loaded.get(key)
            if function is None or function.digest != digest_of(view, view.computation):
                function = load_function(view, view.computation)
            catalog.functions[key] = function
        self._loaded = dict(catalog.functions)
