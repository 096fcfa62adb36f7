"""The app's Home tab in Slack: what is open now, and who is on call, as of when a person opened it."""

from collections.abc import Iterator
from typing import Any

from receiver.core.model import Instant
from rules.policy import SECOND

LINES, LONGEST, MOST = 10, 280, 90
"""Lines of one section, characters of a line, and sections; Slack takes 3000 characters, and 100 blocks."""


def opened_by(event: object) -> str:
    """Returns the Slack id of who opened the Home tab; empty: another event."""
    match event:
        case {"type": "app_home_opened", "tab": "home", "user": str(user)}:
            return user
        case _:
            return ""


def home(open_now: str, on_call: str, now: Instant) -> dict[str, Any]:
    """Returns the view of two lists in Slack's markup."""
    told = {"type": "mrkdwn", "text": f"<!date^{now // SECOND}^As of {{date_short_pretty}}, {{time}}|As of now>"}
    blocks = [*_list("Now", open_now), *_list("On call", on_call)][:MOST]
    return {"type": "home", "blocks": [*blocks, {"type": "context", "elements": [told]}]}


def _list(title: str, text: str) -> Iterator[dict[str, Any]]:
    yield {"type": "header", "text": {"type": "plain_text", "text": title}}
    lines = [each if len(each) <= LONGEST else f"{each[: LONGEST - 1]}…" for each in text.splitlines()]
    for first in range(0, len(lines), LINES):
        said = "\n".join(lines[first : first + LINES])
        yield {"type": "section", "text": {"type": "mrkdwn", "text": said}}
