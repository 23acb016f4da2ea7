"""What can go wrong in a pipeline, in words that say which object or row, and what to do.

    PipelineError
    ├── BadInput            what was given can't be worked with: a missing column, a row that doesn't fit, a wrong name
    ├── PlaceNotFound       there is no such file, object, bucket or folder
    ├── PlaceTaken          something else lies where the result belongs, and isn't overwritten
    ├── AccessDenied        the credentials are missing or wrong, or may not do it
    ├── ServerUnavailable   a server doesn't answer or fails: worth another try
    ├── ObjectChanged       an object isn't the one that was looked at any more
    ├── ValidationFailed    the data aren't as expected
    └── AlertNotPosted      Slack didn't take a message

Drivers' exceptions are translated where the driver is called. A message never holds a secret.
"""


class PipelineError(Exception):
    """The step couldn't be done; the message is for people."""


class BadInput(PipelineError):
    """What was given can't be worked with, however often it is tried."""


class PlaceNotFound(PipelineError):
    """Nothing is at a place."""


class PlaceTaken(PipelineError):
    """Something else is at a place already; overwriting it would lose it."""


class AccessDenied(PipelineError):
    """Who asks isn't known, or may not do it."""


class ServerUnavailable(PipelineError):
    """A server doesn't answer or fails; the same call may succeed later."""


class ObjectChanged(PipelineError):
    """An object was replaced since it was read."""


class ValidationFailed(PipelineError):
    """Data aren't as expected; what was to be done with them wasn't."""


class AlertNotPosted(PipelineError):
    """Slack didn't take a message."""
