"""What can be wrong with a file, or with the way in which its validation is asked for."""

from service.errors import FeatureServiceError


class UnreadableFile(FeatureServiceError):
    """A file that can't be read, or not exactly as pandas reads it; the message names it and says what would be right."""
