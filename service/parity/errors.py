"""Why online and offline can't be compared."""

from service.errors import FeatureServiceError


class NotComparable(FeatureServiceError):
    """The comparison can't be made as it is asked for; the message says why, and what would be right."""
