"""Writes the checkpoints, and what they validate, to checkpoints/ and validation_definitions/, as GX saves them.

    python expectations/create_checkpoint.py

The suites have to be there (create_expectations.py). It may be run again and again, as that.
"""

import sys
from pathlib import Path

import great_expectations as gx
from great_expectations.checkpoint import SlackNotificationAction, UpdateDataDocsAction
from great_expectations.checkpoint.actions import ValidationAction
from great_expectations.data_context import FileDataContext

HERE = Path(__file__).resolve().parent
# Each checkpoint: what it validates, by which suite, and whether Slack is told of a failure. Nobody is told of enriched data:
# where these fail, the run that made them does, and says so itself.
CHECKPOINTS = {
    "customer_data_checkpoint": ("customer_data", "customer_data_suite", True),
    "enriched_data_checkpoint": ("enriched_data", "enriched_data_suite", False),
}


def create_checkpoint(project: Path) -> list[str]:
    """Bring each checkpoint of the project to what the code says; returns their names."""
    context = gx.get_context(mode="file", context_root_dir=project)
    for name, (data, suite, slack) in CHECKPOINTS.items():
        add_or_update(context, name, data, suite, slack)
    return list(CHECKPOINTS)


def add_or_update(context: FileDataContext, name: str, data: str, suite: str, slack: bool) -> None:
    """Write one checkpoint. Results are stored whatever its actions are; rows of failures are told in full."""
    rows = context.data_sources.get("pandas_datasource").get_asset("rows").get_batch_definition("whole")
    definition = gx.ValidationDefinition(name=data, data=rows, suite=context.suites.get(suite))
    actions: list[ValidationAction] = [UpdateDataDocsAction(name="update_data_docs", site_names=["local_site"])]
    if slack:
        # The address is a secret: it comes from the environment when the checkpoint runs.
        webhook = "${SLACK_WEBHOOK}"
        actions.append(
            SlackNotificationAction(
                name="send_slack_notification", slack_webhook=webhook, notify_on="failure", show_failed_expectations=True
            )
        )
    context.checkpoints.add_or_update(
        gx.Checkpoint(
            name=name,
            validation_definitions=[context.validation_definitions.add_or_update(definition)],
            actions=actions,
            result_format="SUMMARY",
        )
    )


if __name__ == "__main__":
    for name in create_checkpoint(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE):
        print(f"checkpoints/{name}.json")
