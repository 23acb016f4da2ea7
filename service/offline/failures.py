"""What goes wrong when rows are appended, told apart by whether it may pass by itself."""

from service.errors import FeatureServiceError


class AppendFailed(FeatureServiceError):
    """Feast's offline store didn't take rows; the message has Feast's words."""


class OfflineStoreUnavailable(AppendFailed):
    """Something that the rows aren't to blame for: the registry, S3 or the disk can't be used now. Tried without limit."""


class DestinationRefused(AppendFailed):
    """What the rows are to be appended to isn't there, or can't be written to, whatever the rows. Tried a few times only."""


class RowsRefused(AppendFailed):
    """Rows don't fit what is there: those of one push may be to blame. Tried a few times only."""
