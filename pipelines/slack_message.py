"""What Slack is told of data that aren't as expected (its Block Kit)."""

from collections.abc import Mapping, Sequence
from typing import Any

# Slack takes 3,000 characters in a section.
SECTION_CHARACTERS = 2_900
SHOWN_FAILURES = 15


def message(
    summary: str,
    *,
    place: str | None,
    validation: Mapping[str, Any] | None,
    quarantined: Mapping[str, Any] | None,
    run_name: str | None,
    docs: str | None,
) -> dict[str, Any]:
    """What Slack is told: blocks, and the same in one line for notifications."""
    facts = [("File", place or (validation or {}).get("place")), ("Run", run_name)]
    if quarantined:
        facts += [("Moved to", quarantined.get("place")), ("Result", quarantined.get("result_place"))]
    sections = [f"*{_escaped(summary)}*", "\n".join(f"*{name}:* {_escaped(str(value))}" for name, value in facts if value)]
    if validation:
        sections += _failures(validation)
    if docs:
        # Slack makes links of web addresses only.
        link = f"<{docs}|Data Docs>" if docs.startswith(("https://", "http://")) else f"Data Docs: {_escaped(docs)}"
        sections.append(link)
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": _cut(text)}} for text in sections if text]
    return {"text": _cut(_escaped(summary)), "blocks": blocks}


def _failures(validation: Mapping[str, Any]) -> list[str]:
    statistics = validation.get("statistics") or {}
    counts = [statistics.get("unsuccessful_expectations"), statistics.get("evaluated_expectations")]
    sections = [f"{counts[0]} of {counts[1]} expectations failed"] if None not in counts else []
    failed: Sequence[Mapping[str, Any]] = validation.get("failed") or ()
    lines = [_failure(one) for one in failed[:SHOWN_FAILURES]]
    if len(failed) > SHOWN_FAILURES:
        lines.append(f"... and {len(failed) - SHOWN_FAILURES} more")
    return [*sections, "\n".join(lines)]


def _failure(one: Mapping[str, Any]) -> str:
    column, count, error = one.get("column"), one.get("unexpected_count"), one.get("error")
    text = f"• `{_escaped(str(one.get('type')))}`" + (f" of `{_escaped(str(column))}`" if column else "")
    if error:
        return f"{text}: {_escaped(str(error))}"
    if count is not None:
        return f"{text}: {count:,} rows"
    return text if one.get("observed_value") is None else f"{text}: {_escaped(str(one['observed_value']))}"


def _escaped(text: str) -> str:
    """The three characters that Slack's markup gives a meaning."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str) -> str:
    return text if len(text) <= SECTION_CHARACTERS else f"{text[:SECTION_CHARACTERS]} ..."
