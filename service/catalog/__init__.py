"""The Feast registry as an immutable snapshot, and its refresh."""

from service.catalog.client import NOT_READ_YET, CatalogClient
from service.catalog.snapshot import Catalog, nearest

__all__ = ["NOT_READ_YET", "Catalog", "CatalogClient", "nearest"]
